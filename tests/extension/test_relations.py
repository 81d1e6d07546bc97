"""What is asked of every day by a SELECT of ours, over several roots, and of a few contexts alone."""

from collections.abc import Iterator
from typing import Any

import pytest

from eyelet_ingest.store import all_days, connect, layout
from tests.extension import days
from tests.extension.compare import difference
from tests.extension.selects import About, Select, Selects, samples_of, seeded

STATEMENTS = 250


@pytest.fixture(scope="module")
def fewer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[days.Days]:
    with days.Days(str(tmp_path_factory.mktemp("fewer") / "root"), seed=11) as made:
        for context, day in (("alpha", 78), ("alpha", 79), ("beta", 79), ("beta", 80)):
            made.make(days.PartitionKey(context, 2026, day), 30)
        made.take()
        yield made


def merged(made: days.Days, name: str) -> None:
    """What each day answers to the relation's SELECT, as a table of the ordinary connection."""
    relation = all_days.RELATIONS[name]
    columns = ", ".join(f"{column} {kind}" for column, kind in relation.columns)
    made.plain.execute(f"create table if not exists {name} (context_name text, {columns})")
    made.plain.execute(f"delete from {name}")
    for key in made.partitions():
        made.plain.execute("attach ? as day", (layout.db_path(made.root, key),))
        selected = f"select '{key.context}', * from ({relation.day_sql.format(day='day.')})"
        made.plain.execute(f"insert into {name} {selected} where id >= ? and id < ?", key.bounds_us)
        made.plain.execute("detach day")


@pytest.mark.parametrize("name", [name for name in all_days.RELATIONS if name != "hooks"])
def test_a_relation_over_all_days_is_what_each_day_answers(fewer: days.Days, loadable: str, name: str) -> None:
    columns = dict(all_days.RELATIONS[name].columns)
    numbers = tuple(column for column, kind in columns.items() if kind != "text")
    texts = tuple(column for column, kind in columns.items() if kind == "text")
    about = About(name, ("context_name", *columns), numbers, ("id", *texts[:3]))
    merged(fewer, name)
    virtual = fewer.virtual(loadable)
    virtual.execute(all_days.virtual_table(name, [fewer.root], []))
    samples = samples_of(fewer.plain, about)
    for number in range(STATEMENTS):
        one = Selects(seeded(number), samples, about).select()
        wrong = difference(virtual, fewer.plain, one)
        assert not wrong, f"seed {number}: {wrong}\n{one.sql}"
    virtual.close()


def test_a_table_of_some_contexts_knows_of_no_other(fewer: days.Days, loadable: str) -> None:
    virtual = fewer.virtual(loadable, context="beta")
    for sql in ("select * from hooks", "select distinct context_name from hooks", "select count(*) from hooks"):
        where = sql.replace("from hooks", "from hooks where context_name = 'beta'")
        assert sorted(virtual.execute(sql), key=repr) == sorted(fewer.plain.execute(where), key=repr)
    assert virtual.execute("select count(*) from hooks where context_name in ('alpha', '../alpha')").fetchone() == (0,)
    assert virtual.execute("select count(*) from hooks where root like '%' and context_name <> 'beta'").fetchone() == (
        0,
    )
    virtual.close()


def test_several_roots_are_one_table(fewer: days.Days, made: days.Days, loadable: str) -> None:
    """Every row of each, with its root in the hidden column `root`; equal times stand in the order of the roots."""
    conn = days._memory()
    assert connect.load_extension(conn, loadable) == ""
    conn.execute(all_days.virtual_table("hooks", [fewer.root, made.root], []))
    expected = [(fewer.root, *row) for row in fewer.plain.execute("select * from hooks")]
    expected += [(made.root, *row) for row in made.plain.execute("select * from hooks")]
    assert sorted(conn.execute("select root, * from hooks"), key=repr) == sorted(expected, key=repr)
    asked = "select id from hooks order by id desc limit 60"
    assert [id_ for (id_,) in conn.execute(asked)] == sorted((row[2] for row in expected), reverse=True)[:60]
    rowids = [rowid for (rowid,) in conn.execute("select rowid from hooks")]
    assert len(set(rowids)) == len(rowids) == len(expected)
    one = Select("select count(*), min(id), max(id) from hooks where context_name = 'alpha'", "rows")
    alpha = [row[2] for row in expected if row[1] == "alpha"]
    assert conn.execute(one.sql).fetchall() == [(len(alpha), min(alpha), max(alpha))]
    conn.close()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("", "root"),
        ("root='relative/path'", "root"),
        ("table='hooks'", "root"),
        ("root='/tmp', nonsense='x'", "nonsense"),
        ("root='/tmp', context='../x'", "context"),
        ("root='/tmp', table='no such table'", "columns"),
        ("root='/tmp', sql='select 1'", "columns"),
        ("root=/tmp", ""),
        ("'x'", ""),
        (
            "root = \"/tmp/it''s\" , table='hooks', context = 'a', context=b, strict=1",
            "",
        ),
        ("root='/tmp/////', root='/tmp', table='hooks'", ""),
        ("root='/tmp', table='hooks', columns='id integer, a b c, d'", ""),
        ("root='/tmp', table='t', columns='a, b text, c real, d numeric, e varchar, f clob, g double, h blob'", ""),
        ("root='/tmp', table='hooks', columns='src text'", "id integer"),
        ("root='/tmp', table='t', columns='a text,,b'", "columns"),
        ("root='/tmp', table='t', columns='a text) --'", "no type"),
        ("root='/tmp', table='t', columns='a text, a text'", "duplicate"),
        ("root='/tmp', table='t', sql='select 1', columns='a'", "table= and sql="),
        ("root='/tmp', table='hooks', max_open=0", "max_open"),
        ("root='/tmp', table='hooks', strict=2", "strict"),
        ("root='/tmp', table='hooks', cache_kib=many", "cache_kib"),
        ("root='/tmp', table='hooks', a_name_that_is_longer_than_any=1", "NAME"),
        ("root='/tmp', table='hooks', context=''", "context"),
        ("root='/tmp', table='t', columns='" + ", ".join(f"c{at} text" for at in range(2_000)) + "'", "columns"),
    ],
)
def test_wrong_arguments_are_named(loadable: str, arguments: str, said: str) -> None:
    conn: Any = connect.open_memory()
    assert connect.load_extension(conn, loadable) == ""
    try:
        conn.execute(f"create virtual table x using eyelet_partitions({arguments})")
        conn.execute("select * from x").fetchall()
    except connect.driver().Error as bad:
        assert said in str(bad)
    else:
        assert not said, arguments
    conn.close()
