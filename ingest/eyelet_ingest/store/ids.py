"""The ids that events were given when they were stored: their times, moved on where one was taken."""

from collections.abc import Iterable
from contextlib import closing

from eyelet_ingest.errors import PartitionError
from eyelet_ingest.store import connect, layout

CHUNK = 500  # values in one `in (…)`: SQLite before 3.32 allows 999


def ids_of(root: str, context: str, events: Iterable[tuple[bytes, int]]) -> dict[bytes, int]:
    """The id of each (uid, time_us) stored in the safe context; those of days that cannot be read are missing."""
    days: dict[layout.PartitionKey, list[bytes]] = {}
    for uid, time_us in events:
        days.setdefault(layout.key_for(context, time_us), []).append(uid)
    found: dict[bytes, int] = {}
    for key, uids in days.items():
        path = layout.db_path(root, key)
        try:
            with closing(connect.open_reader(path)) as conn:
                for start in range(0, len(uids), CHUNK):
                    some = uids[start : start + CHUNK]
                    marks = ",".join("?" * len(some))
                    sql = f"select uid, id from hooks where uid in ({marks})"  # noqa: S608  marks only
                    found.update(conn.execute(sql, some))
        except (PartitionError, connect.driver().Error):
            continue
    return found
