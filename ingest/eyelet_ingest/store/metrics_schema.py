"""The schema of `health.sqlite`, in steps that are only added to, and how rows of it are merged.

Every figure is kept for a stretch of time: `span_s` long, from `began_us` on. The stretches are minutes, hours and
days of UTC, and one of 0 seconds from 0 on, which is all time since the file was made. To merge two rows of the same
keys is to add sums, to take the larger maximum, and so on, as `TABLES` says of each column.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eyelet_ingest.errors import RootError
from eyelet_ingest.store import connect
from eyelet_ingest.store.timings import BOUNDS_US

MINUTE, HOUR, DAY = 60, 3_600, 86_400
ALL_TIME = 0
S_US = 1_000_000  # microseconds of a second
MORE = "more"  # the bucket without a bound

_STEP_1 = (
    """
    create table query_performance (
        span_s integer not null,
        began_us integer not null,
        op text not null,
        role text not null,
        count integer not null,
        errors integer not null,
        retries integer not null,
        lock_waits integer not null,
        sum_us integer not null,
        max_us integer not null,
        buckets text not null check (json_valid(buckets)),
        primary key (span_s, began_us, op, role)
    ) without rowid
    """,
    """
    create table connection_metrics (
        span_s integer not null,
        began_us integer not null,
        role text not null,
        open_now integer not null,
        opened integer not null,
        hits integer not null,
        misses integer not null,
        evictions integer not null,
        idle_closes integer not null,
        replaced integer not null,
        questions integer not null,
        slow integer not null,
        scanned integer not null,
        skipped integer not null,
        unasked integer not null,
        read_errors integer not null,
        write_errors integer not null,
        primary key (span_s, began_us, role)
    ) without rowid
    """,
    """
    create table system_health (
        span_s integer not null,
        began_us integer not null,
        name text not null,
        count integer not null,
        sum real not null,
        least real not null,
        most real not null,
        last real not null,
        primary key (span_s, began_us, name)
    ) without rowid
    """,
    """
    create table index_use (
        span_s integer not null,
        began_us integer not null,
        name text not null,
        count integer not null,
        primary key (span_s, began_us, name)
    ) without rowid
    """,
    """
    create table wal_metrics (
        id integer primary key,
        at_us integer not null,
        context text not null,
        day text not null,
        by text not null,
        mode text not null,
        wal_bytes integer not null,
        wal_bytes_after integer not null,
        frames integer not null,
        moved integer not null,
        busy integer not null,
        took_us integer not null,
        error text not null
    )
    """,
    "create index wal_metrics_by_time on wal_metrics (at_us)",
    """
    create table alerts (
        id integer primary key autoincrement,
        name text not null,
        level text not null check (level in ('warn', 'error')),
        message text not null,
        evidence text not null check (json_valid(evidence)),
        fix text not null,
        since_us integer not null,
        changed_us integer not null,
        state text not null check (state in ('firing', 'acknowledged', 'resolved')),
        eased_us integer,
        told_us integer,
        telling_us integer,
        acknowledged_by text not null default ''
    )
    """,
    "create unique index alerts_open on alerts (name) where state <> 'resolved'",
    "create index alerts_by_change on alerts (changed_us)",
    """
    create table checks (
        name text not null,
        key text not null,
        state text not null,
        said text not null,
        at_us integer not null,
        primary key (name, key)
    ) without rowid
    """,
    "create table kept (name text primary key, value text not null) without rowid",
)
STEPS: tuple[tuple[str, ...], ...] = (_STEP_1,)
VERSION = len(STEPS)


@dataclass(frozen=True, slots=True)
class Table:
    """A table of stretches of time: its keys besides the stretch, and how each other column is merged."""

    name: str
    keys: tuple[str, ...]
    columns: Mapping[str, str]  # column → one of _MERGED

    @property
    def all(self) -> tuple[str, ...]:
        return ("span_s", "began_us", *self.keys, *self.columns)

    @property
    def upsert(self) -> str:
        """Add a row, or merge it with the one that is there."""
        return f"insert into {self.name} ({', '.join(self.all)}) values ({', '.join('?' * len(self.all))}) {self._on}"  # noqa: S608  own names

    @property
    def roll_up(self) -> str:
        """Merge the rows of a span up to a moment into longer stretches; bound: the longer span, that in µs twice, the
        span, the moment."""
        rest = ", ".join((*self.keys, *self.columns))
        return (
            f"insert into {self.name} ({', '.join(self.all)}) select ?, began_us / ? * ?, {rest} from {self.name} "  # noqa: S608
            f"where span_s = ? and began_us < ? order by began_us {self._on}"
        )

    @property
    def _on(self) -> str:
        merged = ", ".join(f"{name} = " + _MERGED[how].format(name=name) for name, how in self.columns.items())
        return f"on conflict (span_s, began_us, {', '.join(self.keys)}) do update set {merged}"


_MERGED = {
    "sum": "{name} + excluded.{name}",
    "most": "max({name}, excluded.{name})",
    "least": "min({name}, excluded.{name})",
    "last": "excluded.{name}",
    "buckets": "eyelet_merged({name}, excluded.{name})",
}
_SUMS = dict.fromkeys(("count", "errors", "retries", "lock_waits", "sum_us"), "sum")
CONNECTIONS = (
    *("opened", "hits", "misses", "evictions", "idle_closes", "replaced", "questions", "slow"),
    *("scanned", "skipped", "unasked", "read_errors", "write_errors"),
)
PERFORMANCE = Table("query_performance", ("op", "role"), {**_SUMS, "max_us": "most", "buckets": "buckets"})
CONNECTED = Table("connection_metrics", ("role",), {"open_now": "most", **dict.fromkeys(CONNECTIONS, "sum")})
GAUGES = Table(
    "system_health", ("name",), {"count": "sum", "sum": "sum", "least": "least", "most": "most", "last": "last"}
)
INDEXES = Table("index_use", ("name",), {"count": "sum"})
TABLES = (PERFORMANCE, CONNECTED, GAUGES, INDEXES)


def bring_up(conn: Any, path: str) -> None:
    """Take the steps that the file lacks, in one transaction; RootError for one that a newer version made. It may be
    merged into afterwards."""
    version = conn.execute("pragma user_version").fetchone()[0]
    expect_known(version, path)
    if version < VERSION:
        with connect.transaction(conn):
            version = conn.execute("pragma user_version").fetchone()[0]  # another may have been first
            for step in STEPS[version:]:
                for statement in step:
                    conn.execute(statement)
            conn.execute(f"pragma user_version = {VERSION}")
    conn.create_function("eyelet_merged", 2, _merged, deterministic=True)


def expect_known(version: int, path: str) -> None:
    """RootError for the file of a newer version."""
    if version > VERSION:
        raise RootError("open", path, f"a newer version made it ({version} > {VERSION})", "update eyelet")


def text_of(buckets: Mapping[int, int]) -> str:
    """Buckets as they are stored: a JSON object, upper bound in µs → how often."""
    return json.dumps({_NAMES[bucket]: buckets[bucket] for bucket in sorted(buckets)}, separators=(",", ":"))


_NAMES = (*(f"{bound:.12g}" for bound in BOUNDS_US), MORE)
_BUCKETS = {name: bucket for bucket, name in enumerate(_NAMES)}


def buckets_of(text: str) -> dict[int, int]:
    """Stored buckets as bucket → how often; names that no bucket has are passed over."""
    return {_BUCKETS[name]: int(count) for name, count in json.loads(text).items() if name in _BUCKETS}


def _merged(one: str, other: str) -> str:
    merged = buckets_of(one)
    for bucket, count in buckets_of(other).items():
        merged[bucket] = merged.get(bucket, 0) + count
    return text_of(merged)
