"""The newest figures of a root as families of samples, for whoever exports them: `prometheus.py`, `otel.py`.

Names and units follow Prometheus's rules (https://prometheus.io/docs/practices/naming/): a prefix, base units (seconds,
bytes), counters end with `_total`. Counters and histograms add up since `health.sqlite` was made.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from eyelet_ingest import __version__
from eyelet_ingest.store import connect
from eyelet_ingest.store.metrics import Metrics, Timing
from eyelet_ingest.store.metrics_schema import CONNECTIONS
from eyelet_ingest.store.timings import BOUNDS_US

COUNTER, GAUGE, HISTOGRAM = "counter", "gauge", "histogram"
ROLES = ("hook", "server", "command", "library")
# Every third bound: 10, 25 and 50 µs, and so on, which are whole buckets added up.
LE_AT = tuple(at for at in range(len(BOUNDS_US)) if at % 10 in (0, 4, 7))
LE_S = tuple(BOUNDS_US[at] / 1_000_000 for at in LE_AT)

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Spread:
    """A histogram: how many took up to each of LE_S, rising; how many in all; their sum in seconds."""

    up_to: tuple[int, ...]
    count: int
    sum_s: float


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: a name without unit of time or type left out, what it says, and its samples by their labels."""

    name: str
    kind: str
    help: str
    samples: tuple[tuple[Labels, "float | Spread"], ...]


_CONNECTIONS = {
    "opened": ("eyelet_connections_opened_total", "Read-only connections that were opened."),
    "hits": ("eyelet_connections_reused_total", "Questions that found a connection open."),
    "misses": ("eyelet_connections_missed_total", "Questions that found none."),
    "evictions": ("eyelet_connections_evicted_total", "Connections that were closed to make room."),
    "idle_closes": ("eyelet_connections_idled_total", "Connections that were closed because nobody asked."),
    "replaced": ("eyelet_connections_replaced_total", "Connections that were broken, or whose file was another."),
    "questions": ("eyelet_questions_total", "Questions that days were asked."),
    "slow": ("eyelet_questions_slow_total", "Questions that took longer than half a second."),
    "scanned": ("eyelet_partitions_scanned_total", "Days that answered, over all questions."),
    "skipped": ("eyelet_partitions_skipped_total", "Days that could not have an answer, and were not opened."),
    "unasked": ("eyelet_partitions_unasked_total", "Days that were not come to in time."),
    "read_errors": ("eyelet_partitions_unreadable_total", "Days that could not answer."),
    "write_errors": ("eyelet_partitions_refused_total", "Days that refused events."),
}
_GAUGES = {
    "days": "Days that are there.",
    "days_bytes": "Their files, without what stands in write-ahead logs.",
    "wal_days": "Days that have a write-ahead log.",
    "wal_bytes": "All write-ahead logs together.",
    "wal_largest_bytes": "The longest write-ahead log.",
    "spool_events": "Events that wait in the spool.",
    "disk_free_bytes": "Free room on the disk of the root.",
    "disk_bytes": "The size of that disk.",
    "load": "The machine's load over the last minute.",
    "process_files": "Files that the server has open.",
    "process_files_limit": "Files that it may have open.",
    "process_most_bytes": "The most memory that it took.",
    "score": "The score of health, from 0 to 100.",
}


def of(metrics: Metrics) -> Iterator[Family]:
    """All there are, each once; those without a sample are left out. RootError where the file cannot be read."""
    version = {"version": __version__, "sqlite": connect.driver().sqlite_version}
    yield Family("eyelet_info", GAUGE, "The version of eyelet, and of its SQLite.", ((version, 1.0),))
    yield from _of_operations([(role, one) for role in ROLES for one in metrics.total(role)])
    connections = metrics.connections()
    if connections:
        opened = ((_NONE, float(connections["open_now"])),)
        yield Family("eyelet_connections_open_most", GAUGE, "The most connections that were open at once.", opened)
    for name in CONNECTIONS if connections else ():
        said, told = _CONNECTIONS[name]
        yield Family(said, COUNTER, told, ((_NONE, float(connections[name])),))
    uses = metrics.index_totals()
    if uses:
        named = tuple(({"index": name or "none"}, float(count)) for name, count in sorted(uses.items()))
        yield Family("eyelet_index_uses_total", COUNTER, "Days that were asked by an index, or by none.", named)
    yield from _of_gauges(metrics)
    firing = tuple(({"name": name, "level": level, "state": state}, 1.0) for name, level, state in metrics.firing())
    if firing:
        yield Family("eyelet_alert", GAUGE, "Alerts that are not resolved.", firing)


_NONE: Labels = {}


def _of_operations(timings: list[tuple[str, Timing]]) -> Iterator[Family]:
    if not timings:
        return
    labelled = [({"op": one.op, "role": role}, one) for role, one in timings]
    spreads = tuple((labels, _spread(one)) for labels, one in labelled)
    yield Family("eyelet_operation_duration_seconds", HISTOGRAM, "How long things took, by who did them.", spreads)
    counts = {
        "eyelet_operation_errors_total": ("What failed.", "errors"),
        "eyelet_operation_retries_total": ("What was begun anew, because others were in the way.", "retries"),
        "eyelet_operation_lock_waits_total": ("What found the lock of a day taken.", "lock_waits"),
    }
    for name, (told, field) in counts.items():
        yield Family(name, COUNTER, told, tuple((labels, float(getattr(one, field))) for labels, one in labelled))


def _of_gauges(metrics: Metrics) -> Iterator[Family]:
    """Those of `metering.gauges`, and the score's areas as one family with a label."""
    areas = []
    for name, (value, _) in sorted(metrics.gauges().items()):
        if name.startswith("score."):
            areas.append(({"area": name.removeprefix("score.")}, value))
        elif name in _GAUGES:
            yield Family(f"eyelet_{name}", GAUGE, _GAUGES[name], ((_NONE, value),))
    if areas:
        yield Family("eyelet_area_score", GAUGE, "The score of each area of health, from 0 to 100.", tuple(areas))


def _spread(one: Timing) -> Spread:
    up_to, passed, bucket = [], 0, 0
    for at in LE_AT:
        while bucket <= at:
            passed += one.buckets.get(bucket, 0)
            bucket += 1
        up_to.append(passed)
    return Spread(tuple(up_to), one.count, one.sum_ms / 1_000)
