"""Databases that others made: which kind one is, told by its tables, and its rows. Read, never changed.

Rows come a page at a time, each page in a transaction of its own: whoever writes meanwhile is not kept from it, and the
memory is that of a page. Nothing in such a file is trusted: its schema runs no functions, views and virtual tables are
not looked at.
"""

import os
import time
from collections.abc import Iterator
from typing import NamedTuple

from eyelet_ingest.errors import BadInput, PartitionError
from eyelet_ingest.store import connect

HEADER = b"SQLite format 3\0"
ENDINGS = (".db", ".sqlite", ".sqlite3")
EYELET, HERO_PROC, OPENCODE = "eyelet", "hero_proc", "opencode"
TABLES = {
    EYELET: ("hooks", frozenset(("timestamp", "session_id", "hook_type", "data"))),
    HERO_PROC: ("logs", frozenset(("context_name", "epoch", "src", "content"))),
    OPENCODE: ("part", frozenset(("id", "message_id", "session_id", "data"))),
}
NAMES = {EYELET: "the original Eyelet's events", HERO_PROC: "a log in one table", OPENCODE: "OpenCode's sessions"}
OUR_OWN = frozenset(("uid", "arrived"))  # columns of `hooks` in a day of a root
PAGE_ROWS, PAGE_CHARS = 500, 8 * 2**20
VALUE_MAX_CHARS = 128 * 2**20
COLUMNS_MAX = 100
TABLES_NAMED = 8
JOURNAL_MAGIC = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"
JOURNAL_WAIT_S = 2.0
BUSY_TRIES = 5

_JOURNAL = "a program died while it wrote to it, or is writing still"
_FOREIGN = "export what you need of it as JSON lines, and import these with --map"


class OldRow(NamedTuple):
    """One row: its rowid, its columns by name; `reason` is why its values cannot be taken, "" where they can."""

    rowid: int
    values: "dict[str, object]"
    reason: str


class Damaged(Exception):
    """The file cannot be read on behind `rowid`."""

    def __init__(self, rowid: int | None, reason: str) -> None:
        super().__init__(reason)
        self.rowid, self.reason = rowid, reason


def is_database(path: str) -> bool:
    """Whether the file begins as SQLite's do."""
    return _head(path) == HEADER


def is_unreadable_database(path: str) -> bool:
    """Whether the file is called a database and is none that can be read: encrypted, cut short or overwritten."""
    if not path.lower().endswith(ENDINGS):
        return False
    head = _head(path)
    return head != HEADER and any(byte < 9 or 13 < byte < 32 or byte > 126 for byte in head) and head[:2] != b"\x1f\x8b"


def kind_of(path: str) -> str:
    """EYELET or HERO_PROC; "" for any other file, and for one that cannot be read."""
    if not is_database(path):
        return ""
    try:
        with Foreign(path) as found:
            return found.kind
    except (BadInput, PartitionError):
        return ""


class Foreign:
    """An old database, open for reading: `with Foreign(path) as old: for rows in old.pages(): …`.

    BadInput, with a remedy, for a file that is none of those we know, is damaged, encrypted, or a day of our own.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._known: dict[str, list[str]] = {}  # the columns of tables that were looked at
        if is_unreadable_database(path):
            reason = "it is no database that SQLite can read: encrypted, cut short, or something else"
            raise BadInput("import", path, reason, "decrypt it with the program that made it, or restore it")
        self._wait_for_journal()
        try:
            self._conn = connect.open_reader(path)
        except PartitionError as bad:
            raise BadInput("import", path, bad.reason, _remedy(bad.reason, bad.hint)) from bad
        try:
            self._conn.execute("pragma trusted_schema = off")
            self.kind, self.table, self.columns = self._recognise()
            self._measure()
        except self._conn.Error as bad:
            self._conn.close()
            raise BadInput("import", path, str(bad), _remedy(str(bad), _FOREIGN)) from bad
        except BadInput:
            self._conn.close()
            raise

    def __enter__(self) -> "Foreign":
        return self

    def __exit__(self, *_: object) -> None:
        self._conn.close()

    def pages(self) -> Iterator[list[OldRow]]:
        """The rows by their rowid, also those that are added meanwhile. Damaged where the file cannot be read on."""
        last: int | None = None
        while True:
            page = self._page(last)
            if not page:
                return
            last = page[-1].rowid
            yield page

    def turn_to(self, table: str) -> bool:
        """Whether the file has this table besides, whose rows `pages` gives from now on."""
        columns = self._columns_of(table)
        if not columns:
            return False
        self.table, self.columns = table, columns
        self._measure()
        return True

    def row_named(self, table: str, identifier: object, _session: object = None) -> "dict[str, object]":
        """The row of a table whose `id` this is, by its columns; empty where there is none, or it cannot be read."""
        columns = self._columns_of(table)
        if "id" not in columns:
            return {}
        values = ", ".join(map(_bounded, columns))
        try:
            row = self._conn.execute(f"select {values} from {table} where id = ?", (identifier,)).fetchone()  # noqa: S608  checked names
        except self._conn.Error:
            return {}
        return dict(zip(columns, row, strict=True)) if row else {}

    def latest(self, table: str, session: object) -> int | None:
        """The latest `time_created` of a session's rows in a table; None where it has none there."""
        if not {"session_id", "time_created"} <= set(self._columns_of(table)) or not isinstance(session, str):
            return None
        try:
            sql = f"select max(time_created) from {table} where session_id = ?"  # noqa: S608  our own names
            found = self._conn.execute(sql, (session,)).fetchone()[0]
        except self._conn.Error:
            return None
        return found if isinstance(found, int) else None

    def json_of(self, blob: bytes) -> str | None:
        """The text of JSON in SQLite's binary form; None for other bytes, and where this SQLite does not know it."""
        try:
            row = self._conn.execute("select case when json_valid(?, 8) then json(?) end", (blob, blob)).fetchone()
        except self._conn.Error:
            return None
        return row[0] if isinstance(row[0], str) else None

    def _edge(self, order: str) -> int:
        """The first or last rowid; 0 where the table is empty, or damaged there, as it may be read elsewhere."""
        sql = f"select {self._key} from {self.table} order by {self._key}{order} limit 1"  # noqa: S608  our own names
        try:
            row = self._conn.execute(sql).fetchone()
        except self._conn.Error:
            return 0
        if row and not isinstance(row[0], int):
            raise BadInput("import", self.path, f"the rows of its table {self.table} have no number", _FOREIGN)
        return int(row[0]) if row else 0

    def _page(self, after: int | None) -> list[OldRow]:
        beyond = "" if after is None else f" where {self._key} > ?"
        values = ", ".join(map(_bounded, self.columns))
        long = " + ".join(
            f"(length({_name(name)}) > {VALUE_MAX_CHARS})" for name in ("data", "content") if name in self.columns
        )
        sql = (
            f"select {self._key}, {long}, {values} from {self.table}{beyond}"  # noqa: S608  checked names
            f" order by {self._key} limit {PAGE_ROWS}"
        )
        page: list[OldRow] = []
        chars = 0
        for tried in range(BUSY_TRIES):
            try:
                for rowid, is_long, *found in self._conn.execute(sql, () if after is None else (after,)):
                    reason = f"longer than {VALUE_MAX_CHARS:,} characters" if is_long else ""
                    page.append(OldRow(rowid, dict(zip(self.columns, found, strict=True)), reason))
                    chars += sum(len(value) for value in found if isinstance(value, str | bytes))
                    if chars >= PAGE_CHARS:
                        break
            except self._conn.Error as bad:
                if page:
                    return page  # what came before the damage; the next page meets it again
                if connect.is_passing(str(bad)) and tried < BUSY_TRIES - 1:
                    time.sleep(0.2 * (tried + 1))
                    continue
                raise Damaged(after, str(bad)) from bad
            return page
        return page

    def _measure(self) -> None:
        self._key = self._rowid_name()
        self.first_rowid = self._edge("")
        self.last_rowid = self._edge(" desc")

    def _tables(self) -> "dict[str, str]":
        """The text of each table that others made, by its name."""
        sql = "select name, sql from sqlite_master where type = 'table' and name not like 'sqlite!_%' escape '!'"
        return {name: text for name, text in self._conn.execute(sql) if isinstance(text, str)}

    def _columns_of(self, table: str) -> "list[str]":
        """Those that are not hidden; none where there is no such table, or it is a virtual one."""
        if table not in self._known:
            found = self._tables().get(table, "").lower().startswith("create table")
            rows = self._conn.execute("select name, hidden from pragma_table_xinfo(?)", (table,)) if found else ()
            self._known[table] = [name for name, hidden in rows if not hidden][:COLUMNS_MAX]
        return self._known[table]

    def _recognise(self) -> tuple[str, str, list[str]]:
        for kind, (table, wanted) in TABLES.items():
            columns = self._columns_of(table)
            names = {name.lower() for name in columns}
            if kind == EYELET and names >= OUR_OWN:
                raise BadInput("import", self.path, "it is a day of a root", "bring in its root with `eyelet sync`")
            if names >= wanted:
                return kind, table, columns
        tables = self._tables()
        named = ", ".join(sorted(tables)[:TABLES_NAMED]) or "no table at all"
        more = f" and {len(tables) - TABLES_NAMED} more" if len(tables) > TABLES_NAMED else ""
        raise BadInput(
            "import", self.path, f"a database with {named}{more}, which is no log that is known here", _FOREIGN
        )

    def _rowid_name(self) -> str:
        names = {name.lower() for name in self.columns}
        free = [name for name in ("rowid", "_rowid_", "oid") if name not in names]
        for name in (*free, "logid", "id"):
            if name in free or name in names:
                try:
                    self._conn.execute(f"select {name} from {self.table} limit 0")  # noqa: S608  our own names
                    return name
                except self._conn.OperationalError:
                    continue
        raise BadInput("import", self.path, f"its table {self.table} has no rowid and no number of its rows", _FOREIGN)

    def _wait_for_journal(self) -> None:
        """A journal that is left over would have to be taken back, and that is a change."""
        until_s = time.monotonic() + JOURNAL_WAIT_S
        while _head(self.path + "-journal")[:8] == JOURNAL_MAGIC:
            if time.monotonic() > until_s:
                shown = os.path.basename(self.path)
                raise BadInput(
                    "import", self.path, _JOURNAL, f"open it once with `sqlite3 {shown} .tables`, then again"
                )
            time.sleep(0.05)


def _head(path: str) -> bytes:
    """The first 16 bytes of a plain file; none of anything else."""
    if not os.path.isfile(path):
        return b""
    try:
        with open(path, "rb") as raw:
            return raw.read(len(HEADER))
    except OSError:
        return b""


def _bounded(name: str) -> str:
    """A column's value, null where it is too long."""
    return f"case when length({_name(name)}) <= {VALUE_MAX_CHARS} then {_name(name)} end"


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _remedy(reason: str, hint: str) -> str:
    if "not a database" in reason:
        return "is it encrypted? Decrypt it with the program that made it"
    if "malformed" in reason:
        return "save what can be saved with `sqlite3 OLD .recover | sqlite3 NEW`, and import that"
    return hint
