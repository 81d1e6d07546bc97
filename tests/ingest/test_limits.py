"""What of a payload is kept once and what is cut: nothing that was cut is silent, nothing that was repeated is lost."""

import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyelet_ingest import limits

LONG = "line of a file\n" * 60
OTHER = 'über "alles" \\ ' * 60


def kept_once(payload: object, *, ascii_only: bool = False) -> tuple[str, dict[str, str]]:
    text = json.dumps(payload, ensure_ascii=ascii_only)
    return limits.without_repeats(text, payload)


def test_a_file_that_a_response_repeats_is_kept_once_and_its_place_is_named() -> None:
    payload = {"tool_input": {"content": LONG}, "tool_response": {"content": LONG, "type": "create"}}
    text, repeated = kept_once(payload)
    assert repeated == {"/tool_response/content": "/tool_input/content"}
    assert json.loads(text)["tool_response"] == {"content": "[the same as /tool_input/content]", "type": "create"}
    assert limits.expand(json.loads(text), repeated) == payload
    assert text.count("line of a file") == 60


@pytest.mark.parametrize("ascii_only", [False, True])
def test_what_is_repeated_can_be_given_back_however_it_is_spelt(ascii_only: bool) -> None:
    payload = {"a/b": {"~": OTHER}, "list": [OTHER, "short", [LONG, OTHER]], "c": LONG, "number": 1e5}
    text, repeated = kept_once(payload, ascii_only=ascii_only)
    assert repeated == {"/list/0": "/a~1b/~0", "/list/2/1": "/a~1b/~0", "/c": "/list/2/0"}
    assert limits.expand(json.loads(text), repeated) == payload


@pytest.mark.parametrize(
    "payload",
    [
        {"a": "x" * 511, "b": "x" * 511},
        {"a": LONG, "b": LONG + " "},
        {"a": LONG, LONG: 1, "b": LONG},
        {"a": LONG, "b": json.dumps(LONG)},
        [LONG],
    ],
    ids=["short", "not the same", "a key", "inside another", "once"],
)
def test_what_is_not_repeated_for_certain_stays(payload: object) -> None:
    text, repeated = kept_once(payload)
    assert (json.loads(text), repeated) == (payload, {})


def test_random_payloads_come_back() -> None:
    chance = random.Random(20260321)
    texts = [chance.choice('aä"\\\n\u2028😀') * chance.randrange(400, 700) for _ in range(6)]

    def made(levels: int) -> object:
        kind = chance.randrange(4 if levels else 1)
        if kind == 1:
            return {chance.choice("abc/~") + str(at): made(levels - 1) for at in range(chance.randrange(4))}
        if kind == 2:
            return [made(levels - 1) for _ in range(chance.randrange(4))]
        return chance.choice([*texts, 1, None, True, 0.5])

    for _ in range(300):
        payload = made(4)
        for ascii_only in (False, True):
            text, repeated = kept_once(payload, ascii_only=ascii_only)
            assert limits.expand(json.loads(text), repeated) == payload


def test_real_payloads_come_back(real: Path) -> None:
    smaller = 0
    for file in sorted(real.glob("hooks/*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            payload = json.loads(line)
            text, repeated = limits.without_repeats(line, payload)
            smaller += len(line) - len(text)
            assert limits.expand(json.loads(text), repeated) == payload
    assert smaller > 0


def test_a_payload_that_is_too_long_loses_the_ends_of_its_longest_texts_and_says_so() -> None:
    payload = {"tool_input": {"command": "cat big"}, "tool_response": {"stdout": "x" * 50_000, "stderr": "y" * 3_000}}
    text, said = limits.cut(json.dumps(payload), 10_000)
    value = json.loads(text)
    assert len(text.encode()) <= 10_000
    assert value["tool_input"] == payload["tool_input"]
    assert value["tool_response"]["stderr"] == "y" * 3_000
    stdout = value["tool_response"]["stdout"]
    assert stdout.startswith("xxx")
    assert stdout.endswith(f"…[cut: {stdout.count('x')} of 50000 characters]")
    assert said == {"bytes": len(json.dumps(payload)), "texts": 1}


@pytest.mark.parametrize(
    "payload",
    [
        {"a": ["x" * 400] * 500},
        {"n": list(range(60_000))},
        {"😀" * 9_000: "\n" * 90_000},
        "\\" * 99_999,
        [[["ä" * 70_000]]],
    ],
    ids=["many", "numbers", "a key", "a text", "deep"],
)
@pytest.mark.parametrize("most_bytes", [2_048, 20_480])
def test_whatever_is_too_long_becomes_json_that_fits(payload: object, most_bytes: int) -> None:
    text, said = limits.cut(json.dumps(payload, ensure_ascii=False), most_bytes)
    assert len(text.encode()) <= most_bytes
    json.loads(text)
    assert said["bytes"]


def test_what_fits_is_left_as_it_is() -> None:
    text = '{"a" : 1.50}'
    assert limits.cut(text, 1_024) == (text, {})


MARK = "[the same as /a]"
TEXTS = st.sampled_from(
    [LONG, OTHER, 'a "quote' * 80, MARK, "x" + MARK, "\\" * 600, "short", "é\u2028\x00" * 300, '"' + LONG]
)
KEYS = st.sampled_from(["a", "b", "a/b", "~", "~1", "0", "1", "", "é", MARK])
PAYLOADS = st.recursive(
    TEXTS | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(KEYS, inner, max_size=5),
)


@given(PAYLOADS, st.booleans())
def test_what_is_kept_once_is_given_back_whatever_it_was(payload: object, ascii_only: bool) -> None:
    before = json.dumps(payload, ensure_ascii=ascii_only)
    text, repeated = limits.without_repeats(before, payload)
    assert limits.expand(json.loads(text), repeated) == payload
    whole = limits.whole(text, json.dumps({"repeated": repeated}))
    assert json.loads(whole) == payload
    if not repeated:
        assert whole == before


@given(PAYLOADS, st.integers(1_024, 4_096))
def test_whatever_is_cut_is_json_within_its_limit(payload: object, most_bytes: int) -> None:
    text, _ = limits.cut(json.dumps(payload, ensure_ascii=False), most_bytes)
    assert len(text.encode()) <= most_bytes
    json.loads(text)


@pytest.mark.parametrize(
    "meta",
    [
        '{"repeated": 1}',
        '{"repeated": {"": "/a"}}',
        '{"repeated": {"/a": "/nowhere"}}',
        '{"repeated": {"/b/99999999999999999999": "/a"}}',
        '{"repeated": {"/b": null, "/c/0": "/a"}}',
        '{"repeated": {"/a": "/a"}}',
        '"repeated"',
        '{"repeated"',
    ],
)
def test_a_row_that_lies_about_what_it_repeats_is_shown_as_it_is(meta: str) -> None:
    text = '{"a": "' + "x" * 600 + '", "b": ["y"], "c": 1e5}'
    assert json.loads(limits.whole(text, meta)) == json.loads(text)
    assert limits.whole("no JSON", meta) == "no JSON"


def test_what_is_given_back_changes_no_number_beside_it() -> None:
    before = json.dumps({"a": LONG, "b": LONG})[:-1] + ', "n": 1.500, "m": ' + "9" * 40 + "}"
    text, repeated = limits.without_repeats(before, {"a": LONG, "b": LONG})
    assert repeated
    assert limits.whole(text, json.dumps({"repeated": repeated})) == before
