"""Hostile characters never reach the reader as themselves."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from datasette_eyelet.visible import one_line, visible

JOINERS = {"\u200c", "\u200d"}  # Persian and family emoji need them


@given(st.text(st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp"])))
def test_no_control_format_or_surrogate_character_survives(text: str) -> None:
    for char in visible(text):
        # What is left of these categories are Arabic number signs and the like, which people write and see.
        assert unicodedata.category(char) not in ("Cc", "Cs", "Zl", "Zp") or char in "\n\t"
        assert unicodedata.bidirectional(char) not in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_what_people_write_stays_as_it_is(text: str) -> None:
    invisible_letters = "\u115f\u1160\u3164\uffa0"
    assert visible(text) == text or any(char in invisible_letters for char in text)


def test_an_override_is_shown_as_its_escape() -> None:
    assert visible("rm \u202efdp.exe") == "rm \\u202efdp.exe"
    assert visible("\x1b[31mred\x1b[0m") == "\\x1b[31mred\\x1b[0m"
    assert visible("a\r\nb\rc") == "a\nb\\x0dc"
    assert visible("\ud800") == "\\ud800"
    assert visible("tag \U000e0041") == "tag \\U000e0041"


def test_joined_emoji_stay_joined() -> None:
    assert visible("👩\u200d💻") == "👩\u200d💻"


def test_a_line_is_cut_and_says_so() -> None:
    assert one_line("a\n  b\tc", 10) == "a b c"
    assert one_line("x" * 11, 10) == "x" * 10 + "…"
    assert one_line("x" * 1_000_000, 10) == "x" * 10 + "…"
    assert one_line(" " * 50 + "late", 10).endswith("…")
