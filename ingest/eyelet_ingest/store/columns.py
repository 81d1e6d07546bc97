"""Columns that plugins add to days: derived from `meta` or `data`, never stored, indexed if that is wanted."""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

from eyelet_ingest.errors import BadInput, PartitionError
from eyelet_ingest.store import layout, schema
from eyelet_ingest.store.connect import FileLock, open_reader, open_writer, trouble
from eyelet_ingest.store.layout import PartitionKey

TYPES = ("text", "integer", "real")
SOURCES = ("meta", "data")
DEADLINE_MS = 5_000  # for the lock of a day
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_PATH = re.compile(r"\$(\.[A-Za-z_][A-Za-z0-9_]{0,63}|\[[0-9]{1,6}\]){1,20}")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `hooks` that says what stands at a JSON path (`$.plugins.tickets.ticket`) of `meta` or `data`.

    BadInput for a name that is taken or none of SQL's plain ones, or a path that is none.
    """

    name: str
    path: str
    of: str = "meta"
    type: str = "text"
    indexed: bool = False

    def __post_init__(self) -> None:
        taken = self.name in (*schema.COLUMNS, *schema.DERIVED) or self.name in ("rowid", "oid")
        if not (isinstance(self.name, str) and _NAME.fullmatch(self.name)) or taken or self.name.startswith("eyelet_"):
            raise BadInput("add a column", repr(self.name)[:80], "a name of its own, of a-z, 0-9 and _")
        if not (isinstance(self.path, str) and _PATH.fullmatch(self.path)):
            raise BadInput("add a column", self.name, f"{self.path!r:.80} is no path", "write $.name.name or $.list[0]")
        if self.of not in SOURCES or self.type not in TYPES:
            raise BadInput("add a column", self.name, f"of is one of {SOURCES}, type one of {TYPES}")

    def definition(self) -> str:
        """The column as SQL; every part of it was checked above."""
        return f"{self.name} {self.type} generated always as (json_extract({self.of}, '{self.path}')) virtual"

    def as_json(self) -> dict[str, object]:
        return {"name": self.name, "path": self.path, "of": self.of, "type": self.type, "indexed": self.indexed}


def make(root: str, days: Sequence[PartitionKey], columns: Sequence[Column]) -> tuple[int, list[PartitionError]]:
    """See `Store.make_columns`. A day that has them already is only looked at."""
    changed, bad = 0, []
    for key in days if columns else ():
        try:
            changed += _make(root, key, columns)
        except PartitionError as error:
            bad.append(error)
    return changed, bad


def _make(root: str, key: PartitionKey, columns: Sequence[Column]) -> bool:
    path = layout.db_path(root, key)
    reader = open_reader(path)
    try:
        names = {name for (name,) in reader.execute("select name from pragma_table_xinfo('hooks')")}
        names |= {name for (name,) in reader.execute("select name from sqlite_master where type = 'index'")}
    except reader.DatabaseError as error:
        raise trouble("read", path, error) from error
    finally:
        reader.close()
    lacking = [one for one in columns if one.name not in names or (one.indexed and f"hooks_x_{one.name}" not in names)]
    if not names or not lacking:
        return False
    with FileLock(layout.lock_path(root, key), time.monotonic_ns() + DEADLINE_MS * 1_000_000, make=False):
        conn = open_writer(path)
        try:
            schema.bring_up(conn, path, key.context, key.context, key.bounds_us)
            wanted = [(one.name, one.definition(), one.indexed) for one in lacking]
            return bool(schema.add_columns(conn, wanted)) or any(one.name in names for one in lacking)
        except conn.DatabaseError as error:
            raise trouble("write to", path, error) from error
        finally:
            conn.close()
