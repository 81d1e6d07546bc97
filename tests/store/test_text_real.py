"""Real recordings: each word of what was said, run, asked and printed finds its events, and finds no others.

Counted by other code: payloads walked with `json`, words parted by Unicode's own categories.
"""

import json
import random
import re
import unicodedata
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from click.testing import CliRunner

from eyelet_ingest.cli import cli
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
from eyelet_ingest.store.text_query import is_wide

LINES = 150  # of each recording
WORDS = 400  # looked for
# Where people look: under these names whatever is text has to be found.
SAID = ("command", "file_path", "pattern", "prompt", "stdout", "stderr", "text", "thinking", "description")
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\", "/": "/"}
ALNUM = re.compile(r"[a-z0-9]{2,40}")


@pytest.fixture(params=["hooks", "transcripts"])
def recorded(request: pytest.FixtureRequest, real: Path, root: str, tmp_path: Path) -> Iterator[Store]:
    for file in sorted((real / request.param).glob("*.jsonl")):
        some = tmp_path / file.name
        with file.open(encoding="utf-8") as lines:
            some.write_text("".join(islice(lines, LINES)), encoding="utf-8")
        done = CliRunner().invoke(cli, ["ingest", str(some), "--root", root])
        assert done.exit_code == 0, done.output
    with Store(root) as store:
        yield store


def strings(value: object, name: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a payload with the name it stands under."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from strings(one, key)
    elif isinstance(value, list):
        for one in value:
            yield from strings(one, name)
    elif isinstance(value, str):
        yield name, value


def folded(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).lower()
    return "".join(char for char in plain if not unicodedata.combining(char))


def words_of(text: str) -> set[str]:
    """Words of plain letters and digits, both ends of which are no part of a longer one."""
    parts = "".join(char if unicodedata.category(char)[0] in "LNM" or char in "\u00ad" else " " for char in text)
    return {word for word in folded(parts).split() if ALNUM.fullmatch(word)}


def held_by(text: str) -> set[str]:
    """All words of a payload as it is stored, behind the escapes of JSON, and of JSON that a text of it holds."""
    found = words_of(text)
    for _ in range(3):
        text = re.sub(r"\\(u[0-9a-f]{4}|.)", lambda one: ESCAPES.get(one[1], " "), text, flags=re.DOTALL)
        found |= words_of(text)
    return found


def is_plain(text: str) -> bool:
    """Nothing that is left out on purpose, or of which no computer knows the words."""
    long = re.search(r"[A-Za-z0-9+/=_-]{200}", text)
    return not long and not is_wide(text) and text.isprintable() and text.isascii()


@pytest.mark.parametrize("built", [False, True], ids=["read", "indexed"])
def test_each_word_finds_its_events_and_no_others(recorded: Store, built: bool) -> None:
    rows = recorded.search(Filter(), limit=5_000).rows
    assert len(rows) > 100
    if built:
        for key in recorded.catalog.partitions():
            recorded.text_build(key)
    wanted: dict[str, set[int]] = {}
    held: dict[int, set[str]] = {}
    for row in rows:
        number, data = int(str(row["id"])), json.loads(str(row["data"]))
        held[number] = held_by(f"{row['data']} {row['meta']}")
        for name, text in strings(data):
            if name in SAID and is_plain(text):
                for word in words_of(text):
                    wanted.setdefault(word, set()).add(number)
    some = random.Random(7).sample(sorted(wanted), min(WORDS, len(wanted)))
    assert len(some) > 100
    for word in some:
        found = {int(str(row["id"])) for row in recorded.search(Filter(text=f'"{word}"'), limit=5_000).rows}
        assert wanted[word] <= found, f"{word} misses {sorted(wanted[word] - found)[:3]}"
        others = [number for number in found if word not in held[number]]
        assert not others, f"{word} finds {others[:3]}, which do not hold it"
