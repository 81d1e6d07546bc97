"""`/-/eyelet`: the search page."""

import asyncio
import time
from typing import Any

from datasette_eyelet import instance, responses, rows
from datasette_eyelet.answer import Answer, answer
from datasette_eyelet.instance import Instance
from datasette_eyelet.links import RANGE_NAMES, Links
from datasette_eyelet.query import CONDITIONS, SEVERAL, Query, parse
from datasette_eyelet.visible import one_line, visible
from eyelet_ingest.ranges import RANGES, Range, display_time, zone
from eyelet_ingest.store.search import Partitions

DEMO = "demo"
STATUSES = ("ok", "error", "interrupted", "denied", "pending", "unknown")
TYPES = (
    "PreToolUse",
    "PostToolUse",
    "PostToolUseFailure",
    "UserPromptSubmit",
    "Notification",
    "Stop",
    "SubagentStop",
    "SessionStart",
    "SessionEnd",
    "user",
    "assistant",
)
ZONES = (
    "UTC",
    "Europe/London",
    "Europe/Berlin",
    "America/New_York",
    "America/Los_Angeles",
    "Asia/Kolkata",
    "Asia/Tokyo",
)
CHIP_MAX_CHARS = 80
OPTION_MAX_CHARS = 200
WIDER = ("24h", "7d", "30d", "all")


async def view(datasette: Any, request: Any) -> Any:
    now_us = time.time_ns() // 1_000
    query = parse(request.args, now_us)
    context = await asyncio.to_thread(_context, instance.of(datasette), query, Links(datasette, query.pairs), now_us)
    return await responses.page(datasette, request, "search.html", context)


def _context(held: Instance, query: Query, links: Links, now_us: int) -> dict[str, object]:
    """All that the template shows. Not for the event loop: searches, and takes apart what was found."""
    held.drain_when_due()
    found = answer(held.store, query, rows.CUT_CHARS)
    contexts = held.store.contexts()
    shown = found.result.rows
    names = {rows.text(row["context_name"]) for row in shown}
    return {
        **_time(found, query, links, now_us),
        **_form(query, shown, contexts),
        "conditions": _conditions(query, links),
        "days": rows.days(shown, links, zone(query.range.tz)),
        "count": len(shown),
        "next_url": links.next(found.next) if found.next else "",
        "newest_url": links.search(links.pairs) if query.after else "",
        "truth": _truth(found.result.partitions, found.result.elapsed_ms),
        "trouble": visible(held.trouble),
        "is_demo": DEMO in names or contexts == [DEMO],
        "has_data": bool(contexts) or bool(found.result.partitions.unreadable),
        "wider": [(RANGES[name], links.ranged(("range", name))) for name in WIDER],
        "all_url": links.search(),
        "root": visible(held.root),
        "alternate_url_json": links.json(),
    }


def _time(found: Answer, query: Query, links: Links, now_us: int) -> dict[str, object]:
    given = dict(query.pairs)
    exact = bool(given.get("from") or given.get("to"))
    current = "" if exact else given.get("range", "today")
    names = [*RANGES, *([current] if current and current not in RANGES else [])]
    return {
        "ranges": [(name, links.ranged(("range", name)), name == current and not found.moved) for name in names],
        "resolved": _resolved(found.query.range, exact),
        "tz": query.range.tz,
        "is_exact": exact,
        "moved_to": _date(found.query.range) if found.moved else "",
        "moved_from": _date(query.range),
        "now": display_time(now_us, zone(query.range.tz))[:19],
    }


def _form(query: Query, shown: list[dict[str, object]], contexts: list[str]) -> dict[str, object]:
    """The controls as the URL has them. A control shows one value; further ones of its name travel hidden."""
    values: dict[str, list[str]] = {}
    for name, value in query.pairs:
        values.setdefault(name, []).append(value)
    hidden = [(name, value) for name in SEVERAL for value in values.get(name, [])[1:]]
    if not ("from" in values or "to" in values):
        hidden += [("range", value) for value in values.get("range", [])]
    hidden += [(name, value) for name in ("_size",) for value in values.get(name, [])]
    seen = {
        name: sorted({rows.text(row.get(column)) for row in shown} - {""})[:100]
        for name, column in (
            ("src", "src"),
            ("type", "hook_type"),
            ("tool", "tool_name"),
            ("branch", "git_branch"),
            ("agent", "agent"),
            ("model", "model"),
        )
    }
    options = {
        **seen,
        "context": contexts[:500],
        "status": list(STATUSES),
        "type": sorted({*TYPES, *seen["type"]}),
    }
    return {
        "value": {name: values.get(name, [""])[0] for name in (*SEVERAL, *RANGE_NAMES, "tz", "q")},
        "errors": query.where.errors,
        "hidden": hidden,
        "options": {name: [text for text in found if _is_plain(text)] for name, found in options.items()},
        "zones": ZONES,
        "is_filtered": any(values.get(name) for name in (*SEVERAL, "from", "to", "tz")),
        "more_is_open": any(values.get(name) for name in ("session", "branch", "agent", "model")),
    }


def _is_plain(text: str) -> bool:
    return len(text) <= OPTION_MAX_CHARS and text == visible(text)


def _conditions(query: Query, links: Links) -> list[tuple[str, str, str]]:
    return [
        ("text" if name == "q" else name, one_line(value, CHIP_MAX_CHARS), links.without(name, value))
        for name, value in query.pairs
        if name in CONDITIONS and (name != "errors" or query.where.errors)
    ]


def _truth(partitions: Partitions, elapsed_ms: float) -> dict[str, object]:
    bad = partitions.unreadable
    return {
        "scanned": partitions.scanned,
        "total": partitions.scanned + partitions.skipped + len(bad),
        "elapsed_ms": elapsed_ms,
        "unreadable": [(visible(one.context), one.day, one_line(one.error, 500)) for one in bad],
    }


def _resolved(range: Range, exact: bool) -> str:
    """The range in words; without the fractions of a second that nobody wrote."""
    if range.since_us is None and range.until_us is None:
        return f"all time, shown in {range.tz}"
    where = zone(range.tz)
    end = None if exact else len("2026-03-20 14:03:22")
    since, until = (_short(us, where)[:end] for us in (range.since_us, range.until_us))
    return f"from {since or 'the beginning'} to {until or 'now and later'} {range.tz}"


def _short(us: int | None, where: Any) -> str:
    if us is None:
        return ""
    try:
        return display_time(us, where).removesuffix(".000")
    except (OverflowError, ValueError):
        return str(us)


def _date(range: Range) -> str:
    return _short(range.since_us, zone(range.tz))[:10]
