"""A day written anew without gaps, or brought up to this version's schema now; one that is sealed is sealed again."""

import os
from typing import Any

from eyelet_ingest.errors import PartitionUnreadable
from eyelet_ingest.store import connect, layout, schema, sealing
from eyelet_ingest.store.compact import compact
from eyelet_ingest.store.layout import PartitionKey


def vacuum(root: str, key: PartitionKey) -> tuple[int, int]:
    """The bytes before and after, file and WAL together. What readers need of the WAL stays until they are done."""
    path = layout.db_path(root, key)
    with sealing.rewriting(root, key, sealing.COMPACTED):
        before = _bytes(path)
        conn = _opened(path)
        try:
            compact(conn, path)
            conn.execute(f"pragma busy_timeout = {sealing.READERS_WAIT_MS}")
            connect.checkpoint(conn, "truncate", connect.driver().sqlite_version)
        except conn.DatabaseError as bad:
            raise connect.trouble("write anew", path, bad) from bad
        finally:
            conn.close()
        after = _bytes(path)
    return before, after


def migrate(root: str, key: PartitionKey) -> tuple[int, int]:
    """The version before and after; PartitionNewer for a day of a newer version."""
    path = layout.db_path(root, key)
    with sealing.rewriting(root, key, sealing.BROUGHT_UP):
        conn = _opened(path)
        try:
            before = schema.version_of(conn)
            schema.bring_up(conn, path, key.context, key.context, key.bounds_us)
            return before, schema.version_of(conn)
        except conn.DatabaseError as bad:
            raise connect.trouble("bring up", path, bad) from bad
        finally:
            conn.close()


def mend(root: str, key: PartitionKey, lacking: tuple[str, ...]) -> list[str]:
    """Make indexes, triggers and views of a day again that another program dropped or changed; which ones were."""
    path = layout.db_path(root, key)
    with sealing.rewriting(root, key, sealing.MENDED):
        conn = _opened(path)
        try:
            return schema.remake(conn, path, lacking)
        except conn.DatabaseError as bad:
            raise connect.trouble("mend", path, bad) from bad
        finally:
            conn.close()


def _opened(path: str) -> Any:
    if not connect.is_there(path):
        raise PartitionUnreadable("open", path, "there is no such day", "`eyelet partitions` lists those there are")
    return connect.open_writer(path, busy_ms=sealing.DEADLINE_MS)


def _bytes(path: str) -> int:
    if path.startswith(layout.MEMORY):
        return 0
    return sum(os.path.getsize(path + side) for side in ("", "-wal") if os.path.exists(path + side))
