"""`/-/eyelet`: the search page."""

import asyncio
import time
from typing import Any

from datasette_eyelet import advice, day_table, instance, responses, rows
from datasette_eyelet.answer import Answer, answer
from datasette_eyelet.form import form
from datasette_eyelet.instance import Instance
from datasette_eyelet.links import Links, Pairs
from datasette_eyelet.query import CONDITIONS, BadParameter, Query, is_on, known_pairs, parse
from datasette_eyelet.scope import Scope
from datasette_eyelet.visible import one_line, visible
from eyelet_ingest import redactors
from eyelet_ingest.errors import BadInput
from eyelet_ingest.ranges import RANGES, Range, display_time, resolve, zone
from eyelet_ingest.store.answers import Partitions
from eyelet_ingest.store.store import Store
from eyelet_ingest.store.text_query import BadQuery

DEMO = "demo"
CHIP_MAX_CHARS = 80
MISTAKE_CHARS = 200  # of a text on each side of what is wrong in it
WIDER = ("24h", "7d", "30d", "all")


async def view(datasette: Any, request: Any, seen: frozenset[str] | None) -> Any:
    now_us = time.time_ns() // 1_000
    held = instance.of(datasette)
    try:
        query = parse(request.args, now_us)
        links = Links(datasette, query.pairs, query.page)
        over = day_table.scope_for(datasette, seen, query.where.contexts)
        context = await asyncio.to_thread(_context, held, held.store_for(seen), query, links, now_us, over)
        return await responses.page(datasette, request, "search.html", context)
    except BadInput as error:
        name = error.name if isinstance(error, BadParameter) else ""
        pairs = tuple(pair for pair in known_pairs(request.args) if pair[0] != "_next")
        links = Links(datasette, tuple(pair for pair in pairs if pair[0] != name))
        context = {
            **await asyncio.to_thread(_refused, held.store_for(seen), pairs, name, links, now_us),
            "reason": visible(redactors.message(str(error))),
            "mistake": _mistake(error),
        }
        return await responses.page(datasette, request, "search.html", context, status=400)


def _refused(store: Store, pairs: Pairs, name: str, links: Links, now_us: int) -> dict[str, object]:
    """The form with everything that was typed, and nothing searched."""
    good = dict(links.pairs)
    current = good.get("range", "")
    return {
        **form(pairs, errors=is_on(good.get("errors", "")), contexts=store.contexts(), wrong=name),
        "ranges": [(name, links.ranged(("range", name)), name == current) for name in RANGES],
        "now": display_time(now_us, zone("")),
        "alternate_url_json": links.json(),
    }


def _mistake(error: BadInput) -> dict[str, str] | None:
    """The search text in three parts, the middle one being where it goes wrong; None where something else is wrong."""
    why = error.why if isinstance(error, BadParameter) else error
    if not isinstance(why, BadQuery):
        return None
    end = why.at + why.length
    before, after = why.text[max(0, why.at - MISTAKE_CHARS) : why.at], why.text[end : end + MISTAKE_CHARS]
    wrong = why.text[why.at : min(end, why.at + MISTAKE_CHARS)]
    return {"before": visible(before), "wrong": visible(wrong), "after": visible(after)}


def _context(
    held: Instance, store: Store, query: Query, links: Links, now_us: int, over: Scope | None
) -> dict[str, object]:
    """All that the template shows. Not for the event loop: searches, and takes apart what was found."""
    held.drain_when_due()
    found = answer(store, query, rows.CUT_CHARS)
    contexts = store.contexts()
    sees_all = store is held.store
    shown = found.result.rows
    names = {rows.text(row["context_name"]) for row in shown}
    return {
        **_time(found, query, links, now_us),
        **form(query.pairs, errors=query.where.errors, shown=shown, contexts=contexts),
        "conditions": _conditions(query, links),
        "days": rows.days(shown, links, zone(query.range.tz), found.query.where, by_rank=query.by_rank),
        "by_rank": query.by_rank,
        "count": len(shown),
        "next_url": links.next(found.next) if found.next else "",
        "newest_url": links.search(links.pairs) if query.after else "",
        "table_url": day_table.url_over_days(links, found.query.where, over) if over is not None else "",
        "truth": _truth(found.result.partitions, found.result.elapsed_ms),
        "trouble": visible(held.trouble) if sees_all else "",
        "is_demo": DEMO in names or contexts == [DEMO],
        "has_data": bool(contexts) or bool(found.result.partitions.unreadable),
        "wider": _wider(found.query.range, links, now_us),
        "all_url": links.search(),
        "root": visible(held.root) if sees_all else "",
        "ingest_command": advice.ingest_command(held.root),
        "hook_settings": advice.hook_settings(held.root),
        "install_command": "" if advice.has_own_root(held.root) else advice.install_command(),
        "alternate_url_json": links.json(),
    }


def _wider(range: Range, links: Links, now_us: int) -> list[tuple[str, str]]:
    """The ranges that reach further back than this one."""
    if range.since_us is None and range.until_us is None:
        return []
    starts = {name: resolve(range=name, tz=range.tz, now_us=now_us).since_us for name in WIDER}
    return [
        (RANGES[name], links.ranged(("range", name)))
        for name, start_us in starts.items()
        if start_us is None or (range.since_us is not None and start_us < range.since_us)
    ]


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


def _conditions(query: Query, links: Links) -> list[tuple[str, str, str]]:
    """Name, text and the search without it. A switch has no text."""
    said = {"q": "text", "errors": "errors only", "error_code": "error code"}
    return [
        (said.get(name, name), "" if name == "errors" else one_line(value, CHIP_MAX_CHARS), links.without(name, value))
        for name, value in query.pairs
        if name in CONDITIONS and (name != "errors" or query.where.errors)
    ]


def _truth(partitions: Partitions, elapsed_ms: float) -> dict[str, object]:
    bad = partitions.unreadable
    return {
        "scanned": partitions.scanned,
        "total": partitions.scanned + partitions.skipped + partitions.unasked + len(bad),
        "unasked": partitions.unasked,
        "archived": partitions.archived,
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
