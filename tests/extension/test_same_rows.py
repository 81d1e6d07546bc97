"""The virtual table answers what one ordinary table of the same rows answers."""

import itertools
import os
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.extension import days
from tests.extension.compare import as_an_ordinary_table_understands, difference
from tests.extension.selects import Select, Selects, samples_of, seeded

SOAK = bool(os.environ.get("EYELET_SOAK"))
STATEMENTS = 100_000 if SOAK else 2_000
PARTS = 100 if SOAK else 8  # each tells that it is done
# Statements that were answered wrongly once, or nearly: what the generator found, made small.
SCARS = (
    Select("select a.id from hooks a where a.timestamp = '1735629120.0' and a.id < '9' || a.id", "rows"),  # crashed
    Select("select a.* from hooks a order by a.context_name desc, a.context_name desc, a.id limit 59", "order"),
    # of a row value SQLite shows the first half alone, and no LIMIT may be taken with that
    Select("select count(*) from (select 1 from hooks where (error, session_id) > (0, 's1') limit 200)", "order"),
    Select("select error, session_id from hooks where (error, session_id) < (1, 's1') limit 700", "rows"),
    Select("select src from hooks where (src, id) >= ('a', 0) order by src limit 9", "order"),
    Select("select 1 from hooks where src glob replace(hex(zeroblob(60000)), '00', '*')", "rows"),  # an error
    Select("select * from hooks where id = '1735689600000000' || char(0)", "rows"),  # a number, for some SQLites
    Select("select * from hooks where id in (5, '1735689600000000' || char(0))", "rows"),
    # an ordinary table has '100' and '1e2' mixed: see compare.py
    Select("select session_id, id from hooks a where cast(100 as integer) == a.session_id order by 1, 2", "order"),
)


@pytest.fixture(scope="module")
def samples(made: days.Days) -> dict[str, list[str]]:
    return samples_of(made.plain)


def test_the_statements_do_not_depend_on_what_sqlite_leaves_open(
    made: days.Days, samples: dict[str, list[str]]
) -> None:
    """Another ordinary table, of another order and with indexes, gives the same: only so a difference tells."""
    other = made.shuffled()
    for number in range(0, STATEMENTS, 20):
        one = Selects(seeded(number), samples).select()
        wrong = difference(other, made.plain, replace(one, sql=as_an_ordinary_table_understands(one.sql)))
        assert not wrong, f"seed {number}: {wrong}\n{one.sql}"
    other.close()


@pytest.mark.parametrize("part", range(PARTS))
def test_generated_statements_give_the_same_rows(
    both: tuple[Any, Any], samples: dict[str, list[str]], part: int
) -> None:
    for number in range(part, STATEMENTS, PARTS):
        one = Selects(seeded(number), samples).select()
        wrong = difference(*both, one)
        assert not wrong, f"seed {number}: {wrong}\n{one.sql}"


@pytest.mark.parametrize("one", SCARS, ids=lambda one: str(one.sql))
def test_what_was_answered_wrongly_once_is_not_again(both: tuple[Any, Any], one: Select) -> None:
    assert not difference(*both, one)


@settings(max_examples=20_000 if SOAK else 60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_statements_that_hypothesis_makes_give_the_same_rows(
    both: tuple[Any, Any], samples: dict[str, list[str]], data: st.DataObject
) -> None:
    one = Selects(lambda n: data.draw(st.integers(0, n - 1)), samples).select()
    wrong = difference(*both, one)
    assert not wrong, f"{wrong}\n{one.sql}"


def test_rows_that_are_counted_and_then_asked_for_are_as_many(both: tuple[Any, Any]) -> None:
    """What is not asked of the first rows is asked of a later one: the limit has begun to run then."""
    virtual, _ = both
    turns = itertools.count()
    virtual.create_function("turn", 0, lambda: next(turns))
    sql = "select iif(turn() = 15, error, 7) from hooks where error = 0 limit 20"
    assert virtual.execute(sql).fetchall() == [(7,)] * 15 + [(0,)] + [(7,)] * 4


def test_the_columns_are_those_of_a_day_after_the_context(both: tuple[Any, Any]) -> None:
    virtual, plain = both
    asked = "select name, lower(type) from pragma_table_info('hooks')"
    assert virtual.execute(asked).fetchall() == plain.execute(asked).fetchall()
    keys = "select name from pragma_table_info('hooks') where pk order by pk"
    assert virtual.execute(keys).fetchall() == [("context_name",), ("id",)]


def test_a_row_id_names_one_row_as_long_as_the_connection_lives(both: tuple[Any, Any]) -> None:
    virtual, plain = both
    rows = virtual.execute("select rowid, context_name, id from hooks").fetchall()
    assert len({rowid for rowid, *_ in rows}) == len(rows) == plain.execute("select count(*) from hooks").fetchone()[0]
    for rowid, *key in rows[::37]:
        assert virtual.execute("select context_name, id from hooks where rowid = ?", (rowid,)).fetchall() == [
            tuple(key)
        ]
    few = virtual.execute("select rowid from hooks where error = 1").fetchall()
    asked = "select count(*) from hooks where rowid in (select rowid from hooks where error = 1)"
    assert virtual.execute(asked).fetchone() == (len(few),)
