"""The alerts of a root as rows of its health.sqlite: one row for each time that something was wrong.

A row is open until it is resolved; of one name at most one is open, which the file itself sees to. Who writes does it
in a transaction of his own: what one evaluation found is one step.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eyelet_ingest.store.metrics import Metrics

FIRING, ACKNOWLEDGED, RESOLVED = "firing", "acknowledged", "resolved"
LEASE_US = 60_000_000  # who was to tell of an alert and died is no longer waited for
KEPT_US = 90 * 86_400_000_000  # resolved alerts
_COLUMNS = (
    "name, level, message, evidence, fix, since_us, changed_us, state, eased_us, told_us, telling_us, "
    "acknowledged_by, id"
)


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that is, or was, wrong.

    `level` is warn or error, `evidence` JSON text of figures, `fix` a command or what to do. `since_us` is when it
    began, `changed_us` when state or level last did, `told_us` when that was told, None where it was not. `eased_us`:
    since when it is better than its level says, which must last a while to count. `id` is 0 before it is stored.
    """

    name: str
    level: str
    message: str
    evidence: str
    fix: str
    since_us: int
    changed_us: int
    state: str = FIRING
    eased_us: int | None = None
    told_us: int | None = None
    telling_us: int | None = None
    acknowledged_by: str = ""
    id: int = 0

    @property
    def is_open(self) -> bool:
        return self.state != RESOLVED


_OPEN = f"select {_COLUMNS} from alerts where state <> 'resolved' order by level <> 'error', since_us, id limit ?"  # noqa: S608
_RESOLVED = (
    f"select {_COLUMNS} from alerts where state = 'resolved' and changed_us >= ? "  # noqa: S608  our own names
    "order by changed_us desc, id desc limit ?"
)
# Of the others a change is still to be told: not of what was acknowledged, nor the end of what nobody was told of.
_TO_TELL = (
    f"select {_COLUMNS} from alerts where state <> 'acknowledged' "  # noqa: S608  our own names
    "and (told_us < changed_us or told_us is null and state = 'firing') "
    "and (telling_us is null or telling_us < ? or telling_us > ?) order by id limit ?"
)


def read_open(metrics: "Metrics", most: int) -> list[Alert]:
    """Those that fire or are acknowledged: errors first, then the oldest. RootError where they cannot be read."""
    return _alerts(metrics._rows(_OPEN, most))


def read_resolved(metrics: "Metrics", since_us: int, most: int) -> list[Alert]:
    """Those that were resolved since then, newest first. RootError likewise."""
    return _alerts(metrics._rows(_RESOLVED, since_us, most))


def open_alerts(conn: Any) -> list[Alert]:
    """All of `read_open`, inside a transaction."""
    return _alerts(conn.execute(_OPEN, (-1,)))


def begun_since(conn: Any, since_us: int) -> dict[str, int]:
    """How often each name began since then."""
    sql = "select name, count(*) from alerts where since_us >= ? group by name"
    return {name: int(count) for name, count in conn.execute(sql, (since_us,))}


def add(conn: Any, alert: Alert) -> None:
    sql = (
        "insert into alerts (name, level, message, evidence, fix, since_us, changed_us, state, acknowledged_by) "
        "values (?, ?, ?, ?, ?, ?, ?, ?, '')"
    )
    given = (alert.level, alert.message, alert.evidence, alert.fix, alert.since_us, alert.changed_us, alert.state)
    conn.execute(sql, (alert.name, *given))


def change(conn: Any, alert: Alert) -> None:
    """Write what may change of a stored alert; who is told of it is not touched."""
    sql = (
        "update alerts set level = ?, message = ?, evidence = ?, fix = ?, changed_us = ?, state = ?, eased_us = ?, "
        "acknowledged_by = ? where id = ?"
    )
    given = (alert.level, alert.message, alert.evidence, alert.fix, alert.changed_us, alert.state, alert.eased_us)
    conn.execute(sql, (*given, alert.acknowledged_by, alert.id))


def forget(conn: Any, now_us: int) -> None:
    """Remove what was resolved long ago."""
    conn.execute("delete from alerts where state = 'resolved' and changed_us < ?", (now_us - KEPT_US,))


def claim(conn: Any, now_us: int, most: int) -> list[Alert]:
    """Those of which a change is still to be told, now this caller's to tell: nobody else tells them meanwhile."""
    found = _alerts(conn.execute(_TO_TELL, (now_us - LEASE_US, now_us, most)))
    conn.executemany("update alerts set telling_us = ? where id = ?", [(now_us, alert.id) for alert in found])
    return found


def told(conn: Any, alerts: list[Alert], now_us: int) -> None:
    """These were told. What changed meanwhile is still to be told."""
    sql = "update alerts set told_us = max(?, changed_us), telling_us = null where id = ? and changed_us = ?"
    conn.executemany(sql, [(now_us, alert.id, alert.changed_us) for alert in alerts])
    release(conn, alerts)


def release(conn: Any, alerts: list[Alert]) -> None:
    """These were not told: whoever evaluates next may try."""
    conn.executemany("update alerts set telling_us = null where id = ?", [(alert.id,) for alert in alerts])


def acknowledge(conn: Any, name: str, who: str) -> bool:
    """Somebody knows of it: told no more, until it gets worse or is over. False where nothing fires by the name."""
    sql = "update alerts set state = 'acknowledged', acknowledged_by = ? where name = ? and state = 'firing'"
    return int(conn.execute(sql, (who, name)).rowcount) > 0


def _alerts(rows: Iterable[Any]) -> list[Alert]:
    return [Alert(*row) for row in rows]
