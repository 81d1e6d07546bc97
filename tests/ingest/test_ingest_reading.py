"""Whatever shape a recording has: the same records, each at its line, and what is damaged costs no other."""

import gzip
import io
import json
import random
import sys
import tracemalloc
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyelet_ingest import reading, recordings
from eyelet_ingest.reading import Found, open_stream, records

A = {"a": 1, "b": [1, {"c": "x\ny"}]}
B = {"b": 2, "é": "日本"}


def read(content: str | bytes) -> list[Found]:
    raw = content if isinstance(content, bytes) else content.encode()
    return list(records(open_stream(io.BytesIO(raw))))


def values(content: str | bytes) -> list[object]:
    """The objects read, and the word "bad" for each that could not be."""
    return ["bad" if found.value is None else found.value for found in read(content)]


def lines(content: str | bytes) -> list[int]:
    return [found.line for found in read(content)]


SHAPES = {
    "lines": f"{json.dumps(A)}\n{json.dumps(B)}\n",
    "without a last line end": f"{json.dumps(A)}\n{json.dumps(B)}",
    "with Windows' line ends and blank lines": f"\r\n{json.dumps(A)}\r\n\r\n  \r\n{json.dumps(B)}\r\n",
    "with a byte order mark": f"\ufeff{json.dumps(A)}\n{json.dumps(B)}\n",
    "an array": json.dumps([A, B]),
    "a pretty-printed array": json.dumps([A, B], indent=2),
    "an array without indentation": json.dumps([A, B], indent=0),
    "an array with a byte order mark": f"\ufeff{json.dumps([A, B])}",
    "an array of one element a line": f"[\n{json.dumps(A)},\n{json.dumps(B)}\n]\n",
    "pretty-printed one after another": f"{json.dumps(A, indent=2)}\n{json.dumps(B, indent=4)}\n",
    "several on one line": f"{json.dumps(A)} {json.dumps(B)}",
    "lines that end with commas": f"{json.dumps(A)},\n{json.dumps(B)},\n",
    "a line that is an array": f"[{json.dumps(A)}]\n{json.dumps(B)}\n",
    "two arrays": f"[{json.dumps(A)}]\n[\n{json.dumps(B)}]",
    "an array, then an object over lines": f"[{json.dumps(A)}]{json.dumps(B, indent=1)}",
}


@pytest.mark.parametrize("content", SHAPES.values(), ids=SHAPES.keys())
def test_every_shape_spells_the_same_records(content: str) -> None:
    assert values(content) == [A, B]
    assert values(gzip.compress(content.encode())) == [A, B]
    for found in read(content):
        assert json.loads(found.text) == found.value
        assert found.is_utf8


DAMAGED: dict[str, tuple[str | bytes, list[object]]] = {
    "no JSON": ("hello\n{}\n", ["bad", {}]),
    "a scalar": ('42\n"x"\nnull\ntrue\n{}\n', ["bad", "bad", "bad", "bad", {}]),
    "scalars in an array": ('[1, "x", [2], {"a": 1}, null]\n{}', ["bad", "bad", "bad", {"a": 1}, "bad", {}]),
    "a word in an array": ('[oops, {"a": 1}]', ["bad", {"a": 1}]),
    "cut in a string": ('{"a": 1}\n{"b": "xx', [{"a": 1}, "bad"]),
    "cut in a string, between others": ('{"a": "xx\n{"c": 3}\n', ["bad", {"c": 3}]),
    "cut behind a comma": ('{"a": 1,\n{"c": 3}\n{"d": 4}\n', ["bad", {"c": 3}, {"d": 4}]),
    "cut in an inner array": ('{"a": [1,\n{"c": 3}\n{"d": 4}\n', ["bad", {"c": 3}, {"d": 4}]),
    "cut behind a colon": ('{"a":\n{"c": 3}\n', ["bad", {"c": 3}]),
    "a damaged pretty-printed object": ('{\n "a": 1,\n "b": zz\n}\n{"c": 3}\n', ["bad", {"c": 3}]),
    "a cut pretty-printed object": ('{\n "a": 1,\n "b": {\n', ["bad"]),
    "a damaged element": ('[{"a": 1},{"b":zz},{"c": 3}]', [{"a": 1}, "bad", {"c": 3}]),
    "an element without a quotation mark": ('[\n {"a": 1},\n {"b": "zz},\n {"c": 3}\n]', [{"a": 1}, "bad", {"c": 3}]),
    "a cut array": ('[{"a": 1},{"b": 2', [{"a": 1}, "bad"]),
    "an array that is not closed": ('[{"a": 1},', [{"a": 1}]),
    "NaN": ('{"a": NaN}\n[{"a": -Infinity}, {"b": 1}]', ["bad", "bad", {"b": 1}]),
    "NUL bytes before a record": (b'{"a": 1}\n\0\0\0{"b": 1}\n\0{"c": 1}{"d": 1}\n{"e": 1}', [{x: 1} for x in "abcde"]),
    "NUL bytes before a damaged record": (b'\0\0{"a": \n{"b": 1}\n', ["bad", {"b": 1}]),
    "NUL bytes": (b'{"a": "\0"}\n\0\0\0\n{"b": 1}\n', ["bad", "bad", {"b": 1}]),
    "too deep": ('{"a":' + "[" * 2000 + "]" * 2000 + '}\n{"b": 1}\n', ["bad", {"b": 1}]),
    "too deep for a partition only": ('{"a":' + "[" * 950 + "]" * 950 + '}\n{"b": 1}\n', ["bad", {"b": 1}]),
    "too deep in an array": ("[" + '{"a":' * 2000 + "1" + "}" * 2000 + ', {"b": 1}]', ["bad", {"b": 1}]),
    "cut in a character": (b'{"a": 1}\n{"b": "\xc3', [{"a": 1}, "bad"]),
    "half a character": (b"\xe6\x97", ["bad"]),
}


@pytest.mark.parametrize(("content", "expected"), DAMAGED.values(), ids=DAMAGED.keys())
def test_what_is_damaged_is_told_and_costs_no_other(content: str | bytes, expected: list[object]) -> None:
    assert values(content) == expected
    for found in read(content):
        assert bool(found.reason) == (found.value is None)


def test_reasons_say_what_is_wrong() -> None:
    reasons = [
        found.reason for found in read(b'{"a": NaN}\n[1]\n{"a": "\0"}\n{"a":' + b"[" * 2000 + b"]" * 2000 + b"}\n")
    ]
    assert "NaN" in reasons[0]
    assert reasons[1] == "not an object but a number"
    assert "NUL" in reasons[2]
    assert "900" in reasons[3]


def test_the_place_in_a_reason_counts_from_where_the_record_begins() -> None:
    found = read('{"a": 1}\n{"a" 2}\n{\n "b": 1,\n "c": zz\n}\n')
    assert [(one.line, one.reason) for one in found if one.reason] == [
        (2, "not JSON: Expecting ':' delimiter at character 5"),
        (3, "not JSON: no value at character 17"),
    ]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_utf16_is_one_damaged_record_that_says_what_helps(encoding: str, mark: str) -> None:
    for content in ('{"a": 1}\n{"b": "é"}\n', '[\n{"a": 1}]', '{ "日": 1}'):
        found = read((mark + content).encode(encoding))
        assert [one.reason for one in found] == ["looks like UTF-16: convert it to UTF-8"]
    assert values('\ufeff{"a": 1}') == [{"a": 1}]


def test_bytes_that_are_no_utf8_are_replaced_and_marked() -> None:
    found = read(b'{"a": "\xff"}\n{"b": "\xc3\xa9 \xef\xbf\xbd"}\n')
    assert [one.value for one in found] == [{"a": "\ufffd"}, {"b": "é \ufffd"}]
    assert [one.is_utf8 for one in found] == [False, True]


def test_numbers_of_any_length_are_read() -> None:
    content = '{"a":' + "1" * 5_000 + "}"
    for found in (*read(content), *read(f"[{content}]"), *read(content.replace(":", ":\n"))):
        assert found.value is not None
        assert "1" * 5_000 in found.text


def test_of_duplicate_keys_the_first_wins_and_the_text_stays() -> None:
    for content in ('{"a": 1, "a": 2}', '[{"a": 1, "a": 2}]', '{"a": 1,\n"a": 2}'):
        (found,) = read(content)
        assert found.value == {"a": 1}
        assert found.text.count('"a"') == 2


def test_an_empty_stream_has_no_records() -> None:
    assert read("") == read("\n \n") == read("[]") == read("[]\n[ ]") == []


def test_records_are_given_the_line_where_they_begin() -> None:
    assert lines('\n{"a": 1}\n\n{"b":\n2}\n[\n{"c": 3},\n\n{"d":\n4}]\n{"e": 5}') == [2, 4, 7, 9, 11]
    assert lines('{"a": [1,\n{"c": 3}\n\n{"d": 4}\n') == [1, 2, 4]
    assert lines('[\n {"a": 1},\n {"b": "zz},\n {"c": 3}\n]\n{"d": 4}') == [2, 3, 4, 6]


def test_damaged_gzip_gives_what_came_before_the_damage() -> None:
    packed = gzip.compress("".join(json.dumps({"n": random.random()}) + "\n" for _ in range(5_000)).encode())
    found = read(packed[: len(packed) // 2])
    assert len(found) > 1_000
    assert "compressed" in found[-1].reason
    assert all(one.value is not None for one in found[:-2])


def test_gzip_of_several_members_is_read_through() -> None:
    assert values(gzip.compress(b'{"a": 1}\n') + gzip.compress(b'{"b": 2}\n')) == [{"a": 1}, {"b": 2}]


@pytest.mark.parametrize("indent", [None, 0, 2])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_no_window_cuts_a_record(indent: int | None, ascii_only: bool) -> None:
    """Records of many lengths, so that every window of the reader ends somewhere inside one."""
    made = [{"n": n, "text": '日é"\\ x' * (n % 700)} for n in range(1_500)]
    texts = [json.dumps(one, indent=indent, ensure_ascii=ascii_only) for one in made]
    assert values(json.dumps(made, indent=indent, ensure_ascii=ascii_only)) == made
    assert values("\n".join(texts)) == made
    rows = "\n".join(texts).split("\n")
    assert all(rows[found.line - 1].lstrip().startswith("{") for found in read("\n".join(texts)))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200)
@given(st.lists(st.dictionaries(st.text(max_size=5), JSON, max_size=3), max_size=4), st.sampled_from([None, 0, 3]))
def test_an_array_and_lines_of_the_same_records_are_the_same(made: list[object], indent: int | None) -> None:
    as_array = values(json.dumps(made, indent=indent))
    as_lines = values("\n".join(json.dumps(one, indent=indent) for one in made))
    assert as_array == as_lines == made


@settings(max_examples=300)
@given(st.one_of(st.binary(max_size=200), st.text(alphabet='[]{}",:0a \n\\', max_size=60).map(str.encode)))
def test_no_bytes_raise_and_reading_ends(content: bytes) -> None:
    for found in read(content):
        assert (found.value is None) == bool(found.reason)
        assert found.line >= 1


def test_what_comes_before_and_after_garbage_is_read() -> None:
    garbage = bytes(random.Random(7).randrange(256) for _ in range(5_000)).replace(b"\n", b"").replace(b"{", b"")
    found = values(b'{"a": 1}\n' + garbage + b'\n{"b": 2}\n')
    assert found[0] == {"a": 1} and found[-1] == {"b": 2}


class Endless(io.RawIOBase):
    """A file of `size` bytes that is never held: one piece, over and over."""

    def __init__(self, before: bytes, piece: bytes, count: int) -> None:
        self._pieces = self._all(before, piece, count)
        self._rest = b""

    @staticmethod
    def _all(before: bytes, piece: bytes, count: int) -> Iterator[bytes]:
        yield before
        for _ in range(count):
            yield piece

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        self._rest = self._rest or next(self._pieces, b"")
        part, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)


RECORD = json.dumps({"hook_event_name": "Stop", "text": "x" * 2_000}).encode()
SHAPE_OF_MUCH = {
    "lines": (b"", RECORD + b"\n"),
    "an array on one line": (b"[", RECORD + b", "),
    "a pretty-printed array": (b"[\n", b"  {\n    " + RECORD[1:-1] + b"\n  },\n"),
    "pretty-printed objects": (b"", b"{\n  " + RECORD[1:-1] + b"\n}\n"),
    "one line that never ends": (b'{"a": "', b"x" * 2_000),
    "an element that never ends": (b'[{"a": "', b"x" * 2_000),
}


@pytest.mark.parametrize(("before", "piece"), SHAPE_OF_MUCH.values(), ids=SHAPE_OF_MUCH.keys())
def test_memory_does_not_grow_with_the_file(before: bytes, piece: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "RECORD_MAX_CHARS", 2**20)
    tracemalloc.start()
    try:
        count = sum(1 for _ in records(open_stream(io.BufferedReader(Endless(before, piece, 8_000)))))
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count in (8_000, 1)
    assert peak_bytes < 8 * 2**20


def test_a_record_of_tens_of_megabytes_is_one_record() -> None:
    big = {"text": "x" * (50 * 2**20)}
    found = read(f"{json.dumps(big)}\n{{}}\n")
    assert [one.value for one in found] == [big, {}]


MB = 2**20
# What costs every value a look at all the text behind or before it would take hours here.
HOSTILE = {
    "objects that never close": (b'{"a":\n', MB // 4),
    "arrays in objects that never close": (b'{"a":[\n', MB // 4),
    "values on one line": (b'{"a":1}', 2 * MB),
    "empty arrays and objects on one line": (b"[]{}", MB),
    "brackets": (b"[", MB),
    "brackets in brackets": (b"[{", MB),
    "brackets on lines": (b"[\n", MB),
    "scalars in an array": (b"[" + b"1," * 99, MB),
    "quotation marks": (b'"', 4 * MB),
    "quotation marks in an array": (b'["' + b'"' * 98, MB // 2),
    "backslashes": (b"\\", 4 * MB),
    "closing brackets": (b"[]]", 4 * MB),
    "commas": (b",", 4 * MB),
    "byte order marks": ("\ufeff{}\n".encode(), MB),
    "open braces on lines": (b"{\n", MB // 8),
    "bytes that are no UTF-8": (b"\xff\n", MB // 2),
    "damaged objects on one line": (b'[{"b":zz},', MB // 2),
    "damaged objects on lines": (b'{"b":zz}\n', MB // 2),
    "strings without an end": (b'{"a": "x\n', MB // 4),
    "lines": (b"x\n", MB // 2),
}


@pytest.mark.parametrize(("piece", "size"), HOSTILE.values(), ids=HOSTILE.keys())
def test_no_flood_hangs_the_reader(piece: bytes, size: int) -> None:
    for found in read(piece * (size // len(piece))):
        assert (found.value is None) == bool(found.reason)


BEGUN = {
    "a string that never ends": b'{"a": "',
    "a string in an array": b'["',
    "escapes that never end": b'{"a": "\\',
    "a damaged document before it": b'{\n"a":z\n}' + b" " * MB + b"x\n[",
    "many open objects over much that is whole": b'{"a":\n' * 800 + b"[" + b'{"b":\n1},' * (MB // 8) + b'zz\n["',
    "many open elements over much that is whole": b"[\n" + b'{"a":\n' * 800 + b'["' + b"x" * MB + b'"\n,zz\n["',
    "elements that hide their end": b"[" + b'\n{"a": "' * (MB // 64),
}


@pytest.mark.parametrize("before", BEGUN.values(), ids=BEGUN.keys())
def test_no_beginning_makes_what_follows_slow(before: bytes) -> None:
    assert read(before + b"\\" * MB + b'{"a":\n' * 1_000)


def test_what_is_whole_in_a_damaged_object_is_read() -> None:
    whole = '{\n"b": 1\n}\n'
    assert values('{"a": [1,\n' + whole * 3) == ["bad", {"b": 1}, {"b": 1}, {"b": 1}]
    assert values('{"a": {"c":\n' * 3 + '{"b":\n1},\n"x": zz\n{"d": 2}') == [*["bad"] * 3, {"b": 1}, "bad", {"d": 2}]


def test_a_value_is_tried_only_as_often_as_it_doubles(monkeypatch: pytest.MonkeyPatch) -> None:
    tried_chars = []

    def decode(text: str, at: int) -> tuple[object, int]:
        tried_chars.append(len(text) - at)
        return json.JSONDecoder().raw_decode(text, at)

    monkeypatch.setattr(reading, "_decode_one", decode)
    content = '{"a":\n' * 800 + '["' + "x" * MB
    read(content)
    assert sum(tried_chars) < 4 * len(content)


def test_a_string_behind_a_damaged_one_is_found_in_an_array() -> None:
    assert values('["a\tb", {"a": 1}, "a\n{"b": 2}]') == ["bad", {"a": 1}, "bad", {"b": 2}]


def test_what_is_only_a_beginning_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "RECORD_MAX_CHARS", 2 * MB)
    long = "x" * (3 * MB)
    for content in (f'{{"a": "{long}"}}', f'[{{"a": "{long}', '{"a":\n' + "1\n" * MB):
        assert read(content)[0].is_cut, content[:20]
    assert not any(found.is_cut for found in read('{"a": 1}\nx\n[1,"x'))


def test_what_is_packed_with_zstd_is_read_or_says_what_is_missing(tmp_path: Path) -> None:
    record = {"hook_event_name": "Stop", "n": 1}
    raw = json.dumps(record).encode() + b"\n"
    # One frame with one raw block, as RFC 8878 has it: magic, no checksum and one byte of size, the block's header.
    block = (len(raw) << 3 | 1).to_bytes(3, "little") + raw
    packed = tmp_path / "rollout-1.jsonl.zst"
    packed.write_bytes(b"\x28\xb5\x2f\xfd\x20" + bytes([len(raw)]) + block)
    assert recordings.find([str(tmp_path)]) == [str(packed)] and recordings.stem(str(packed)) == "rollout-1"
    with open(packed, "rb") as file:
        (found,) = reading.records(reading.open_stream(file))
    can = find_spec("zstandard") or sys.version_info >= (3, 14)
    assert found.value == record if can else "pip install zstandard" in found.reason
