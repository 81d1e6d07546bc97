"""One secret of each kind that redaction finds, to be planted; and the search for what is left of them, in every byte."""

import gzip
import json
import lzma
import re
import sqlite3
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

from eyelet_ingest.redaction import Redactor
from eyelet_ingest.store import connect
from tests.corpus.lines import BARE, NAMED_QUOTED
from tests.corpus.places import PLACES
from tests.corpus.shapes import ALNUM, SHAPES, run
from tests.corpus.told import TOLD

TRIES = 12
LEAST_CHARS = 10
WHOLE_RUN = 14  # letters and digits in a row that a text index would keep as one word


@dataclass(frozen=True, slots=True)
class Planted:
    """A text, and the secret in it that nothing may keep."""

    kind: str
    text: str
    secret: str


def planted(seed: int) -> list[Planted]:
    """One of each kind; a kind of which redaction finds none in several tries is left out (the corpus tells that)."""
    rng, redactor, found = Random(seed), Redactor(), []
    for kind, candidates in _candidates(rng):
        for text, secret in candidates:
            if len(secret) >= LEAST_CHARS and secret not in redactor.text(text):
                found.append(Planted(kind, text, secret))
                break
    return found


def _candidates(rng: Random) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    for kind, makers in SHAPES.items():
        values = [rng.choice(makers)(rng) for _ in range(TRIES)]
        yield (
            kind,
            [(BARE["echo-quoted"](rng, "", value), value.split("\n")[-2 if "\n" in value else 0]) for value in values],
        )
    for kind, (names, make) in TOLD.items():
        values = [make(rng, False) for _ in range(TRIES)]
        yield kind, [(NAMED_QUOTED["json-compact"](rng, rng.choice(names), value), value) for value in values]
    for kind, places in PLACES.items():
        written = [rng.choice(places)(rng) for _ in range(TRIES)]
        yield f"{kind} in place", [(one.text, one.secrets[-1].strip("\n").split("\n")[-1]) for one in written]


def a_token(seed: int) -> str:
    """A token of one known shape, for fields that hold one word."""
    return "ghp_" + run(Random(seed), ALNUM, 36)


def forms(secret: str) -> set[bytes]:
    """The bytes in which a secret could stand: plain, behind JSON's and URLs' escapes, in base64, UTF-16, as a word."""
    raw = secret.encode()
    as_json = json.dumps(secret)[1:-1]
    found = {raw, as_json.encode(), json.dumps(as_json)[1:-1].encode(), quote(secret, safe="").encode()}
    found |= {secret.encode("utf-16-le"), secret.encode("utf-16-be"), raw.hex().encode()}
    for shift in range(3):
        whole = (b"\0" * shift) + raw
        for encode in (b64encode, urlsafe_b64encode):
            found.add(encode(whole)[4 if shift else 0 : len(whole) // 3 * 4])
    longest = max(re.findall(r"[A-Za-z0-9]+", secret), key=len, default="")
    if len(longest) >= WHOLE_RUN:
        found |= {longest.encode(), longest.lower().encode()}
    return found


def traces(secrets: "Iterable[Planted]", folders: "Iterable[Path | str]", *outputs: "str | bytes") -> list[str]:
    """Where one of the secrets still is: `kind in file`. Packed files are unpacked, databases read row by row, too."""
    haystacks = [("an output", text.encode() if isinstance(text, str) else text) for text in outputs]
    for folder in folders:
        for path in sorted(Path(folder).rglob("*")):
            haystacks.append(("a name", str(path.relative_to(folder)).encode()))
            if path.is_file() and not path.is_symlink():
                haystacks += [(str(path), content) for content in _contents(path)]
    found = []
    for one in secrets:
        wanted = forms(one.secret)
        found += [f"{one.kind} in {name}" for name, content in haystacks if any(form in content for form in wanted)]
    return found


def _contents(path: Path) -> Iterator[bytes]:
    raw = path.read_bytes()
    yield raw
    if raw[:2] == b"\x1f\x8b":
        yield gzip.decompress(raw)
    if raw[:6] == b"\xfd7zXZ\0":
        raw = lzma.decompress(raw)
        yield raw
    if raw[:15] == b"SQLite format 3" and not path.name.endswith(".xz"):
        yield "\n".join(_rows(path)).encode("utf-8", "surrogateescape")


def _rows(path: Path) -> Iterator[str]:
    """Every value of every table: a long one lies on several pages, and a secret in it could be cut by a page's end."""
    conn: Any = connect.driver().connect(f"file:{quote(str(path))}?mode=ro", uri=True)
    conn.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
    try:
        names = [name for (name,) in conn.execute("select name from sqlite_master where type = 'table'")]
        for name in names:
            for row in conn.execute(f'select * from "{name}"'):
                for value in row:
                    yield value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)
    except (conn.Error, sqlite3.Error):
        return  # no database after all, or one of another program's making: its bytes were looked at
    finally:
        conn.close()
