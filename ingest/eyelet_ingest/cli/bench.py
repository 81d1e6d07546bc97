"""`eyelet bench`: generated rows written and asked in two layouts, in a folder of their own; and what was measured."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from eyelet_ingest.cli.options import WholeNumber, root_option
from eyelet_ingest.errors import BadInput

if TYPE_CHECKING:
    from eyelet_ingest.bench.measure import Measure
    from eyelet_ingest.bench.results import Result
    from eyelet_ingest.bench.run import Asked
    from eyelet_ingest.bench.scenario import Scenario

LIMITED = 3  # the exit status where the time limit came first
ROWS_BY_DEFAULT = 10_000


@click.command()
@click.option("--scenario", metavar="NAME", help="A, B, C, D or W9 (docs/bench.md). Without it, own parameters.")
@click.option("--contexts", type=WholeNumber(1), metavar="N", help="Contexts.")
@click.option("--days", type=WholeNumber(1), metavar="N", help="Days of each context.")
@click.option("--rows", "rows_a_day", type=WholeNumber(1), metavar="N", help="Rows of each day.")
@click.option("--depth", "src_depth", type=WholeNumber(1), metavar="N", help="Names in each src, 2 to 8.")
@click.option("--payload", "payload_bytes", type=WholeNumber(1), metavar="BYTES", help="Size of a payload, about.")
@click.option("--errors", "error_percent", type=float, metavar="PERCENT", help="Calls that fail, of a hundred.")
@click.option("--session", "session_rows", type=WholeNumber(1), metavar="N", help="Rows of a session.")
@click.option("--readers", type=WholeNumber(1), metavar="N", help="How many ask at once.")
@click.option("--scale", type=float, default=1.0, metavar="SHARE", help="So much of each day's rows, as in 0.01.")
@click.option("--seed", type=WholeNumber(0, 2**31), default=1, metavar="N", help="The same seed, the same rows.")
@click.option("--limit", type=float, default=0.0, metavar="SECONDS", help="End after so long.", show_default=False)
@click.option("--keep", metavar="FOLDER", help="Work in this new folder, and leave it there.")
@click.option("--nice", type=WholeNumber(0, 19), default=0, metavar="N", help="Give way to other programs, 0 to 19.")
@click.option("--list", "listed", is_flag=True, help="What was measured so far.")
@click.option("--compare", nargs=2, type=WholeNumber(1), metavar="N M", help="Two results side by side.")
@click.option("--json", "as_json", is_flag=True, help="One object.")
@click.option("--until-input-ends", is_flag=True, hidden=True)
@root_option
def bench(
    scenario: str | None,
    scale: float,
    seed: int,
    limit: float,
    keep: str | None,
    nice: int,
    listed: bool,
    compare: tuple[int, int] | None,
    as_json: bool,
    until_input_ends: bool,
    root: str,
    **own: int | float | None,
) -> None:
    """Measure days against one file: generated rows, written and asked in both layouts in turn.

    It works in a folder of its own beside the root, which it removes; nothing of yours is read or written. Results are
    kept in bench.jsonl beside the settings.
    """
    from eyelet_ingest import surroundings

    home = surroundings.home()
    if listed or compare:
        _show_kept(home, compare, as_json)
        return
    if not 0 <= limit <= 7 * 86_400:
        raise BadInput("use --limit", f"{limit:g}", "it is a number of seconds, a week at most", "0 is no limit")
    asked = _asked(_chosen(scenario, {name: value for name, value in own.items() if value is not None}, scale), root)
    asked = _with(asked, scale=scale, seed=seed, limit_s=limit, keep=keep)
    if nice and hasattr(os, "nice"):
        os.nice(nice)
    with _ending(until_input_ends) as ended, _told(ended) as tell:
        from eyelet_ingest.bench import run

        result = run.run(home, asked, tell)
    _show(home, result, as_json)
    if result.state == "limit":
        click.echo(f"the limit of {limit:g} s came first: what was measured until then is kept", err=True)
        click.get_current_context().exit(LIMITED)


def _chosen(name: str | None, own: "dict[str, int | float]", scale: float) -> "Scenario":
    from eyelet_ingest.bench import scenario

    base = scenario.named(name) if name else scenario.Scenario(scenario.OWN, rows_a_day=ROWS_BY_DEFAULT)
    if not (name or own):
        hint = "such as --scenario A --scale 0.01, or --days 7 --rows 1000"
        raise BadInput("measure", reason="say what", hint=hint)
    return scenario.with_own(base, own).scaled(scale)


def _asked(about: "Scenario", root: str) -> "Asked":
    from eyelet_ingest.bench import scratch
    from eyelet_ingest.bench.run import Asked

    return Asked(about, 1.0, 1, scratch.place_beside(root), is_kept=False)


def _with(asked: "Asked", *, scale: float, seed: int, limit_s: float, keep: str | None) -> "Asked":
    from dataclasses import replace

    asked = replace(asked, scale=scale, seed=seed, limit_s=limit_s)
    if keep is None:
        return asked
    return replace(asked, folder=os.path.abspath(os.path.expanduser(keep)), is_kept=True)


@contextmanager
def _ending(with_input: bool) -> Iterator[threading.Event]:
    """A signal to end is like Ctrl-C, so that the folder goes; with `with_input` so is the end of standard input: who
    began this died. Further ones are not heard, as they would stop the removal. The event is set by the first: where
    it comes at a moment at which Python drops what a handler raises, who looks at it ends."""
    ended = threading.Event()

    def interrupt(*_: object) -> None:
        if not ended.is_set():
            ended.set()
            raise KeyboardInterrupt

    before = {one: signal.signal(one, interrupt) for one in (signal.SIGINT, signal.SIGTERM, *_hang_up())}
    if with_input:
        threading.Thread(target=_end_with_input, daemon=True).start()
    try:
        yield ended
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _hang_up() -> tuple[signal.Signals, ...]:
    return (signal.SIGHUP,) if hasattr(signal, "SIGHUP") else ()


def _end_with_input() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    signal.raise_signal(signal.SIGTERM)


@contextmanager
def _told(ended: threading.Event) -> "Iterator[Callable[[str, float], None]]":
    """How far it is, on standard error: one line that changes on a terminal, else a line for each stage. Who tells it
    after `ended` is interrupted."""
    last = [""]
    on_terminal = sys.stderr.isatty()

    def tell(stage: str, part: float) -> None:
        if ended.is_set():
            raise KeyboardInterrupt
        if on_terminal:
            line = f"{part * 100:3.0f} %  {stage}"
            if line != last[0]:
                sys.stderr.write(f"\r\x1b[K{line}")
                sys.stderr.flush()
            last[0] = line
        elif stage != last[0]:
            click.echo(f"{part * 100:3.0f} %  {stage}", err=True)
            last[0] = stage

    try:
        yield tell
    finally:
        if on_terminal and last[0]:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def _show(home: str, result: "Result", as_json: bool) -> None:
    from eyelet_ingest.bench import results
    from eyelet_ingest.cli import output

    if as_json:
        output.write_lines(sys.stdout, [output.json_value(result.as_json())])
        return
    before = results.like(results.known(home), result)
    output.write_lines(sys.stdout, [*_head(result), ""])
    columns = [
        output.Column("", 20, 50),
        output.Column("days", 6, 12, right=True),
        output.Column("p99", 4, 10, right=True),
        output.Column("single file", 6, 12, right=True),
        output.Column("p99", 4, 10, right=True),
        output.Column("÷", 5, 8, right=True),
        output.Column("÷ cpu", 5, 8, right=True),
        *([output.Column(f"÷ in {before.number}", 6, 10, right=True)] if before else []),
        output.Column("stated by the predecessor, not measured here", 12, 44),
    ]
    drawn = output.Table(columns, output.terminal_width(sys.stdout))
    output.write_lines(sys.stdout, drawn.lines([_cells(one, before) for one in result.measures]))
    output.write_lines(
        sys.stdout,
        ["", f"Kept as result {result.number}. ÷ is days ÷ single file, of time: below 1 the days are better."],
    )


def _head(result: "Result") -> Iterator[str]:
    about, machine = result.scenario, result.machine
    rows = f"{about.name}: {about.said()}, payloads of about {about.payload_bytes:,} bytes"
    yield f"{rows}, seed {result.seed}, scale {result.scale:g}"
    yield (
        f"{machine.cores} cores, {machine.system}, Python {machine.python}, SQLite {machine.sqlite}; "
        f"load {result.load[0]:g} before, {result.load[1]:g} after; {result.took_s:,.0f} s"
    )
    days, single = (size / 1e6 for size in result.bytes)
    handles = f"{result.handles[0]:,} days open after asking"
    yield f"on the disk: days {days:,.1f} MB, single file {single:,.1f} MB; {handles}"


def _cells(one: "Measure", before: "Result | None") -> list[str]:
    from eyelet_ingest.bench import predecessor

    earlier = before.measure(one.name) if before else None
    return [
        one.title,
        *(cell for side in (one.days, one.single) for cell in _side(side.p50, side.p99, one.unit)),
        _times(one.ratio),
        _times(one.cpu_ratio) if one.cpu_ratio else "",
        *([_times(earlier.ratio) if earlier else ""] if before else []),
        predecessor.STATED.get(one.name, ""),
    ]


def _times(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio < 100 else f"{ratio:,.0f}"


def _side(p50: float, p99: float, unit: str) -> tuple[str, str]:
    if unit == "ms":
        return f"{p50:,.2f} ms", f"{p99:,.2f}"
    return (f"{p50:,.0f}/s" if unit == "/s" else f"{p50:,.1f} {unit}"), ""


def _show_kept(home: str, compare: tuple[int, int] | None, as_json: bool) -> None:
    from eyelet_ingest.bench import results
    from eyelet_ingest.cli import output

    if compare:
        one, other = (results.numbered(home, number) for number in compare)
        if as_json:
            output.write_lines(sys.stdout, [output.json_value({"results": [one.as_json(), other.as_json()]})])
        else:
            output.write_lines(sys.stdout, _compared(one, other))
        return
    there = results.known(home)
    if as_json:
        output.write_lines(sys.stdout, [output.json_value({"results": [one.as_json() for one in there]})])
        return
    if not there:
        click.echo("nothing was measured yet: try eyelet bench --scenario A --scale 0.01", err=True)
        return
    columns = [
        output.Column("number", 6, 8, right=True),
        output.Column("at (UTC)", 16, 19),
        output.Column("scenario", 4, 12),
    ]
    columns += [output.Column("what", 20, 60), output.Column("took", 4, 10, right=True), output.Column("load", 4, 12)]
    drawn = output.Table([*columns, output.Column("median ÷", 6, 8, right=True)], output.terminal_width(sys.stdout))
    output.write_lines(sys.stdout, drawn.lines([_line(one) for one in there]))


def _line(one: "Result") -> list[str]:
    from eyelet_ingest.cli.days import instant

    took = f"{one.took_s:,.0f} s" + (", limit" if one.state == "limit" else "")
    load = f"{one.load[0]:g}, {one.load[1]:g}"
    middle = f"{one.middle_ratio:.2f}" if one.measures else ""
    return [str(one.number), instant(one.made_at_us), one.scenario.name, one.scenario.said(), took, load, middle]


def _compared(one: "Result", other: "Result") -> Iterator[str]:
    from eyelet_ingest.cli import output

    for result in (one, other):
        yield f"{result.number}: " + next(_head(result))
    if not one.is_like(other):
        yield "They measured different work: what follows compares little."
    yield ""
    columns = [output.Column("", 20, 50)]
    for result in (one, other):
        columns += [output.Column(f"days {result.number}", 6, 12, right=True), output.Column("÷", 5, 8, right=True)]
    drawn = output.Table([*columns, output.Column("÷ by ÷", 6, 8, right=True)], output.terminal_width(sys.stdout))
    rows = []
    for mine in one.measures:
        theirs = other.measure(mine.name)
        if theirs is not None:
            cells = [
                cell for each in (mine, theirs) for cell in (_side(each.days.p50, 0, each.unit)[0], _times(each.ratio))
            ]
            rows.append([mine.title, *cells, f"{theirs.ratio / mine.ratio:.2f}" if mine.ratio else ""])
    yield from drawn.lines(rows)
