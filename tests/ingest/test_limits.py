"""What of a payload is kept once and what is cut: nothing that was cut is silent, nothing that was repeated is lost."""

import json
import random
from pathlib import Path

import pytest

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
    assert len(text.encode()) <= most_bytes + 200
    json.loads(text)
    assert said["bytes"]


def test_what_fits_is_left_as_it_is() -> None:
    text = '{"a" : 1.50}'
    assert limits.cut(text, 1_024) == (text, {})
