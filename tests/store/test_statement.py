"""A statement of somebody's own reads, or is refused in words; the place that is named is a place in it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyelet_ingest.errors import BadInput, EyeletError
from eyelet_ingest.events import Event
from eyelet_ingest.store import mistakes
from eyelet_ingest.store.across import Across
from eyelet_ingest.store.layout import DAY_US, key_for
from eyelet_ingest.store.statement import Statement, distinct
from eyelet_ingest.store.store import Store

WORDS = (
    *(
        "select",
        "from",
        "where",
        "hooks",
        "id",
        "*",
        ",",
        "(",
        ")",
        "1",
        "'a'",
        "'",
        '"b"',
        '"',
        "[c]",
        "[",
        "`",
        "x'0'",
    ),
    *(
        "with",
        "as",
        "values",
        ";",
        "--",
        "/*",
        "*/",
        "\n",
        ":p",
        "?",
        "?1",
        "=",
        "<>",
        "->>",
        "and",
        "not",
        "in",
        "join",
    ),
    *("insert", "delete", "pragma", "attach", "order", "by", "limit", "group", "union", "all", "explain", "recursive"),
    *(
        "load_extension(",
        "count(",
        "json_each(",
        "pragma_table_info(",
        "main.",
        "temp.",
        "é",
        "\U0001f600",
        "\x00",
        "0x",
    ),
)


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Across]:
    with Store(str(tmp_path_factory.mktemp("none"))) as store:
        across = store.all_days()
        yield across
        across.close()


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join), st.text(max_size=40)))
def test_no_statement_leads_to_another_error_than_ours(days: Across, text: str) -> None:
    for sql in (text, f"select {text}", f"select id from hooks where {text}"):
        try:
            statement = Statement(days.conn, sql, {}, lenient=True, timeout_s=5)
            assert len(set(statement.columns)) == len(statement.columns)
            list(statement.rows())
        except EyeletError as bad:
            said = re.search(r" at (?:line (\d+), )?character (\d+)(?: \(|$)", str(bad))
            if said:
                lines = sql.split("\n")
                assert int(said[2]) <= len(lines[int(said[1] or 1) - 1]) or not said[1]


@settings(deadline=None)
@given(st.text(max_size=60))
def test_the_words_of_a_statement_are_all_of_it_but_space(text: str) -> None:
    found = mistakes.tokens(text)
    assert all(text[word.at : word.at + len(word.text)] == word.text for word in found)
    assert [word.at for word in found] == sorted({word.at for word in found})


@pytest.mark.parametrize(
    "statement",
    [
        "with x as (select 1) insert into partitions values (1)",
        "select * from pragma_query_only(0)",
        "select load_extension('x')",
        "select writefile('x', 'y')",
        "with x as (select 1) update partitions set bytes = 1",
    ],
)
def test_what_does_more_than_read_is_refused(days: Across, statement: str) -> None:
    with pytest.raises(BadInput):
        list(Statement(days.conn, statement, {}).rows())


@settings(deadline=None)
@given(st.lists(st.sampled_from(["id", "id_2", "ID", "", "a"])))
def test_names_become_distinct_and_the_first_of_each_stays(names: list[str]) -> None:
    made = distinct(names)
    assert len(made) == len(set(made)) == len(names)
    assert all(made[names.index(name)] == name or name in made for name in names)


@pytest.mark.parametrize("asked", ["hooks_fts where hooks_fts match 'x'", "\"Hooks_FTS\" where command match 'x'"])
def test_the_index_of_one_attached_day_is_not_taken_for_that_of_all(tmp_path: Path, asked: str) -> None:
    with Store(str(tmp_path / "root")) as store:
        store.append([Event(time_us=DAY_US, uid=b"u" * 16, hook_type="Stop", data="{}")])
        store.text_build(key_for("default", DAY_US))
        across = Across(store.roots, may_extend=False)
        try:
            with pytest.raises(BadInput, match=r"(?i)hooks_fts at character 19 is there with the extension in C only"):
                Statement(across.conn, f"select rowid from {asked}", {})
            told = Statement(across.conn, "select 'hooks_fts' as x from hooks -- hooks_fts", {})
            assert list(told.rows()) == [("hooks_fts",)], "a text or a comment that names it asks nothing of it"
        finally:
            across.close()
