"""`audit.sqlite` at the root: who deleted, exported or let somebody in, when, and what. Lines are added, never changed.

Whoever does such a thing records it first: where the line cannot be written, the thing is not done.
"""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass

from eyelet_ingest.errors import PartitionError, RootError
from eyelet_ingest.jsontext import dumps
from eyelet_ingest.store import connect, identity

FILE_NAME = "audit.sqlite"
BUSY_MS = 10_000

_SCHEMA = (
    """
    create table if not exists audit (
        id integer primary key autoincrement,
        at_us integer not null,
        who text not null,
        action text not null,
        what text not null check (json_valid(what))
    )
    """,
    """
    create trigger if not exists audit_is_not_changed before update on audit
    begin
        select raise(abort, 'the audit is added to, never changed');
    end
    """,
    """
    create trigger if not exists audit_is_not_deleted before delete on audit
    begin
        select raise(abort, 'the audit is added to, never changed');
    end
    """,
)
_HINT = "is the disk full, or the file damaged? What is audited is not done without it"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the audit: `what` is JSON text, `at_us` microseconds since 1970 UTC."""

    id: int
    at_us: int
    who: str
    action: str
    what: str


def record(root: str, who: str, action: str, what: Mapping[str, object]) -> int:
    """Add a line, committed when this returns; its id. RootError where it cannot be written.

    `what` is kept for ever: the caller leaves out what was searched for and may be a secret.
    """
    path = os.path.join(root, FILE_NAME)
    identity.make_private_dir(root)
    try:
        # Of two who make it at once, one would find it locked: setting WAL does not wait.
        with connect.FileLock(path + ".lock", time.monotonic_ns() + BUSY_MS * 1_000_000):
            conn = connect.open_writer(path, busy_ms=BUSY_MS)
            try:
                with connect.transaction(conn):
                    for statement in _SCHEMA:
                        conn.execute(statement)
                    line = (time.time_ns() // 1_000, _utf8(who), action, _utf8(dumps(dict(what))))
                    added = conn.execute("insert into audit (at_us, who, action, what) values (?, ?, ?, ?)", line)
                    return int(added.lastrowid)
            except conn.Error as bad:
                raise RootError("write the audit", path, str(bad), _HINT) from bad
            finally:
                conn.close()
    except PartitionError as bad:
        raise RootError("write the audit", path, bad.reason, _HINT) from bad


def lines(root: str, limit: int = 100, before_id: int | None = None) -> list[Line]:
    """The newest lines, newest first; below `before_id` where given. None where nothing was ever audited."""
    path = os.path.join(root, FILE_NAME)
    if not connect.is_there(path):
        return []
    try:
        conn = connect.open_reader(path)
        try:
            sql = "select id, at_us, who, action, what from audit where ? is null or id < ? order by id desc limit ?"
            return [Line(*row) for row in conn.execute(sql, (before_id, before_id, limit))]
        except conn.Error as bad:
            raise RootError("read the audit", path, str(bad), _HINT) from bad
        finally:
            conn.close()
    except PartitionError as bad:
        raise RootError("read the audit", path, bad.reason, bad.hint) from bad


def _utf8(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
