"""Patterns of the user: as good as our own rules, never slow, and a value that is allowed stays.

No string here is a credential, or looks like one to a scanner: prefixes and bodies are joined at run time.
"""

import json
import random
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from eyelet_ingest import own_patterns, redaction_gate, redactors, settings
from eyelet_ingest.cli import cli
from eyelet_ingest.errors import BadInput
from eyelet_ingest.redaction import Redactor

KEY = b"k" * 32
GOOD = {
    "acme-key": r"ACME-[A-Z0-9]{20}",
    "build-token": r"(?i)build note:\s*(?P<secret>\S{8,64})",
    "badge": r"\b\d{3}-\d{2}-\d{4}\b",
    "mail": r"[\w.-]{1,20}@acme\.example",
    "quoted": r'pin="(?P<secret>[^"]{4,100})"',
    "line": r"^hush .{3,}",
    "end": r"[0-9]{3}(?![0-9])",
    "either": r"(?:red|green|blue) moon(?: rises)?",
}
SLOW = [
    r"(?:x+)+abc",
    r"(?:x|xx)+abc",
    r"(?:x|y)*abc",
    r"abc(?:x?y?){1,9}z",
    r"abc.*def.*ghi",
    r"\w+@acme",
    r"abcx{1,30}x{1,30}x{1,30}y",
    r"[a-z]{1,200}abc",
    r"(?=x*y)abc",
    r"(abc)\1",
    r"(?:a(?:b+c){2,5}){2,5}def",
]


def redactor(patterns: dict[str, str] | None = None, allowed: list[str] | None = None, key: bytes = KEY) -> Redactor:
    return Redactor(key, own_patterns.compiled(patterns or {}), own_patterns.compiled_allowed(allowed or []))


def write_settings(text: str) -> Path:
    path = Path(settings.global_file())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", GOOD)
def test_a_good_pattern_is_taken(name: str) -> None:
    own_patterns.check_pattern(name, GOOD[name], "here")


@pytest.mark.parametrize(
    ("text", "gone", "kind"),
    [
        ("the key ACME-A1B2C3D4E5F6G7H8I9J0, see", "ACME-A1B2C3D4E5F6G7H8I9J0", "acme-key"),
        ("Build Note: hush-hush-9 now", "hush-hush-9", "build-token"),
        ("it is 123-45-6789.", "123-45-6789", "badge"),
        ("write to ann.x@acme.example now", "ann.x@acme.example", "mail"),
        ('<a pin="k 1 2 3">', "k 1 2 3", "quoted"),
        ("a blue moon rises on", "blue moon rises", "either"),
    ],
)
def test_what_a_pattern_finds_goes_and_of_it_only_the_group_named_secret(text: str, gone: str, kind: str) -> None:
    mine = redactor(GOOD)
    expected = text.replace(gone, mine.marker(kind, gone))
    assert mine.may_hold(text)
    assert mine.text(text) == expected
    assert mine.value({"a": [text], text: 1}) == {"a": [expected], expected: 1}
    assert Redactor(KEY).text(text) == text


def test_our_own_rules_come_first_so_that_no_pattern_leaves_half_of_a_token() -> None:
    token = "gh" + "p_" + "aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zC" + "1234"
    assert redactor({"half": "aB3dE5"}).text(token) == Redactor(KEY).text(token)


texts = st.text(st.sampled_from('ABab01 .-@:"\n\\/<\u00e9\u017f\u212a'), max_size=20) | st.sampled_from(
    [
        *("ACME-" + "A1B2" * 5, "BUILD NOTE: ", "build note:\tx", "123-45-6789", "@acme.example", 'pin="', "hush "),
        *("123", "000", "moon", "red moon", "[redacted:badge]", "[redacted:badge:a1b2c3]", "[redacted:"),
    ]
)


@given(st.lists(texts, max_size=8), st.booleans())
def test_the_laws_hold_with_patterns_too(pieces: list[str], is_ascii: bool) -> None:
    mine, text = redactor(GOOD), "".join(pieces)
    spelt = json.dumps({"a": text}, ensure_ascii=is_ascii)
    for one in (spelt, spelt.replace("/", "\\/")):
        if mine.value({"a": text}) != {"a": text}:
            assert mine.may_hold(one) and redaction_gate.suspects([one], mine) == {0}
    once = mine.text(text)
    assert mine.text(once) == once
    assert (once is text) or mine.may_hold(text)
    assert mine.value(mine.value({text: text})) == mine.value({text: text})
    damaged = mine.damaged(spelt[:-2])
    assert mine.damaged(damaged) == damaged


def test_a_pattern_that_brings_more_of_itself_to_light_takes_all_of_it() -> None:
    mine = redactor({"end": r"[0-9]{3}(?![0-9])"})
    once = mine.text("a " + "7" * 1000 + " b")
    assert "7" * 3 not in re.sub(r"\[redacted:end:[0-9a-f]{6}\]", "", once)
    assert mine.text(once) == once


@pytest.mark.parametrize("pattern", SLOW)
def test_a_pattern_that_can_be_slow_is_refused(pattern: str) -> None:
    with pytest.raises(BadInput) as bad:
        own_patterns.check_pattern("x", pattern, "here")
    assert bad.value.hint and pattern not in str(bad.value)


ATOMS = ["a", "b", "[ab]", "[^a]", ".", r"\w", r"\s", "(?:ab)", "(?:a|b)", "(?:a|ab)", "abc", r"\b", "(?=a)", "-"]
REPEATS = ["", "", "", "*", "+", "?", "{2}", "{1,9}", "{1,100}", "*?", "+?", "{0,30}"]


@given(st.lists(st.tuples(st.sampled_from(ATOMS), st.sampled_from(REPEATS)), min_size=1, max_size=6), st.randoms())
def test_whatever_is_taken_comes_to_an_end_on_any_text(parts: list[tuple[str, str]], dice: random.Random) -> None:
    """Texts made of what the pattern is made of; one that goes back and back would not come to an end here."""
    pattern = "".join(atom + repeat for atom, repeat in parts)
    try:
        own_patterns.check_pattern("x", pattern, "here")
    except BadInput:
        return
    mine = redactor({"x": pattern})
    for unit in ("a", "ab", "abc", "b", "aab", "-", "a ", "".join(dice.choices("ab c-", k=7))):
        mine.text("abc" + unit * (6_000 // len(unit)) + "!")


@pytest.mark.parametrize("name", GOOD)
def test_a_long_hostile_text_is_gone_through_once(name: str) -> None:
    mine = redactor({name: GOOD[name]})
    for unit in (
        "ACME-",
        "build note:",
        "build note: ",
        "1-",
        "123-45-",
        "a@",
        "a.",
        'pin="',
        "hush ",
        "1",
        "red ",
        "\n",
    ):
        mine.text(unit * (200_000 // len(unit)))


def test_a_value_that_is_allowed_stays_by_itself_and_by_a_pattern_of_all_of_it() -> None:
    example = "AK" + "IA" + "IOSFODNN7EXAMPLE"
    mine = redactor(allowed=[example, "/test-[a-z0-9]{4,40}/", 'p"w/x y'])
    assert mine.text(f"key {example}") == f"key {example}"
    assert "[redacted:aws" in mine.text(f"key {example[:-1]}Z")
    for kept in ({"password": "test-hunter2"}, {"password": 'p"w/x y'}, {"token": [example]}):
        assert mine.value(kept) == kept
        assert mine.text(json.dumps(kept)) == json.dumps(kept)
    assert "hunter2" not in mine.text("DB_PASSWORD=test-hunter2-AND-MORE")
    assert mine.value({"pin": 1, "password": 4711}) == {"pin": 1, "password": mine.marker("password", "4711")}
    assert redactor(allowed=["4711"]).value({"password": 4711}) == {"password": 4711}


def test_a_private_key_and_private_words_never_stay() -> None:
    block = "-----BEGIN PRIV" + "ATE KEY-----\n" + "aB3dE5gH" * 8 + "\n-----END PRIV" + "ATE KEY-----"
    mine = redactor(allowed=[block, "kestrel"])
    assert mine.text(block) == mine.marker("private-key", block) != block
    assert "kestrel" not in mine.text("<private>kestrel</private>")


WRONG = [
    (
        "redaction:\n  patterns:\n    ok: 'abcd'\n    Bad_Name: 'abcd'",
        4,
        "redaction.patterns cannot have the name 'Bad_Name'",
    ),
    ("redaction:\n  patterns:\n    private: 'abcd'", 3, "redaction.patterns cannot have the name 'private'"),
    ("redaction:\n  patterns:\n    a: '(hunter'", 3, "redaction.patterns.a is no regular expression, at character 1"),
    ("redaction:\n  patterns:\n    a: 'ab'", 3, "redaction.patterns.a can match fewer than 3 characters"),
    ("redaction:\n  patterns:\n    a: 12", 3, "redaction.patterns.a is no text"),
    ("redaction:\n  patterns:\n    a: 'b'\n    a: 'c'", 4, "a stands there twice"),
    (
        "redaction:\n  patterns:\n    a: '(?:x+)+hunter'",
        3,
        "redaction.patterns.a has a repeat, or alternatives, in a repeat",
    ),
    ("redaction:\n  patterns:\n    a: 'a.*hunter.*b'", 3, "redaction.patterns.a repeats something without end"),
    ("redaction:\n  patterns: [a]", 2, "redaction.patterns cannot be"),
    ("redaction:\n  allow: hunter", 2, "redaction.allow cannot be"),
    ("redaction:\n  allow:\n    - good\n    - ''", 4, "redaction.allow cannot have this value"),
    ("redaction:\n  allow:\n    - /.*/", 3, "redaction.allow can match fewer than 3 characters"),
    ("redaction:\n  allow:\n    - /[a-z]{3,}/", 3, "redaction.allow has a pattern that would let too much stay"),
]


@pytest.mark.parametrize(("text", "line", "said"), WRONG)
def test_what_is_wrong_is_named_with_its_own_line_and_never_quoted(text: str, line: int, said: str) -> None:
    path = write_settings(text)
    for asked in (settings.effective, redactors.own):
        with pytest.raises(BadInput) as bad:
            asked()  # type: ignore[operator]
        assert str(bad.value).startswith(f"read settings {path}:{line}: {said}")
    done = CliRunner().invoke(cli, ["config", "show"])
    assert done.exit_code == 2 and f"{path}:{line}: {said}" in done.stderr
    assert "hunter" not in done.stderr


def test_the_commands_that_bring_something_in_refuse_to_do_it_without_the_patterns(root: str, tmp_path: Path) -> None:
    write_settings("redaction:\n  patterns:\n    a: '(b'")
    file = tmp_path / "a.jsonl"
    file.write_text('{"hook_event_name": "Stop", "session_id": "s"}\n')
    for words in (["ingest", str(file), "--root", root], ["log", "hello", "--root", root]):
        done = CliRunner().invoke(cli, words)
        assert done.exit_code == 2 and "redaction.patterns.a is no regular expression" in done.stderr, words


def test_config_show_says_which_there_are_and_which_are_asked_of_every_text() -> None:
    path = write_settings(
        "redaction:\n  patterns:\n    acme-key: 'ACME-[A-Z]{9}'\n    any: '[a-z]{3}[0-9]{3}'\n"
        "  allow: [a b, '/x-yz.{3}/']\n"
    )
    done = CliRunner().invoke(cli, ["config", "show"])
    assert done.exit_code == 0
    line = next(one for one in done.stdout.splitlines() if one.startswith("redaction.patterns"))
    assert "acme-key=ACME-[A-Z]{9}" in line and line.endswith(f"{path}:2")
    assert any(one.startswith("redaction.allow") and "a b, /x-yz.{3}/" in one for one in done.stdout.splitlines())
    assert "redaction.patterns.any is asked of every text" in done.stderr and "acme-key is" not in done.stderr
    told = json.loads(CliRunner().invoke(cli, ["config", "show", "--json"]).stdout)
    assert {"name": "redaction.allow", "value": ["a b", "/x-yz.{3}/"], "origin": f"{path}:5"} in told


def test_a_project_may_neither_add_nor_allow_anything(tmp_path: Path) -> None:
    project = tmp_path / "cloned"
    project.mkdir()
    for said in ("patterns:\n    a: abcd", "allow: [abcd]"):
        (project / "eyelet.yaml").write_text(f"redaction:\n  {said}\n")
        with pytest.raises(BadInput) as bad:
            settings.effective(str(project))
        assert "cannot be set by a project" in str(bad.value)
