"""What SQLite's planner wants to know of a day, found anew: for who was told that a plan does not fit."""

from eyelet_ingest.errors import PartitionUnreadable
from eyelet_ingest.store import connect, layout, sealing
from eyelet_ingest.store.layout import PartitionKey

ANALYSIS_ROWS = 1_000  # of each index


def optimise(root: str, key: PartitionKey) -> int:
    """ANALYZE and `pragma optimize`, alone with the day; how many indexes it knows then. A sealed day is sealed again.

    PartitionError where there is no such day, it is in trouble, or others keep it.
    """
    path = layout.db_path(root, key)
    if not connect.is_there(path):
        raise PartitionUnreadable("analyse", path, "there is no such day", "`eyelet partitions` lists those there are")
    with sealing.rewriting(root, key, sealing.ANALYSED):
        conn = connect.open_writer(path, busy_ms=sealing.DEADLINE_MS)
        try:
            conn.execute(f"pragma analysis_limit = {ANALYSIS_ROWS}")
            conn.execute("analyze")
            conn.execute("pragma optimize")
            return int(conn.execute("select count(*) from sqlite_stat1 where idx is not null").fetchone()[0])
        except conn.DatabaseError as bad:
            raise connect.trouble("analyse", path, bad) from bad
        finally:
            conn.close()
