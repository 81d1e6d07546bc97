"""From bytes to what may be stored: as received where it can be, and always JSON that holds no secret."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyelet_ingest import intake
from eyelet_ingest.errors import BadInput
from eyelet_ingest.jsontext import MAX_DEPTH, depth, dumps, parse
from eyelet_ingest.redaction import Redactor

SECRET = "ghp_" + "Ab3dEf7hIj" * 4
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON, st.booleans())
def test_parse_reads_what_json_reads(value: object, escape: bool) -> None:
    text = json.dumps(value, ensure_ascii=escape)
    assert parse(text) == json.loads(text)
    assert parse(f" \n{text}\t") == json.loads(text)


@given(st.text() | st.text(alphabet='{}[]",:0123456789.eE+-truefalsn\\u \n\x00'))
def test_parse_refuses_what_json_refuses(text: str) -> None:
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises(BadInput):
            parse(text)
        return
    if any(name in text for name in ("NaN", "Infinity")):
        return
    assert parse(text) == expected


@given(JSON)
def test_dumps_is_read_back(value: object) -> None:
    assert json.loads(dumps(value)) == value


def test_depth_counts_levels_and_the_limit_is_exact() -> None:
    assert [depth(1), depth([]), depth({"a": [1]}), depth([[], [[]]])] == [0, 1, 2, 3]
    parse("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    with pytest.raises(BadInput, match="deeper"):
        parse("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))


def test_brackets_in_text_are_no_depth() -> None:
    assert parse(json.dumps("[{" * 2000)) == "[{" * 2000


@given(JSON)
def test_what_holds_nothing_to_hide_is_kept_to_the_letter(value: object) -> None:
    text = json.dumps(value, indent=1)
    read = parse(text)
    clean, stored = intake.clean(text, read, Redactor())
    if clean is read and "\\ud" not in text:
        assert stored == text.strip()
    json.loads(stored)


@pytest.mark.parametrize(
    "text",
    [
        f'{{"a":"x","a":"{SECRET}"}}',
        f'{{"b":{{"a":1,"a":["{SECRET}"]}}}}',
        f'{{"a":"{SECRET}","n":{"9" * 5000}}}',
        f'{{"a":"{SECRET}","n":1e999}}',
        f'{{"a":"{SECRET}","n":"\\ud800"}}',
        f'{{"{SECRET}":"{SECRET}","{SECRET}":2}}',
    ],
    ids=["second of two keys", "inner key", "long number", "large number", "surrogate", "key"],
)
def test_no_way_of_spelling_brings_a_secret_through(text: str) -> None:
    _, stored = intake.clean(text, parse(text), Redactor())
    assert SECRET not in stored
    json.loads(stored, parse_constant=pytest.fail)
    stored.encode()


def test_a_number_beyond_python_is_kept_digit_for_digit() -> None:
    text = f'{{"a":"{SECRET}","n":{"9" * 5000}}}'
    clean, _ = intake.clean(text, parse(text), Redactor())
    assert isinstance(clean, dict)
    assert clean["n"] == "9" * 5000


@pytest.mark.parametrize(
    ("raw", "text", "is_utf8"),
    [(b"\xef\xbb\xbf{}", "{}", True), ("é".encode(), "é", True), (b"a\xff", "a\ufffd", False), (b"", "", True)],
)
def test_decoding_never_fails(raw: bytes, text: str, is_utf8: bool) -> None:
    assert intake.decode(raw) == (text, is_utf8)
