"""`<private>…</private>`: nothing of what is between, nor of the tags, is in what is stored."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyelet_ingest.redaction import Redactor
from eyelet_ingest.redaction_gate import suspects

REDACTOR = Redactor(b"k" * 32)
WORD = "kestrel flies"
MARK = REDACTOR.marker("private", WORD)


@pytest.mark.parametrize(
    "text",
    [
        "a <private>{}</private> b",
        "a <Private>{}</PRIVATE> b",
        "a <private>\n  {}\n</private> b",
        "a <private>{}<\\/private> b",
        "a \\u003cprivate\\u003e{}\\u003c/private\\u003e b",
        "a \\\\\\u003Cprivate\\\\\\u003E{}\\\\\\u003C\\u002fprivate\\\\\\u003E b",
    ],
)
def test_what_is_between_the_tags_goes_and_they_too(text: str) -> None:
    assert REDACTOR.may_hold(text)
    assert REDACTOR.text(text.format(WORD)) == f"a {MARK} b"


def test_one_that_is_not_closed_goes_to_the_end_of_its_string_and_no_further() -> None:
    value = {"prompt": f"a <private>{WORD}", "next": "b </private> c"}
    assert REDACTOR.value(value) == {"prompt": f"a {MARK}", "next": "b </private> c"}


def test_nested_and_repeated_ones_go_whole() -> None:
    text = f"<private>{WORD}</private> a <private>x <private>{WORD}</private> y</private> b <private>{WORD}</private>"
    safe = REDACTOR.text(text)
    assert safe.startswith(f"{MARK} a [redacted:private:") and safe.endswith(f"] b {MARK}")
    assert "kestrel" not in safe and "x" not in safe and "y" not in safe.replace("]", "")[35:]


def test_a_secret_in_private_words_has_no_marker_of_its_own() -> None:
    token = "gh" + "p_" + "aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zC" + "1234"
    assert REDACTOR.text(f"<private>it is {token}</private>") == REDACTOR.marker("private", f"it is {token}")


def test_what_only_looks_like_a_tag_stays() -> None:
    for text in ("</private> a", "<private", "private>", "<privates>a</privates>", "a private> thing", "<private a>b"):
        assert REDACTOR.text(text) == text


parts = st.lists(
    st.sampled_from(["<private>", "</private>", "<PRIVATE>", "\\u003cprivate\\u003e", "a", '"', "\n", "\\", "<", ">"])
)


@given(parts, st.booleans())
def test_it_holds_in_json_in_texts_and_in_damaged_ones_and_redacting_twice_is_once(
    pieces: list[str], ascii_: bool
) -> None:
    text = "".join(pieces)
    spelt = json.dumps({"a": text}, ensure_ascii=ascii_)
    once = REDACTOR.value({"a": text})
    assert REDACTOR.value(once) == once
    assert once == {"a": REDACTOR.text(text)}
    if once != {"a": text}:
        assert REDACTOR.may_hold(spelt) and suspects([spelt], REDACTOR) == {0}
    damaged = REDACTOR.damaged(spelt[:-1])
    assert REDACTOR.damaged(damaged) == damaged


@pytest.mark.parametrize("piece", ["<private>", "</private>", "<private></private>", "\\", "\\\\u003c", "<private"])
def test_a_long_hostile_text_is_gone_through_once(piece: str) -> None:
    """A rule that goes over a part again and again would not come to an end here."""
    once = REDACTOR.text("private>" + piece * 200_000)
    assert REDACTOR.text(once) == once
