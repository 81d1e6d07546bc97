"""One row, cleaned of what is to go: which of its values that changes, and which are left alone as they name it.

Who says what goes (a pattern, the rules) is above the store, and comes as a `Cleaning`.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from eyelet_ingest.errors import BadInput
from eyelet_ingest.jsontext import dumps, has_duplicate_keys, parse, parse_numbers_as_text
from eyelet_ingest.store import schema

JSON_COLUMNS = ("data", "meta")
# What says which event it is, and which others it belongs to. It stays, so that nothing comes twice and no call, no
# session is torn; what of it holds a secret is named.
IDENTITY = ("session_id", "tool_use_id", "agent_id")
UNTOUCHED = ("id", "uid", "arrived", "timestamp")
# Our own words, by which rows are counted and found: no secret, whatever a pattern says.
WORDS = {
    "status": ("ok", "error", "interrupted", "denied", "pending", "unknown"),
    "loglevel": ("debug", "info", "warn", "error"),
    "origin": ("hook", "transcript", "otlp", "log"),
}
SRC_CHARS = 24
SRC_LEAST_CHARS = 4  # of what a secret became in a src: shorter, it may be any word
_MARKER = re.compile(r"\[redacted:[^\]]*\](?:#\d+)?")
_NO_NAME = re.compile(r"[^a-z0-9_-]")


class Cleaner(Protocol):
    """What goes of the texts of one root. Every method gives the same object back where nothing goes."""

    taken: dict[str, None]  # the secrets that went, in plain: some of them, where there are very many

    def may_hold(self, text: str) -> bool:
        """Whether anything may go of this text, or of what it says as JSON. No is certain."""

    def text(self, text: str) -> str:
        """Any text."""

    def value(self, value: object) -> object:
        """Parsed JSON."""

    def bytes(self, raw: bytes) -> bytes:
        """What should have been JSON, and is none."""

    def damaged(self, text: str) -> str:
        """JSON text as it stands."""


class Cleaning(Protocol):
    """What is to go, of whatever root."""

    def cleaner(self, key: bytes) -> Cleaner:
        """Of the root with this key, by which secrets are told apart in markers."""

    def told(self, key: bytes) -> dict[str, object]:
        """What is asked for, for receipt and audit: no secret, and no pattern that may be one."""


@dataclass(frozen=True, slots=True)
class Cleaned:
    """The values that change, by column; and the columns of identity that hold what goes, and stay."""

    values: dict[str, object]
    kept: tuple[str, ...]


def cleaned(cleaner: Cleaner, names: Sequence[str], row: Sequence[Any]) -> Cleaned:
    """What changes of a row with these columns; `cleaner.taken` are then the secrets of this row."""
    changed: dict[str, object] = {}
    kept = []
    cleaner.taken.clear()
    for name, value in zip(names, row, strict=True):
        if name in UNTOUCHED or name == "src" or not isinstance(value, (str, bytes)):
            continue
        if name in WORDS and value in WORDS[name]:
            continue
        safe: object = _cleaned_value(cleaner, name, value)
        if name in IDENTITY and safe is not value:
            kept.append(name)
        elif safe is not value:
            changed[name] = safe
    src = row[names.index("src")] if "src" in names else None
    if isinstance(src, str) and (safe_src := clean_src(cleaner, src, list(cleaner.taken) if changed else ())) != src:
        changed["src"] = safe_src
    return Cleaned(changed, tuple(kept))


def _cleaned_value(cleaner: Cleaner, name: str, value: "str | bytes") -> object:
    if isinstance(value, bytes):
        return cleaner.bytes(value)
    return clean_json(cleaner, value) if name in JSON_COLUMNS else cleaner.text(value)


def clean_json(cleaner: Cleaner, text: str) -> str:
    """JSON text without what goes: JSON again. The same object where nothing goes."""
    if not cleaner.may_hold(text):
        return text
    try:
        value = parse(text)
    except (BadInput, RecursionError):
        safe = cleaner.damaged(text)
        return text if safe is text else _still_json(safe)
    if isinstance(value, dict) and isinstance(value.get("_raw"), str) and "_why" in value:
        inside = _clean_raw(cleaner, value)
        if inside is not value:
            return dumps(inside)
    done = cleaner.value(value)
    if done is value and (cleaner.damaged(text) is text or not has_duplicate_keys(text)):
        return text
    try:
        written = dumps(done)
    except ValueError:  # a number beyond what Python holds
        written = dumps(cleaner.value(parse_numbers_as_text(text)))
    return written.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def clean_src(cleaner: Cleaner, src: str, taken: Iterable[str]) -> str:
    """A src without what goes. It is made of text in small letters, so what became of a secret there is looked for."""
    safe = cleaner.text(src)
    if safe is not src:
        safe = _MARKER.sub("redacted", safe)
    for secret in taken:
        part = _NO_NAME.sub("_", secret[:SRC_CHARS].lower()).strip("_-")
        if len(part) >= SRC_LEAST_CHARS and part in safe:
            rest = r"[a-z0-9_-]*" if len(secret) > SRC_CHARS else ""  # of a long one a part is kept
            safe = re.sub(re.escape(part) + rest, "redacted", safe)
    return safe


def _clean_raw(cleaner: Cleaner, value: "dict[str, object]") -> "dict[str, object]":
    """A payload that was no JSON, kept as base64."""
    try:
        raw = b64decode(str(value["_raw"]), validate=True)
    except ValueError:
        return value
    safe = cleaner.bytes(raw)
    if safe is raw:
        return value
    rest = cleaner.value({name: item for name, item in value.items() if name != "_raw"})
    assert isinstance(rest, dict)
    return {**rest, "_raw": b64encode(safe).decode()}


def _still_json(text: str) -> str:
    """What was cleaned as text, as JSON that every partition takes."""
    try:
        parse(text)
        return text
    except (BadInput, RecursionError):
        return kept_raw(text)


def kept_raw(text: str) -> str:
    """What was cleaned and is no JSON for SQLite, kept as such a payload is."""
    raw = b64encode(text.encode("utf-8", "surrogatepass")).decode()
    return dumps({"_why": "it was redacted as text, and is no JSON since", "_raw": raw})


def text_columns(conn: Any) -> tuple[str, ...]:
    """The columns of `hooks` that hold what somebody said, other programs' own too; not those that SQLite derives."""
    there = [
        str(name) for name, hidden in conn.execute("select name, hidden from pragma_table_xinfo('hooks')") if not hidden
    ]
    return tuple(name for name in there if name not in UNTOUCHED and (name in schema.COLUMNS or '"' not in name))
