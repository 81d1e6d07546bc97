"""Which statements of Datasette's are asked otherwise than it wrote them, and that nobody else's are."""

from typing import Any

import pytest

from datasette_eyelet import eyelet_counts
from eyelet_ingest.store.layout import key_for


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (
            "where (id < :p2 or id is null or (id = :p2 and ((context_name > :p0)\n  or\n"
            "(context_name = :p0 and id > :p1))))",
            "where (id <= :p2 and (id < :p2 or id is null or (id = :p2 and ((context_name > :p0)\n  or\n"
            "(context_name = :p0 and id > :p1)))))",
        ),
        ("where (id < :p2 or (id = :p2 and x) or y)", None),
        ("where (id < :p2 or src = 'x')", None),
        ("where (src < :p2 or src is null or (src = :p2 and ((context_name > :p0))))", None),
    ],
)
def test_only_datasettes_own_words_are_narrowed(asked: str, expected: str | None) -> None:
    assert eyelet_counts.narrowed(f"select 1 from hooks {asked}") == f"select 1 from hooks {expected or asked}"


@pytest.mark.parametrize(
    ("asked", "key"),
    [
        ("select context_name, id, [database] from hooks order by src desc", ", context_name, id"),
        ('select context_name, id from hooks where "a" = :p0 order by id desc', ", context_name"),
        ("select context_name, date from partitions order by date desc", ", context_name"),
        ("select id from hooks order by src, id", ""),
        ("select src from hooks where 1 union all select src from hooks order by src", ""),
        ("select id from hooks where 1 except select 5 from hooks order by id", ""),
        ("select id from hooks group by src order by src", ""),
        ("select max(id) from hooks order by src", ""),
        ("select id from calls order by id desc", ""),
    ],
)
def test_the_first_page_has_the_tie_break_of_those_after_it(asked: str, key: str) -> None:
    assert eyelet_counts.narrowed(f"{asked} limit 101") == f"{asked}{key} limit 101"


@pytest.mark.parametrize(
    ("asked", "sampled"),
    [
        ("select x as value from (\n select x from hooks where (y = :p0 or z)\n ) where x", True),
        ("select distinct json_type(x)\n from (select x from hooks ) where x", True),
        ("with limited as (select * from (select x from hooks ) limit 1000) select x", False),
        ("select date(x) from (select * from (select x from hooks ) limit 100) where x glob '?'", True),
        ("select 1", False),
        ("select x from (select x from hooks", False),
    ],
)
def test_a_suggestion_looks_at_a_sample(asked: str, sampled: bool) -> None:
    sql, _ = eyelet_counts._sampled(asked)
    assert (sql != asked) == sampled
    if sampled:
        as_asked = sql.replace(f" limit {eyelet_counts.SAMPLE_ROWS}", "")
        assert "".join(as_asked.split()) == "".join(asked.split())
        assert sql.index(" limit ") > sql.index(" hooks")


async def test_what_takes_too_long_is_said_in_every_format_and_prints_no_traceback(
    open_site: Any, record: Any, noon_us: int, capfd: pytest.CaptureFixture[str]
) -> None:
    record(noon_us)
    site = await open_site(datasette={"settings": {"sql_time_limit_ms": 50}})
    endless = "(with recursive c(x) as (select 1 union all select x %2B 1 from c) select count(*) from c) > 0"
    for path in (
        "/eyelet/hooks.csv",
        "/eyelet/hooks.json",
        "/eyelet/hooks",
        f"/{key_for('default', noon_us).mount_name}/hooks.csv",
    ):
        answer = await site.get(f"{path}?_where={endless}")
        assert answer.status_code == 400 and "sql_time_limit_ms" in answer.text, path
    said = capfd.readouterr()
    assert "Traceback" not in said.out + said.err
