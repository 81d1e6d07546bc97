"""What redaction leaves out to be fast, it may leave out: parts of shapes, strings and runs that were seen before."""

from random import Random

import pytest

from eyelet_ingest import redaction, redaction_commands, redaction_gate, redaction_providers, redaction_runs
from eyelet_ingest.patterns import A, compiled
from tests.corpus.generated import matching

pytestmark = pytest.mark.store

SAMPLES = 40
KEY = b"k" * 32
TOKEN = "ghp_" + "Ab1Cd2Ef3G" * 4
SPOKEN = {"uth": ("auth=('bob', 'abc1')", 'auth = ("bob", "abc1")', "HTTPBasicAuth('bob', 'abc1')")}
PARTED_SHAPES = [row for row in redaction_providers.SHAPES if row[1] in redaction_providers.PARTS]
PARTED_COMMANDS = [row for row in redaction_commands._COMMANDS if row[1] in redaction_commands._PARTS]


@pytest.mark.parametrize("row", PARTED_SHAPES, ids=lambda row: f"{row[0]} {row[1]}")
def test_where_a_shape_is_its_part_is(row: tuple[str, str, str]) -> None:
    rng = Random(5)
    part = compiled(redaction_providers.PARTS[row[1]], A)
    assert all(part.search(matching(row[2], rng)) for _ in range(SAMPLES))


@pytest.mark.parametrize("row", PARTED_COMMANDS, ids=lambda row: f"{row[0]} {row[1]}")
def test_where_a_command_is_its_part_is(row: tuple[str, str, str]) -> None:
    rng = Random(5)
    part = compiled(redaction_commands._PARTS[row[1]], A)
    made = SPOKEN.get(row[1]) or [matching(row[2], rng) for _ in range(SAMPLES)]
    assert all(compiled(row[2], A).search(text) and part.search(text) for text in made)


def test_every_part_belongs_to_a_rule() -> None:
    assert {row[1] for row in PARTED_SHAPES} == set(redaction_providers.PARTS)
    assert {row[1] for row in PARTED_COMMANDS} == set(redaction_commands._PARTS)


def test_no_secret_is_remembered_as_harmless_and_what_is_comes_back_as_it_is() -> None:
    redactor = redaction.Redactor(KEY)
    for _ in range(2):
        assert redactor.text("/home/someone/work") == "/home/someone/work"
        assert TOKEN not in redactor.text(f"use {TOKEN}")
    assert "/home/someone/work" in redactor._harmless
    assert not any(TOKEN in text for text in redactor._harmless)


def test_a_string_is_judged_by_the_name_it_stands_under_whatever_is_remembered_of_it() -> None:
    redactor = redaction.Redactor(KEY)
    word = "correct-horse-7"
    safe = redactor.value({"title": word, "password": word, "titles": [word, {"db_password": word}]})
    assert isinstance(safe, dict)
    assert safe["title"] == word and safe["titles"][0] == word
    assert safe["password"] == safe["titles"][1]["db_password"] == redactor.marker("password", word)


def test_what_is_remembered_has_an_end() -> None:
    redactor = redaction.Redactor(KEY)
    for number in range(redaction.MOST_KEYS + 100):
        redactor.text(f"path {number}")
    redactor.text("long " * redaction.KEY_MAX_CHARS)
    assert len(redactor._harmless) <= redaction.MOST_KEYS
    assert max(map(len, redactor._harmless)) <= redaction.KEY_MAX_CHARS


def test_a_run_that_is_no_token_in_one_text_may_be_one_in_the_next() -> None:
    run = "a1b2c3d4e5f6a1b2c3d4e5f6a1b2c3d4"
    texts = [f"id {run} x", f"id {run} x", f"GET 1/1234567890:{run} x", f"id {run} x"]
    assert redaction_gate.suspects(texts, redaction.Redactor()) == {2}


def test_percent_encoding_is_undone_for_printable_ascii_tabs_and_line_ends_alone() -> None:
    from eyelet_ingest.redaction_probes import _percent_char

    spelt = {9, 10, 13, *range(32, 128)}
    for code in range(256):
        for digits in (b"%02x" % code, b"%02X" % code):
            assert _percent_char(digits) == (bytes((code,)) if code in spelt else b"%" + digits)
    for torn in (b"", b"2", b"2g", b"g2", b" 2", b"+2", b"2_"):
        assert _percent_char(torn) == b"%" + torn


def test_a_table_tells_its_characters_from_all_others() -> None:
    table = redaction_runs._table(b"ab", 7, 3)
    assert [table[code] for code in (96, 97, 98, 99, 0, 255)] == [3, 7, 7, 3, 3, 3]
    assert len(table) == 256
