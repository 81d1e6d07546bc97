"""The files under a root that are no place of events: audit, receipts, copies that somebody left, notes.

Who looks for a secret reads them, and changes none.
"""

import os
from collections.abc import Iterable, Iterator

from eyelet_ingest.errors import EyeletError
from eyelet_ingest.store import layout
from eyelet_ingest.store.connect import open_reader
from eyelet_ingest.store.layout import PartitionKey

MOST_BYTES = 1 << 24  # of a file that are looked at
# What is a place of its own, or holds nothing that was recorded: the key, programs.
_ELSEWHERE = ("archive", "spool", "json", "ingest.sqlite", "secret.key", "bin", "plugins", "words")
_OF_A_DATABASE = ("", "-wal", "-shm", "-journal")
_HEADER = b"SQLite format 3\0"


def files(root: str, days: Iterable[PartitionKey]) -> Iterator[str]:
    """The paths of these files, in order; `days` are the root's, and are left out."""
    known = {layout.db_path(root, key) + end for key in days for end in _OF_A_DATABASE}
    for folder, folders, names in os.walk(root):
        if folder == root:
            folders[:] = [name for name in folders if name not in _ELSEWHERE]
            names = [name for name in names if not name.startswith(_ELSEWHERE)]
        folders.sort()
        for name in sorted(names):
            path = os.path.join(folder, name)
            if path not in known and os.path.isfile(path) and not os.path.islink(path):
                yield path


def texts(path: str, troubles: list[str]) -> Iterator[tuple[str, bytes]]:
    """(where, content) of all that a file holds: its text or, of a database, every value. What could not be looked at,
    and what helps, is added to `troubles`."""
    try:
        with open(path, "rb") as file:
            raw = file.read(MOST_BYTES)
            if file.read(1):
                troubles.append(f"only its first {MOST_BYTES:,} bytes were looked at (look at the rest yourself)")
    except OSError as bad:
        troubles.append(f"{bad.strerror or bad} (does it belong to you?)")
        return
    if raw.startswith(_HEADER):
        try:
            for where, value in _values(path):
                yield where, value if isinstance(value, bytes) else value.encode("utf-8", "surrogateescape")
            return
        except EyeletError as bad:  # its bytes, then
            troubles.append(f"{bad.reason} ({bad.hint})")
    yield "text", raw


def _values(path: str) -> "Iterator[tuple[str, str | bytes]]":
    """Every text and every blob of a database that is no day: (table.column, value)."""
    conn = open_reader(path)
    try:
        tables = [name for (name,) in conn.execute("select name from sqlite_master where type = 'table'")]
        for table in tables:
            named = table.replace('"', '""')
            rows = conn.execute(f'select * from "{named}"')  # noqa: S608  a name out of its own schema, quoted
            columns = [one[0] for one in rows.description]
            for row in rows:
                for column, value in zip(columns, row, strict=True):
                    if isinstance(value, (str, bytes)):
                        yield f"{table}.{column}", value
    except conn.DatabaseError as bad:
        raise EyeletError("read", path, str(bad), "is it damaged?") from bad
    finally:
        conn.close()
