"""How long figures are kept: minutes are merged into hours, hours into days, and the oldest go; the file stays small.

Looked at once an hour, by whoever writes figures then, in the same transaction.
"""

from typing import Any

from eyelet_ingest.store.metrics_schema import DAY, HOUR, MINUTE, S_US, TABLES

# A span, for how many seconds it is kept, and the one that it is merged into then.
SPANS = ((MINUTE, 2 * DAY, HOUR), (HOUR, 90 * DAY, DAY), (DAY, 730 * DAY, 0))
TIDY_EVERY_US = HOUR * S_US
MOST_ROWS = {"wal_metrics": 20_000, "alerts": 5_000, "checks": 100_000}  # the newest of each, by the time below
_TIMES = {"wal_metrics": "at_us", "alerts": "changed_us", "checks": "at_us"}
MOST_BYTES = 32 * 2**20  # beyond it the oldest figures go, however young
FULL_BYTES = 2 * MOST_BYTES  # beyond it SQLite writes no more
MOST_HALVINGS = 16


def tidy(conn: Any, now_us: int) -> None:
    """Once an hour, inside a transaction: merge what is older than its span is kept, let the oldest go."""
    known = conn.execute("select value from kept where name = 'tidied'").fetchone()
    if known is not None and 0 <= now_us - int(known[0]) < TIDY_EVERY_US:
        return
    conn.execute("insert or replace into kept values ('tidied', ?)", (str(now_us),))
    for span_s, kept_s, into_s in SPANS:
        _age(conn, span_s, now_us - kept_s * S_US, into_s)
    for name, most in MOST_ROWS.items():
        at = _TIMES[name]
        oldest = conn.execute(f"select {at} from {name} order by {at} desc limit 1 offset ?", (most,)).fetchone()  # noqa: S608  own names
        if oldest is not None:
            conn.execute(f"delete from {name} where {at} <= ?", oldest)  # noqa: S608  own names
    _shrink(conn)


def _age(conn: Any, span_s: int, until_us: int, into_s: int) -> None:
    """Merge the stretches of a span that began before `until_us` into longer ones, whole ones of these; 0: they go."""
    whole_us = (into_s or span_s) * S_US
    until_us = until_us // whole_us * whole_us
    for table in TABLES:
        if into_s:
            conn.execute(table.roll_up, (into_s, into_s * S_US, into_s * S_US, span_s, until_us))
        conn.execute(f"delete from {table.name} where span_s = ? and began_us < ?", (span_s, until_us))  # noqa: S608  own names


def _shrink(conn: Any) -> None:
    """Where the file is too large all the same, the older half of the time that its minutes are of goes, and so on."""
    most_pages = MOST_BYTES // conn.execute("pragma page_size").fetchone()[0]
    for span_s in (MINUTE, HOUR, DAY):
        for _ in range(MOST_HALVINGS):
            pages, free = (conn.execute(f"pragma {name}").fetchone()[0] for name in ("page_count", "freelist_count"))
            if pages - free <= most_pages:
                return
            for table in TABLES:
                middle = f"select (min(began_us) + max(began_us)) / 2 from {table.name} where span_s = ?"  # noqa: S608  own names
                older = f"delete from {table.name} where span_s = ? and began_us <= ({middle})"  # noqa: S608  own names
                conn.execute(older, (span_s, span_s))
