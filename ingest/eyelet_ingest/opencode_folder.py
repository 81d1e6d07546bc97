"""The folder in which OpenCode kept its sessions before it had a database, read as if it were one.

    session/<project>/<session>.json   message/<session>/<message>.json   part/<message>/<part>.json

Source: anomalyco/opencode, packages/opencode/src/storage/json-migration.ts. Identifiers are the paths', as there.
"""

import os
from collections.abc import Iterator
from contextlib import suppress

from eyelet_ingest.errors import BadInput
from eyelet_ingest.jsontext import parse
from eyelet_ingest.store.foreign import OPENCODE, PAGE_CHARS, PAGE_ROWS, VALUE_MAX_CHARS, OldRow

FILE = "file"  # of a row: where it lies in the folder
_ABOVE = {"message": "session_id", "part": "message_id"}  # what the name of the folder above a file is


def is_storage(path: str) -> bool:
    """Whether the folder is one: it has messages and parts, each in folders of their own."""
    return all(os.path.isdir(os.path.join(path, name)) for name in ("session", *_ABOVE))


class Folder:
    """An old storage, with what `databases.Database` asks of a `store.foreign.Foreign`."""

    kind, table = OPENCODE, "message"
    first_rowid = last_rowid = 0  # how far it is read, nobody can say

    def __init__(self, path: str) -> None:
        self.path = path
        self._sessions: dict[str, str] | None = None

    def __enter__(self) -> "Folder":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def turn_to(self, table: str) -> bool:
        if table not in _ABOVE:
            return False
        self.table = table
        return True

    def latest(self, table: str, session: object) -> int | None:
        return None  # it has one form of a session only

    def pages(self) -> Iterator[list[OldRow]]:
        """The files of the table, each as a row, folder by folder."""
        page: list[OldRow] = []
        chars = number = 0
        top = os.path.join(self.path, self.table)
        for folder in _names(top):
            for name in _names(os.path.join(top, folder)):
                if not name.endswith(".json"):
                    continue
                number += 1
                page.append(self._row(number, folder, name))
                chars += len(str(page[-1].values.get("data") or ""))
                if len(page) >= PAGE_ROWS or chars >= PAGE_CHARS:
                    yield page
                    page, chars = [], 0
        if page:
            yield page

    def row_named(self, table: str, identifier: object, session: object = None) -> "dict[str, object]":
        """The row of this identifier; empty where there is none, or it cannot be read."""
        if not _is_name(identifier):
            return {}
        if table not in _ABOVE:
            return self._session(str(identifier)) if table == "session" else {}
        if not _is_name(session):
            return {}
        text, _ = _read(os.path.join(self.path, table, str(session), f"{identifier}.json"))
        return {"id": identifier, "session_id": session, "data": text}

    def json_of(self, blob: bytes) -> str | None:
        return None

    def _row(self, number: int, folder: str, name: str) -> OldRow:
        file = os.path.join(self.table, folder, name)
        path = os.path.join(self.path, file)
        text, reason = _read(path)
        values: dict[str, object] = {"id": name.removesuffix(".json"), _ABOVE[self.table]: folder, "data": text}
        with suppress(OSError):
            values["time_updated"] = int(os.stat(path).st_mtime * 1_000)
        return OldRow(number, {**values, FILE: file}, reason)

    def _session(self, identifier: str) -> "dict[str, object]":
        if self._sessions is None:
            top = os.path.join(self.path, "session")
            self._sessions = {
                name: os.path.join(top, folder, name)
                for folder in _names(top)
                for name in _names(os.path.join(top, folder))
            }
        text, _ = _read(self._sessions.get(f"{identifier}.json", ""))
        try:
            found = parse(text)
        except BadInput:
            return {}
        if not isinstance(found, dict):
            return {}
        return {**found, "parent_id": found.get("parentID")}


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:  # it is none, or not ours
        return []


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value not in ("", ".", "..") and not set(value) & {"/", "\\", "\0"}


def _read(path: str) -> "tuple[str, str]":
    """The text of a file, and why it cannot be taken."""
    try:
        with open(path, "rb") as file:
            raw = file.read(VALUE_MAX_CHARS + 1)
    except OSError as bad:
        return "", bad.strerror or str(bad)
    if len(raw) > VALUE_MAX_CHARS:
        return "", f"longer than {VALUE_MAX_CHARS:,} characters"
    return raw.decode("utf-8", "replace"), ""
