"""`eyelet log`: one event of any program, or one for each line of standard input."""

import json
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from eyelet_ingest.cli.options import context_option, now_us, root_option, utf8
from eyelet_ingest.errors import BadInput

if TYPE_CHECKING:
    from eyelet_ingest.logs import Recorded
    from eyelet_ingest.plugins import Plugins
    from eyelet_ingest.redaction import Redactor
    from eyelet_ingest.store.store import Store

LEVELS = ("debug", "info", "warn", "error")
SENDER = "eyelet log"
PIECE_BYTES = 1 << 16
LINE_MAX_BYTES = 1 << 20  # what a line has beyond is left out
BATCH_LINES = 1_000
REFUSED = 1  # the exit status


@click.command()
@click.argument("words", nargs=-1, metavar="TEXT...")
@click.option("--src", metavar="NAME", default="", show_default=False, help="Where it comes from: shop.orders.worker.")
@click.option("--level", metavar="LEVEL", help="debug, info, warn or error, or a usual other name of these.")
@click.option("--error", "failed", is_flag=True, help="It is a failure.")
@click.option("--time", "at", metavar="TIME", help="When it happened, as for --since; without it now.")
@click.option("--session", metavar="ID", help="The session that it belongs to.")
@click.option("--data", metavar="JSON", help="An object with more to keep.")
@context_option
@click.option("--json", "as_json", is_flag=True, help="Print the event's id, context and uid as one JSON object.")
@root_option
@click.pass_context
def log(
    ctx: click.Context,
    words: tuple[str, ...],
    src: str,
    level: str | None,
    failed: bool,
    at: str | None,
    session: str | None,
    data: str | None,
    context: str,
    as_json: bool,
    root: str,
) -> None:
    """Record an event: TEXT, or with - each line of standard input.

    It is redacted like everything else. Where its day cannot take it in time, it waits in the spool.
    """
    fields = _data(data)
    if words:
        _free(fields, "content")
    given = {"src": src or None, "loglevel": _level(level), "error": failed or None, "session_id": session or None}
    for name, value in given.items():
        if value is not None:
            _put(fields, name, utf8(name, value) if isinstance(value, str) else value)
    if at is not None:
        _put(fields, "time", _time(at))
    if not words and data is None:
        raise click.UsageError("There is nothing to record: give TEXT, --data, or - for standard input.")
    from eyelet_ingest import redactors
    from eyelet_ingest.metering import Meter
    from eyelet_ingest.plugins import Plugins
    from eyelet_ingest.store.store import Store

    plugins = Plugins.load()
    with Store(root) as store, store.bulk():
        redactor = redactors.of_root(root)
        refused, rested = 0, ""
        for texts in _lines() if words == ("-",) else iter([[utf8("text", " ".join(words))]]):
            rests = _rests()
            if rests and not rested:
                _say(f"nothing is recorded: {rests}")
            rested = rests
            refused += 0 if rests else _record(store, context, fields, texts, as_json, plugins, redactor)
        Meter(store, "", "command").leave()
    if refused:
        ctx.exit(REFUSED)


def _rests() -> str:
    """Why nothing is to be recorded now, or "". What comes on standard input is read on all the same: who writes it
    must not be stopped."""
    from eyelet_ingest import pause
    from eyelet_ingest.surroundings import Surroundings

    try:
        here = Surroundings(os.getcwd())
    except OSError:  # the folder was deleted
        here = Surroundings(os.sep)
    if not here.settings["enabled"]:
        return "recording is off (`eyelet status`)"
    return "recording is paused (`eyelet resume`)" if pause.rests(here.home, here.folders()) else ""


def _record(
    store: "Store",
    context: str,
    fields: dict[str, object],
    texts: list[str],
    as_json: bool,
    plugins: "Plugins",
    redactor: "Redactor",
) -> int:
    """Record these, and say what became of them; returns how many were refused."""
    from eyelet_ingest import logs

    events = [json.dumps({**fields, "content": text} if text else fields) for text in texts]
    done = logs.record(store, context, events, sender=SENDER, plugins=plugins, redactor=redactor)
    if as_json:
        _tell(store, context, done)
    for _, why in done.spooled[:1]:
        _say(f"{len(done.spooled)} waiting in the spool: {why}")
    for _, why in done.refused[:1]:
        _say(f"{len(done.refused)} refused, the first because of {why}")
    return len(done.refused)


def _tell(store: "Store", context: str, done: "Recorded") -> None:
    """A line of JSON for each event that was taken."""
    from eyelet_ingest.store.layout import safe_context

    spooled = {index for index, _ in done.spooled}
    ids = store.ids_of(safe_context(context), [(event.uid, event.time_us) for event in done.events.values()])
    for index, event in sorted(done.events.items()):
        if index in spooled or event.uid in ids:
            told = {"id": ids.get(event.uid), "context": safe_context(context), "uid": event.uid.hex()}
            click.echo(json.dumps({**told, "spooled": index in spooled}))


def _lines() -> Iterator[list[str]]:
    """The lines of standard input that are not blank, as they come: those of each read together."""
    handle, rest, overlong = sys.stdin.fileno(), b"", False
    while True:
        piece = os.read(handle, PIECE_BYTES)
        lines = (rest + piece).split(b"\n")
        rest = lines.pop() if piece else b""
        texts = []
        for at, line in enumerate(lines):
            is_rest = overlong and at == 0  # of a line whose beginning was taken
            text = "" if is_rest else line[:LINE_MAX_BYTES].decode("utf-8", "replace").rstrip("\r")
            if text.strip():
                texts.append(text)
        overlong = overlong and len(lines) == 0
        if len(rest) > LINE_MAX_BYTES:
            if not overlong:
                texts.append(rest[:LINE_MAX_BYTES].decode("utf-8", "replace"))
            rest, overlong = b"", True
        for start in range(0, len(texts), BATCH_LINES):
            yield texts[start : start + BATCH_LINES]
        if not piece:
            return


def _data(text: str | None) -> dict[str, object]:
    if text is None:
        return {}
    from eyelet_ingest.jsontext import parse

    try:
        value = parse(utf8("data", text))
    except BadInput as bad:
        raise BadInput(
            "read --data", reason=bad.reason, hint="write a JSON object in quotes: '{\"order\": 17}'"
        ) from bad
    if not isinstance(value, dict):
        raise BadInput("read --data", reason="it is no JSON object", hint="write it in quotes: '{\"order\": 17}'")
    return value


def _put(fields: dict[str, object], name: str, value: object) -> None:
    _free(fields, name)
    fields[name] = value


def _free(fields: dict[str, object], name: str) -> None:
    """BadInput where --data says already what a flag or the text says, under this name or another."""
    from eyelet_ingest.sources import log as shape

    same = {"time": shape.TIMES, "content": shape.CONTENT, "loglevel": ("loglevel", "level")}.get(name, (name,))
    said = [other for other in same if other in fields]
    if said:
        raise BadInput("record", reason=f"{said[0]} in --data says what a flag or the text says", hint="say it once")


def _level(given: str | None) -> str | None:
    if given is None:
        return None
    from eyelet_ingest.sources.log import level_of

    level = level_of(given)
    if level is None:
        from difflib import get_close_matches

        near = get_close_matches(given.lower(), LEVELS, 1, 0.4)
        hint = f"did you mean {near[0]}?" if near else f"write one of {', '.join(LEVELS)}"
        raise BadInput("there is no level", repr(given[:60]), "", hint)
    return level


def _time(given: str) -> str:
    """The time as ISO 8601; BadInput for one that no log has."""
    from datetime import datetime, timedelta, timezone

    from eyelet_ingest import ranges
    from eyelet_ingest.clock import Clock

    at_us = ranges.parse_instant(given, now_us=now_us(), tz=timezone.utc)
    if Clock().usable(at_us) is None:
        raise BadInput("cannot use the time", repr(given[:60]), "it is before 2000 or after tomorrow")
    at = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=at_us)
    return at.isoformat(timespec="microseconds")


def _say(text: str) -> None:
    from eyelet_ingest.cli.output import visible

    click.echo(f"eyelet: {visible(text)}", err=True)
