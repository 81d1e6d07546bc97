"""`eyelet metrics`: how long things took, what connections and write-ahead logs did, and other figures of a root."""

import sys
import time
from datetime import timezone
from typing import TYPE_CHECKING

import click

from eyelet_ingest.cli.options import root_option

if TYPE_CHECKING:
    from eyelet_ingest.store.metrics import Checkpointing, Metrics, Timing

LIST_MOST = 10  # checkpoints that are listed


@click.command()
@click.option("--since", metavar="TIME", default="24h", help="From this time on: 6h, today, 2026-07-31.")
@click.option("--json", "as_json", is_flag=True, help="One object.")
@click.option("--prometheus", "as_prometheus", is_flag=True, help="As Prometheus reads it; since they are kept.")
@root_option
def metrics(since: str, as_json: bool, as_prometheus: bool, root: str) -> None:
    """How long things took, and other figures that are kept of this root."""
    from eyelet_ingest import ranges
    from eyelet_ingest.cli import output
    from eyelet_ingest.store.metrics import Metrics

    if as_json and as_prometheus:
        raise click.UsageError("--json and --prometheus are two answers: name one.")
    if as_prometheus:
        from eyelet_ingest.health import prometheus

        output.write_lines(sys.stdout, prometheus.text(root).splitlines())
        return
    now_us = time.time_ns() // 1_000
    since_us = ranges.parse_instant(since, now_us=now_us, tz=timezone.utc)
    with Metrics(root) as kept:
        facts = _facts(kept, since_us, now_us + 1)
        if as_json:
            output.write_lines(sys.stdout, [output.json_value(facts)])
            return
        timings, done = kept.timings(since_us, now_us + 1), kept.checkpoints(since_us, now_us + 1)
        if kept.made_us() is None:
            click.echo("eyelet: no figures are kept here yet (a server keeps them, and commands that write)", err=True)
    lines = [*_timed(timings), *_said(facts), *_checkpoints(done)]
    output.write_lines(sys.stdout, [output.visible(line) for line in lines])


def _facts(kept: "Metrics", since_us: int, until_us: int) -> dict[str, object]:
    timings = []
    for one in kept.timings(since_us, until_us):
        named = {name: getattr(one, name) for name in one.__dataclass_fields__ if name != "buckets"}
        timings.append(named)
    done = kept.checkpoints(since_us, until_us)
    return {
        "since_us": since_us,
        "timings": timings,
        "connections": kept.connections(since_us, until_us),
        "gauges": {name: value for name, (value, _) in sorted(kept.gauges().items())},
        "indexes": kept.indexes(since_us, until_us),
        "checkpoints": [{name: getattr(one, name) for name in one.__dataclass_fields__} for one in done[:LIST_MOST]],
    }


def _timed(timings: "list[Timing]") -> list[str]:
    from eyelet_ingest.cli import output

    if not timings:
        return []
    columns = [output.Column("what", 10, 20)]
    columns += [output.Column(name, 7, 12, right=True) for name in ("times", "p50 ms", "p95 ms", "p99 ms", "worst ms")]
    columns += [output.Column(name, 6, 12, right=True) for name in ("errors", "anew", "waits")]
    rows = []
    for one in timings:
        times = (one.p50_ms, one.p95_ms, one.p99_ms, one.max_ms)
        counts = (one.errors, one.retries, one.lock_waits)
        rows.append([one.op, f"{one.count:,}", *(_ms(time) for time in times), *(f"{count:,}" for count in counts)])
    return [*output.Table(columns, output.terminal_width(sys.stdout)).lines(rows), ""]


def _ms(time_ms: float | None) -> str:
    return "" if time_ms is None else f"{time_ms:,.2f}" if time_ms < 100 else f"{time_ms:,.0f}"


def _said(facts: dict[str, object]) -> list[str]:
    lines = []
    for group in ("gauges", "connections", "indexes"):
        values = facts[group]
        assert isinstance(values, dict)
        for name, value in values.items():
            of = {"gauges": "", "connections": "connections ", "indexes": "index "}[group]
            lines.append(f"{of + (name or '(the table in its own order)'):44}{_plain(float(value)):>20}")
    return lines


def _plain(value: float) -> str:
    return f"{int(value):,}" if value == int(value) else f"{value:,.2f}"


def _checkpoints(done: "list[Checkpointing]") -> list[str]:
    if not done:
        return []
    from eyelet_ingest.cli.days import instant

    lines = ["", f"checkpoints, the last {min(len(done), LIST_MOST)} of {len(done):,}"]
    for one in done[:LIST_MOST]:
        became = (
            f"{one.mode}, {one.moved:,} of {one.frames:,} pages in {one.took_us / 1_000:,.1f} ms" if one.mode else ""
        )
        hindered = "somebody wrote" if not one.mode else "others were in its way" if one.busy else ""
        said = ", ".join(part for part in (became, hindered, one.error) if part)
        lines.append(f"{instant(one.at_us)}  {one.context} {one.day}  {one.by}: {said}")
    return lines
