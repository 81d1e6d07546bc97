"""`eyelet import-history`: what the agents of this machine left, in all projects; with --watch what they write, too."""

import json
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import click

from eyelet_ingest.cli import INTERRUPTED, output, recorded
from eyelet_ingest.cli.ingest import COUNTS, list_troubles, settle
from eyelet_ingest.cli.options import maintain, now_us, root_option
from eyelet_ingest.sources.places import PLACES

if TYPE_CHECKING:
    from eyelet_ingest.history import History, Left, Passed
    from eyelet_ingest.history_import import Brought

SOMETHING_MISSING = 1  # the exit status: quarantined, or not readable
PASSED_SHOWN = 20
COLUMNS = (
    output.Column("agent", 8, 14),
    output.Column("files", 5, 12, right=True),
    output.Column("sessions", 8, 12, right=True),
    output.Column("size", 4, 10, right=True),
    output.Column("oldest", 10, 10),
    output.Column("newest", 10, 10),
)


@click.command("import-history")
@click.option("--dry-run", is_flag=True, help="Say what there is, and import nothing.")
@click.option(
    "--agent",
    "agents",
    multiple=True,
    metavar="NAME",
    shell_complete=recorded.words(*PLACES),
    help=f"Only this agent's: {', '.join(PLACES)}.",
)
@click.option("--since", metavar="TIME", default="", show_default=False, help="Only files written to since this time.")
@click.option("--watch", is_flag=True, help="Go on with what the agents write, until Ctrl-C.")
@click.option("--force", is_flag=True, help="Read all again, and store again what was deleted or retired earlier.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: what there is, and then the counts.")
@click.option(
    "--context",
    metavar="NAME",
    default="",
    show_default=False,
    shell_complete=recorded.contexts,
    help="The context to record into; else the one where a hook of the session's project records.",
)
@root_option
@click.pass_context
def import_history(
    ctx: click.Context,
    dry_run: bool,
    agents: tuple[str, ...],
    since: str,
    watch: bool,
    force: bool,
    as_json: bool,
    context: str,
    root: str,
) -> None:
    """Import what the agents of this machine left, newest first: Claude Code, Codex, Gemini CLI, Copilot, Cursor,
    OpenCode.

    Says first how much there is and how old it is. Again it imports only what is new; killed, it goes on.
    """
    from eyelet_ingest import history, ranges

    if dry_run and watch:
        raise click.UsageError("--dry-run only says what there is: leave out --watch.")
    since_us = ranges.parse_instant(since, now_us=now_us(), tz=ranges.zone("")) if since else 0
    found = history.find(agents, root=root, since_us=since_us)
    _say_found(found, as_json)
    _say_passed(found.passed)
    if dry_run:
        ctx.exit(SOMETHING_MISSING if found.passed else 0)
    done = _bring_in(found.left, root, context, force, as_json)
    if watch:
        named = {*found.passed, *done.passed}
        _say("Watching what the agents write, until Ctrl-C.", err=True)
        try:
            _watch(
                found.left, lambda: history.find(agents, root=root, since_us=since_us), root, context, as_json, named
            )
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)
    if done.passed or found.passed or done.ingested.quarantined:
        ctx.exit(SOMETHING_MISSING)


def _watch(
    known: "Sequence[Left]",
    look: "Callable[[], History]",
    root: str,
    context: str,
    as_json: bool,
    named: "set[Passed]",
) -> None:
    """Import what is written from now on, until somebody stops it. `known` was brought in; `named` was told."""
    from eyelet_ingest.history_watch import Watch, wait_s

    watch = Watch()
    watch.took(known, 0, time.monotonic())
    while True:
        started = time.monotonic()
        found = look()
        looked = time.monotonic()
        news = watch.news(found.left, looked)
        passed = found.passed
        if news:
            done = _bring_in(news, root, context, False, as_json, watching=True)
            watch.took(news, time.monotonic() - looked, time.monotonic())
            passed = [*passed, *done.passed]
        _say_passed([one for one in passed if one not in named])
        named.update(passed)
        time.sleep(wait_s(looked - started))


def _bring_in(
    left: "Sequence[Left]", root: str, context: str, force: bool, as_json: bool, *, watching: bool = False
) -> "Brought":
    """Import, with progress on a terminal, and say what became of it; `watching`, only where it is news."""
    from eyelet_ingest import history_import
    from eyelet_ingest.plugins import Plugins

    plugins = Plugins.load()
    if as_json or watching or not sys.stderr.isatty():
        done = history_import.bring_in(left, root, context or None, force=force, plugins=plugins)
    else:
        total = sum(one.size_bytes for one in left)
        with click.progressbar(length=total, label="Importing", file=sys.stderr) as bar:
            done = history_import.bring_in(
                left, root, context or None, progress=bar.update, force=force, plugins=plugins
            )
    ingested = done.ingested
    settle(plugins, root, ingested)
    if not watching:
        _say_passed(done.passed)
    for note in ingested.notes:
        _say(note, err=True)
    if ingested.troubles:
        list_troubles(ingested.troubles, ingested.quarantined, root)
    if not watching:
        _report(done, as_json)
    elif ingested.stored or ingested.quarantined:
        _report_news(left, done, as_json)
    maintain(root, ingested.days)
    return done


def _report_news(left: "Sequence[Left]", done: "Brought", as_json: bool) -> None:
    if as_json:
        _report(done, as_json)
        return
    agents = ", ".join(PLACES[agent].title for agent in PLACES if any(one.agent == agent for one in left))
    clock = datetime.now(timezone.utc).strftime("%H:%M:%S")
    bad = f", {done.ingested.quarantined:,} quarantined" if done.ingested.quarantined else ""
    _say(f"{clock} {agents}: {done.ingested.stored:,} stored{bad}")


def _say_found(found: "History", as_json: bool) -> None:
    """How much of each agent there is, and how old."""
    groups: dict[str, list[Left]] = {}
    for one in found.left:
        groups.setdefault(one.agent, []).append(one)
    if as_json:
        _say(json.dumps({"found": [_facts(agent, groups[agent]) for agent in PLACES if agent in groups]}))
        return
    if not groups:
        _say("There is nothing that an agent left.")
        return
    cells = [_cells(PLACES[agent].title, groups[agent]) for agent in PLACES if agent in groups]
    if len(cells) > 1:
        cells.append(_cells("all", found.left))
    output.write_lines(sys.stdout, output.Table(COLUMNS, output.terminal_width(sys.stdout)).lines(cells))


def _facts(agent: str, left: "list[Left]") -> dict[str, Any]:
    times_ns = [one.mtime_ns for one in left]
    return {
        "agent": agent,
        "files": len(left),
        "sessions": sum(one.sessions for one in left),
        "bytes": sum(one.size_bytes for one in left),
        "oldest_us": min(times_ns) // 1_000,
        "newest_us": max(times_ns) // 1_000,
    }


def _cells(title: str, left: "list[Left]") -> list[str]:
    facts = _facts(title, left)
    days = [
        datetime.fromtimestamp(facts[name] / 1e6, timezone.utc).date().isoformat()
        for name in ("oldest_us", "newest_us")
    ]
    return [
        title,
        f"{facts['files']:,}",
        f"{facts['sessions']:,}" if facts["sessions"] else "",
        _size(facts["bytes"]),
        *days,
    ]


def _size(size_bytes: int) -> str:
    size = float(size_bytes)
    for unit in ("B", "KB", "MB"):
        if size < 1_000:
            return f"{size:.0f} {unit}"
        size /= 1_000
    return f"{size:.1f} GB"


def _report(done: "Brought", as_json: bool) -> None:
    ingested = done.ingested
    if as_json:
        of_files = {name: getattr(done, name) for name in ("read", "known", "off", "awaited")}
        counts = {name: getattr(ingested, name) for name in COUNTS}
        _say(json.dumps({"files": {**of_files, "unreadable": len(done.passed)}, "records": counts}))
        return
    if ingested.deleted:
        _say(
            f"{ingested.deleted:,} records stayed away, deleted or retired earlier: --force brings them back.", err=True
        )
    if done.off:
        _say(f"{_files(done.off)} of projects where nothing is to be recorded: left out.", err=True)
    if done.awaited:
        _say(f"{_files(done.awaited)} being written to: the next import takes the last line.", err=True)
    said = f"Read {_files(done.read)} in {ingested.seconds:.1f} s, {done.known:,} unchanged"
    records = f"{ingested.read:,} records, {ingested.stored:,} stored, {ingested.duplicates:,} known already"
    _say(f"{said}: {records}, {ingested.quarantined:,} quarantined.")


def _say_passed(passed: "Sequence[Passed]") -> None:
    for one in passed[:PASSED_SHOWN]:
        _say(f"cannot read {one.path}: {one.reason}", err=True)
    if len(passed) > PASSED_SHOWN:
        _say(f"… and {len(passed) - PASSED_SHOWN:,} more that cannot be read", err=True)


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count:,} files"


def _say(text: str, *, err: bool = False) -> None:
    output.write_lines(sys.stderr if err else sys.stdout, [output.visible(text)])
