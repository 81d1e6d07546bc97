"""An archive made a day again: unpacked, its indexes made, held against what it says of itself, put in its place."""

import json
import lzma
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from errno import ENOSPC
from typing import Any, BinaryIO

from eyelet_ingest.errors import PartitionBusy, PartitionUnreadable
from eyelet_ingest.store import archives, connect, identity, journal, layout, manifest, schema, sealing, transfer
from eyelet_ingest.store.compact import Watched, bring_back
from eyelet_ingest.store.copier import open_file
from eyelet_ingest.store.digests import rows_digest
from eyelet_ingest.store.layout import PartitionKey

Facts = dict[str, Any]
MEMORY_BYTES = 256 * 2**20  # what unpacking may take: an archive of ours takes 9 MB
_HINT = "restore the archive from a back-up"


@contextmanager
def unpacked(root: str, key: PartitionKey) -> Iterator[tuple[str, Facts]]:
    """The archive as a whole database, closed, in a file beside the days; and what it says of itself. The file goes at
    the end unless it was moved. The caller holds the lock of the archive."""
    folder, mark = archives.restoring(root, key)
    identity.make_private_dir(folder)
    archives.remove_left(folder, mark)
    made = tempfile.mkdtemp(prefix=mark, dir=folder)  # 0700
    try:
        name = os.path.join(made, "day.db")
        decompress(archives.path_of(root, key), name)
        yield name, _made_whole(name, archives.path_of(root, key), key)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def decompress(path: str, name: str) -> None:
    """The database in the archive at `path`, as the file `name`; PartitionUnreadable where it is damaged."""
    try:
        with open_file(path) as packed, open(name, "wb") as plain:
            os.chmod(name, 0o600)
            for part in _parts(packed, os.path.dirname(name)):
                plain.write(part)
            plain.flush()
            os.fsync(plain.fileno())
    except (lzma.LZMAError, EOFError, ValueError) as bad:
        raise PartitionUnreadable("restore", path, f"it is damaged: {bad}", _HINT) from bad
    except OSError as bad:
        hint = "is the disk full? May you write there?"
        raise PartitionUnreadable("restore", path, bad.strerror or str(bad), hint) from bad


def _parts(packed: BinaryIO, folder: str) -> Iterator[bytes]:
    """What is packed, piece by piece: as much as its database says it is, and no more than there is room for in the
    folder. ValueError, LZMAError or EOFError where it is no archive, OSError where there is no room."""
    unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ, MEMORY_BYTES)
    expected, done, content = -1, 0, b""
    while not unpacker.eof:
        if unpacker.needs_input and not (content := packed.read(archives.PART_BYTES)):
            raise EOFError("it was cut")
        part = unpacker.decompress(content, archives.PART_BYTES)
        content = b""
        if expected < 0 and part:
            expected = _bytes_of(part)
            if expected > shutil.disk_usage(folder).free:
                raise OSError(ENOSPC, f"{expected:,} bytes have no room on the disk")
        done += len(part)
        if done > expected >= 0:
            raise ValueError("it holds more than its database")
        yield part
    if done != expected:
        raise EOFError("its database was cut")


def _bytes_of(head: bytes) -> int:
    """How large a database is by its first page; ValueError where it is none."""
    if len(head) < 100 or not head.startswith(b"SQLite format 3\0"):
        raise ValueError("it holds no database")
    page = int.from_bytes(head[16:18], "big")
    return (65_536 if page == 1 else page) * int.from_bytes(head[28:32], "big")


def facts_of(conn: Any, path: str) -> Facts:
    """What the archive that `conn` reads says of itself, held against what it holds; PartitionUnreadable if not so."""
    try:
        if conn.execute("pragma application_id").fetchone()[0] != schema.APPLICATION_ID:
            raise ValueError("it was not made by this software")
        row = conn.execute("select value from eyelet_partition where key = ?", (archives.FACTS,)).fetchone()
        facts = json.loads(row[0]) if row else None
        if not isinstance(facts, dict) or not set(facts["columns"]) <= set(schema.COLUMNS):
            raise ValueError("it does not say what it holds")
        damage = conn.execute("pragma integrity_check(1)").fetchone()[0]
        if damage != "ok":
            raise ValueError(damage)
        if rows_digest(conn, facts["columns"], None) != (facts["rows"], facts["rows_sha256"]):
            raise ValueError("its events are not those that were archived")
        if not isinstance(facts["without"], list) or not isinstance(facts["seals"], list):
            raise ValueError("it does not say what it holds")
        return facts
    except (ValueError, KeyError, TypeError, RecursionError, conn.DatabaseError) as bad:
        raise PartitionUnreadable("restore", path, f"it is damaged: {bad}", _HINT) from bad


def bring_in(root: str, key: PartitionKey, name: str, facts: Facts) -> int:
    """Put the database `name` in the day's place; how many events the day held beside them, which stay."""
    path = layout.db_path(root, key)
    identity.make_private_dir(os.path.dirname(path))
    with sealing.alone(root, key):
        if not connect.is_there(path):
            try:
                connect.remove_sides(path)
                os.rename(name, path)
            except OSError as bad:
                raise PartitionUnreadable("restore", path, bad.strerror or str(bad), "may you write there?") from bad
            _seals_back(root, key, facts)
            return 0
        manifest.reopen(root, key, "restored")
        conn = connect.open_writer(path, busy_ms=archives.DEADLINE_MS)
        watch = connect.open_reader(path)
        try:
            watched = Watched(watch, path)
            kept = _merged(watch, root, key, name)
            bring_back(name, conn, watched.unchanged)
            connect.checkpoint(conn, "truncate", connect.driver().sqlite_version)
        except conn.DatabaseError as bad:
            raise connect.trouble("restore", path, bad) from bad
        finally:
            watch.close()
            conn.close()
        _seals_back(root, key, facts)
        return kept


def bring_back_missing(root: str, key: PartitionKey) -> None:
    """Restore the archive into the day where it holds events that the day lacks; the caller holds its lock."""
    with unpacked(root, key) as (name, facts):
        conn = connect.open_reader(name)
        try:
            conn.execute("attach ? as day", (layout.db_path(root, key),))
            ready = conn.execute("select count(*) from day.sqlite_master where name = 'hooks'").fetchone()[0]
            lacking = (
                "select exists (select 1 from hooks where uid not in (select uid from day.hooks where uid notnull))"
            )
            lacks = not ready or conn.execute(lacking).fetchone()[0]
        except conn.DatabaseError as bad:
            raise connect.trouble("archive", layout.db_path(root, key), bad) from bad
        finally:
            conn.close()
        if lacks:
            bring_in(root, key, name, facts)


def _made_whole(name: str, path: str, key: PartitionKey) -> Facts:
    """Check it, and give it its indexes and its journal back."""
    conn = connect.open_writer(name)
    try:
        facts = facts_of(conn, path)
        statements = schema.index_statements()
        with connect.transaction(conn):
            for index in facts["without"]:
                if index in statements:
                    conn.execute(statements[index])
            conn.execute("delete from eyelet_partition where key = ?", (archives.FACTS,))
        conn = journal.choose(conn, name, connect.driver(), archives.DEADLINE_MS)
        connect.checkpoint(conn, "truncate", connect.driver().sqlite_version)
    except conn.DatabaseError as bad:
        raise PartitionUnreadable("restore", path, str(bad), connect.remedy(path, bad)) from bad
    finally:
        conn.close()
    if any(os.path.exists(name + side) and os.path.getsize(name + side) for side in ("-wal", "-journal")):
        raise PartitionBusy("restore", path, "another program has it open", "try again")
    return facts


def _merged(live: Any, root: str, key: PartitionKey, name: str) -> int:
    """Carry the events of the day that is there into the database that takes its place; how many those were."""
    if not schema.is_ready(live):
        return 0
    path = layout.db_path(root, key)
    if others := schema.names_of_others(live):
        reason = f"the day is there, with tables of other programs: {', '.join(sorted(others))}"
        raise PartitionUnreadable("restore", path, reason, "move the day's folder away")
    conn = connect.open_writer(name)
    try:
        kept = 0
        with transfer.reading(path) as reader:
            for batch in transfer.batches(transfer.rows_of(reader)):
                kept += transfer.store_into(conn, root, path, key, key.context, batch, force=True).stored
        connect.checkpoint(conn, "truncate", connect.driver().sqlite_version)
        return kept
    finally:
        conn.close()


def _seals_back(root: str, key: PartitionKey, facts: Facts) -> None:
    """The day's manifest as it was when it was archived, where it has none now."""
    if facts["seals"] and manifest.read(root, key) is None:
        said = {"format": manifest.FORMAT, "context": key.context, "day": key.date}
        said |= {"reopened": "restored", "seals": facts["seals"]}
        known = manifest.parse(json.dumps(said).encode(), key, archives.path_of(root, key))
        manifest.write(root, known)
        manifest.remember_all(root, known)  # also where the archive was brought from elsewhere
