"""Asking of many texts at once whether they may hold a secret is asking of each, whatever they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyelet_ingest import redaction, redaction_gate, redaction_probes, redaction_runs

pytestmark = pytest.mark.store

REDACTOR = redaction.Redactor()

ASCII = [chr(code) for code in range(128)]
STEMS = ["token", "auth", "pass", "pwd", "passw", "/passw", "passwd", "/passwd", "key", "api_key", "api-key", "sshpass"]
COMMANDS = ["curl -u a:b", "curl --user a:b", "mysql -psecond", "sshpass -p x", "login x password y"]
ADDRESSES = [
    "https://user:word@host/",
    "https:\\/\\/user:word@host",
    "://a b@c",
    "://a/b@c",
    "hooks.slack.com",
    "/webhooks",
]
RUNS = ["a" * 29, "a" * 30, "0123456789abcdef" * 2, "0123456789abcdef" * 2 + "g", "sk-" + "a" * 15, "sk-" + "a-_9" * 4]
LITERALS = [
    literal.decode()
    for literal in (
        *redaction_probes._PROBES,
        *redaction_probes._NAMES,
        *redaction_runs.AT_RUNS,
        *redaction_runs.BEFORE_RUNS,
        *redaction_probes._KEY_NAMES,
        *redaction_probes._TRAILING,
        *redaction_probes._PRINTABLE_ESCAPES,
        *(
            b":AA",
            b"1//0",
            b"SG.",
            b"FlyV1",
            b"Q~",
            b"&sig=",
            b"?sig=",
            b"SK",
            b"bearer",
            b"authorization",
            b"webhookb2",
        ),
        *(b"passphrase", b"passcode", b"value:", b"PASS", b"bypass", b"--"),
    )
]
FRAGMENTS = [*STEMS, *COMMANDS, *ADDRESSES, *RUNS, *LITERALS, *(literal.upper() for literal in LITERALS)]


def alone(texts: list[str]) -> set[int]:
    return {at for at, text in enumerate(texts) if redaction.may_hold_secret(text)}


def test_every_literal_is_known_in_every_case_and_beside_a_run() -> None:
    texts = [
        form
        for fragment in FRAGMENTS
        for case in (fragment, fragment.lower(), fragment.upper(), fragment.title())
        for form in (case, case + "a" * 32, "a" * 32 + " " + case + " x", f'{{"{case}": "{case}"}}', "\u212a" + case)
    ]
    told = alone(texts)
    assert redaction_gate.suspects(texts, REDACTOR) == told
    assert 0 < len(told) < len(texts)


@pytest.mark.parametrize("stem", STEMS)
def test_every_character_on_either_side_of_a_name_tells_the_same(stem: str) -> None:
    texts = [
        f"{before}{stem}{behind}= x"
        for before in (*ASCII, "")
        for behind in (*ASCII, "", "_old", "-2", "\\n", "\\t", "\nvalue:")
    ]
    assert redaction_gate.suspects(texts, REDACTOR) == alone(texts)


@pytest.mark.parametrize("name", [name.decode() for name in redaction_probes._KEY_NAMES])
def test_every_character_between_the_words_of_a_key_tells_the_same(name: str) -> None:
    texts = [f"x{name[:-3]}{joint}key" for joint in (*ASCII, "", "--", " . ")]
    told = alone(texts)
    assert redaction_gate.suspects(texts, REDACTOR) == told
    assert told


@given(
    st.lists(st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=6)), max_size=5).map("".join), max_size=6)
)
def test_each_of_many_texts_is_judged_by_itself(texts: list[str]) -> None:
    assert redaction_gate.suspects(texts, REDACTOR) == alone(texts)


def test_a_literal_that_two_texts_share_is_in_neither() -> None:
    assert redaction_gate.suspects(["tok", 'en": 1', "ghp", "_" + "a" * 36], REDACTOR) == set()
    assert redaction_gate.suspects([], REDACTOR) == set()


@pytest.mark.parametrize("part", ["://", "://@", "key ", "token ", "x", "q", "sk-", "@", "\\u00", "A", "_", "."])
def test_a_megabyte_of_one_thing_is_done(part: str) -> None:
    text = part * (2**20 // len(part))
    assert redaction_gate.suspects(["a", text, "b"], REDACTOR) == ({1} if redaction.may_hold_secret(text) else set())
