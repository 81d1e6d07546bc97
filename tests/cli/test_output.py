"""What is printed is safe for the terminal, the spreadsheet and the program that reads it."""

import csv
import io
import json
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyelet_ingest.cli import output
from eyelet_ingest.store.answers import Partitions, Unreadable

any_text = st.text(max_size=60)
hostile = st.text(st.sampled_from("ab \n\r\t\x00\x07\x1b\x7f\x85\x9b\u200b\u202e\u2028\u2066\ufeff=+@é日\U0001f600"))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | any_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(any_text, inner, max_size=4),
    max_leaves=15,
)
COLUMNS = (
    output.Column("time", 19, 23),
    output.Column("src", 16, 40),
    output.Column("events", 6, 15, right=True),
    output.Column("what", 30, 200),
)


@given(any_text | hostile)
def test_text_for_a_terminal_moves_no_cursor_and_hides_nothing(text: str) -> None:
    shown = output.visible(text)
    for char in shown:
        assert unicodedata.category(char) not in ("Cc", "Cs", "Zl", "Zp") and char not in "\u202e\u2066\u200b\ufeff"
    assert output.visible(shown) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x9b1m", "\\x9b1m"),
        ("\u202etxt.exe", "\\u202etxt.exe"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("a\xa0b", "a b"),
        ("日本 é \U0001f468\u200d\U0001f469", "日本 é \U0001f468\u200d\U0001f469"),
    ],
)
def test_what_a_terminal_would_obey_becomes_a_visible_escape(text: str, shown: str) -> None:
    assert output.visible(text) == shown


@given(any_text | hostile, st.integers(1, 40))
def test_a_cut_text_is_never_wider_than_its_column(text: str, width: int) -> None:
    assert output.shown_width(output.fit(output.visible(text), width)) <= width


@given(st.lists(st.tuples(*[any_text | hostile] * len(COLUMNS)), max_size=5), st.integers(22, 300))
def test_a_table_fits_the_terminal_and_has_a_line_for_each_row(rows: list[tuple[str, ...]], width: int) -> None:
    lines = list(output.Table(COLUMNS, width).lines(rows))
    assert len(lines) == len(rows) + 1
    assert all(output.shown_width(line) <= width for line in lines)


def test_columns_are_aligned_and_numbers_stand_at_the_right() -> None:
    columns = (output.Column("日本", 4, 20), output.Column("events", 6, 9, right=True), output.Column("x", 1, 9))
    lines = list(output.Table(columns, 80).lines([["a", "1", "x"], ["日本語", "1,000", "y"]]))
    assert lines == ["日本    events  x", "a            1  x", "日本語   1,000  y"]


def test_a_later_batch_has_the_widths_of_the_first_and_no_header() -> None:
    drawn = output.Table(COLUMNS[:2], 80)
    assert len(list(drawn.lines([["1", "abc"]]))) == 2
    assert list(drawn.lines([["2", "abcdef"]])) == ["2     ab…"]


@given(json_values)
def test_stored_json_is_the_same_value_in_ascii_on_one_line(value: object) -> None:
    for text in (
        json.dumps(value),
        json.dumps(value, ensure_ascii=False, indent=1).encode("utf-8", "replace").decode(),
    ):
        line = output.stored_json(text)
        assert json.loads(line) == json.loads(text)
        assert line.isascii() and not set(line) & {"\n", "\r", "\x7f", "\x00", "\x1b"}


@pytest.mark.parametrize("text", ["1" * 60, "1e999", "0.1000000000000000055511151231257827", '{"a":1,"a":2}'])
def test_stored_json_is_printed_number_for_number(text: str) -> None:
    assert output.stored_json(text) == text


@pytest.mark.parametrize("value", ["", "{", "NaN", '{"a":NaN}', b"\xff\x00", None, 3])
def test_a_value_that_is_no_json_text_is_json_all_the_same(value: object) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(name)

    json.loads(output.stored_json(value), parse_constant=refuse)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_json_has_no_nan(value: float) -> None:
    assert output.json_value(value) == "null"


@given(any_text | hostile)
def test_a_row_of_json_is_ascii_and_whole(text: str) -> None:
    row = {"id": 1, "tool_name": text, "data": json.dumps({"a": text}), "meta": "{}", "data_chars": 9}
    line = output.json_row(row)
    assert json.loads(line) == {"id": 1, "tool_name": text, "data": {"a": text}, "meta": {}}
    assert line.isascii() and line.isprintable()


@given(st.lists(st.dictionaries(st.sampled_from(["id", "src"]), st.integers()), max_size=4))
def test_a_streamed_array_is_json(rows: list[dict[str, object]]) -> None:
    assert json.loads("\n".join(output.json_array(rows))) == rows


@given(any_text | hostile)
def test_a_csv_cell_is_one_line_and_no_formula(text: str) -> None:
    lines = list(output.csv_lines(("id", "src", "data"), [{"id": 7, "src": text, "data": json.dumps([text])}]))
    assert len(lines) == 2
    (row,) = csv.DictReader(io.StringIO("\n".join(lines)))
    assert row["id"] == "7" and json.loads(row["data"]) == [text]
    assert not row["src"].strip().startswith(("=", "+", "-", "@"))
    assert row["src"].removeprefix("'") == output.visible(text).removeprefix("'")


def test_a_number_is_no_formula_and_nothing_is_an_empty_cell() -> None:
    (_, line) = output.csv_lines(("id", "error", "uid"), [{"id": -7, "uid": b"\x00\xff"}])
    assert line == "-7,,00ff"


def test_the_truth_names_what_could_not_be_read() -> None:
    bad = Unreadable("default", "2026-03-20", "not a database\x1b (eyelet doctor)")
    line = output.truth(Partitions(4, 26, (bad,)), 18.4)
    assert line == (
        "4 of 31 partitions scanned, 18 ms, 1 unreadable: default 2026-03-20 (not a database\\x1b (eyelet doctor))"
    )
    assert output.truth(Partitions(1, 0, ()), 0.2) == "1 of 1 partition scanned, 0 ms"
    assert output.truth(Partitions(3, 0, ()), 20.0, pages=5) == "5 pages over 3 partitions, 20 ms"


def test_what_the_encoding_cannot_say_is_escaped_and_not_a_traceback() -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, "ascii")
    output.write_lines(out, ["é…"])
    assert raw.getvalue() == b"\\xe9\\u2026\n"


def test_what_there_was_no_time_for_is_said() -> None:
    line = output.truth(Partitions(2, 1, (), unasked=4), 50.0)
    assert line == "2 of 7 partitions scanned, 50 ms, 4 not asked as time ran out: this is not all there may be"


def test_json_says_what_was_not_asked_and_which_root_only_where_there_is_something_to_say() -> None:
    bad = Unreadable("default", "2026-03-20", "no")
    named = {"context": "default", "day": "2026-03-20", "error": "no"}
    assert Partitions(1, 2, (bad,)).as_json() == {"scanned": 1, "skipped": 2, "unreadable": [named]}
    more = Partitions(1, 2, (replace(bad, root="/other"),), unasked=3)
    assert more.as_json() == {"scanned": 1, "skipped": 2, "unreadable": [named | {"root": "/other"}], "unasked": 3}
