"""`/-/eyelet`: the search page."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from markupsafe import Markup

from datasette_eyelet import advice, answer, day_table, facet_view, instance, responses, rows, spans
from datasette_eyelet import chart as charts
from datasette_eyelet import look as look_at
from datasette_eyelet.answer import Answer
from datasette_eyelet.chart import Chart
from datasette_eyelet.form import form
from datasette_eyelet.instance import Instance
from datasette_eyelet.links import RANGE_NAMES, Links, Pairs
from datasette_eyelet.look import Look, look
from datasette_eyelet.pages import saved
from datasette_eyelet.query import (
    CONDITIONS,
    EXCLUDED,
    STATUSES,
    BadParameter,
    Query,
    is_of_calls,
    is_on,
    known_pairs,
    parse,
)
from datasette_eyelet.scope import Scope
from datasette_eyelet.visible import one_line, visible
from eyelet_ingest import redactors
from eyelet_ingest.errors import BadInput, EyeletError
from eyelet_ingest.ranges import RANGES, Range, display_time, resolve, zone
from eyelet_ingest.store.answers import Partitions
from eyelet_ingest.store.calls import STATUSES as STATUSES_OF_CALLS
from eyelet_ingest.store.entries import Entries
from eyelet_ingest.store.layout import safe_context
from eyelet_ingest.store.store import Store
from eyelet_ingest.store.text_query import BadQuery

DEMO = "demo"
EXPORTS = (("CSV", "csv"), ("JSON", "json"), ("JSON lines", "jsonl"))
CHIP_MAX_CHARS = 80
ROWS_MS = 8_000  # then the page is what was found
MISTAKE_CHARS = 200  # of a text on each side of what is wrong in it
WIDER = ("24h", "7d", "30d", "all")


async def view(datasette: Any, request: Any, seen: frozenset[str] | None) -> Any:
    now_us = time.time_ns() // 1_000
    held = instance.of(datasette)
    try:
        calls = look_at.rows(request.args.get("rows") or look_at.ROWS[0]) == "calls"
        query = parse(request.args, now_us, STATUSES_OF_CALLS if calls else STATUSES)
        seeing = look(query.pairs, tuple(facet_view.FIELDS))
        render = responses.renderer(datasette, request)
        asked = Asked(datasette, held, held.store_for(seen), query, seeing, now_us, render)
        await asyncio.to_thread(held.drain_when_due)
        over = day_table.scope_for(datasette, seen, query.where.contexts)
        context = await _context(asked, over)
        context["saved"] = await _saved(asked, request, seen)
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


async def _saved(asked: "Asked", request: Any, seen: frozenset[str] | None) -> saved.Menu | None:
    """The menu of saved searches; none where they cannot be read, which their own page explains."""
    try:
        return await saved.menu(asked.datasette, request, seen, asked.links)
    except EyeletError:
        return None


@dataclass(frozen=True, slots=True)
class Asked:
    """One request for the page. `store` is limited to what its actor may see; `render` makes HTML in any thread."""

    datasette: Any
    held: Instance
    store: Store
    query: Query
    look: Look
    now_us: int
    render: Callable[..., Markup]

    @property
    def links(self) -> Links:
        return Links(self.datasette, self.query.pairs, self.query.page)

    @property
    def of_calls(self) -> bool:
        """Whether it asks for what is true of calls alone: charts, values, exports, SQL and tables are of events."""
        return is_of_calls(self.query.where)

    @property
    def sees_all(self) -> bool:
        return self.store is self.held.store


async def _context(asked: Asked, over: Scope | None) -> dict[str, object]:
    """All that the template shows. Rows, histogram and facets are asked side by side, each with a time of its own."""
    rows_of = asyncio.create_task(asyncio.to_thread(_rows, asked))
    beside = asyncio.create_task(_beside(asked, asked.query))
    try:
        position, found, days = await rows_of
        if found.moved:
            await beside
            beside = asyncio.create_task(_beside(asked, found.query))
        chart, facets, missed = await beside
    finally:  # it is done, but where the rows were not: what else went wrong is the same then
        beside.cancel()
        await asyncio.gather(beside, return_exceptions=True)
    looks = _looks(asked.look, asked.links)
    live_url = ""
    if asked.look.live and position and not asked.of_calls:
        live_url = asked.links.live(position)
    return {
        **await asyncio.to_thread(_said, asked, found, over),
        "days": days,
        "looks": looks,
        "chart": chart,
        "facets": facets,
        "chart_html": asked.render("histogram.html", chart=chart, looks=looks) if chart else "",
        "facets_html": asked.render("facets.html", facets=facets) if asked.look.facets and not asked.of_calls else "",
        "missed": missed,
        "live_url": live_url,
    }


def _rows(asked: Asked) -> tuple[str, Answer[Entries], list[rows.DayView]]:
    """From where to follow what arrives, what was found, and how it is shown."""
    query, store = asked.query, asked.store
    position = store.position(query.where) if asked.look.live else ""
    found = answer.entries(store, query, rows.CUT_CHARS, calls=asked.look.calls, deadline_ms=ROWS_MS)
    days = rows.days(found.result.rows, asked.links, zone(query.range.tz), by_rank=query.by_rank)
    shown = [replace(day, html=Markup("").join(asked.render("row.html", row=row) for row in day.rows)) for day in days]
    return position, found, shown


async def _beside(asked: Asked, query: Query) -> tuple[Chart | None, list[facet_view.FacetView], list[str]]:
    """The histogram and the facets of a query, and what of them is not whole as the time ran out."""
    chart, facets = await asyncio.gather(
        asyncio.to_thread(_chart, asked, query), asyncio.to_thread(_facets, asked, query)
    )
    missed = [*(["the chart"] if chart[1] else []), *(["the values beside the rows"] if facets[1] else [])]
    return chart[0], facets[0], missed


def _chart(asked: Asked, query: Query) -> tuple[Chart | None, bool]:
    """The chart, None where it would be empty, and whether the time ran out."""
    if not asked.look.histogram or asked.of_calls:
        return None, False
    where, store, seeing = query.where, asked.store, asked.look
    found = store.histogram(
        where, buckets=charts.BUCKETS, by=charts.STACKS[seeing.stack], deadline_ms=charts.DEADLINE_MS
    )
    is_late = not found.partitions.complete
    if not any(found.counts) and not found.partitions.unreadable:
        return None, is_late
    span = where.since_us or found.bounds[0], where.until_us or found.bounds[-1]
    contexts = [safe_context(name) for name in where.contexts]
    days_us = store.day_starts(found.bounds[0], found.bounds[-1], contexts)
    return charts.chart(found, seeing.stack, asked.links, zone(query.range.tz), span, days_us), is_late


def _facets(asked: Asked, query: Query) -> tuple[list[facet_view.FacetView], bool]:
    """The facets, and whether the time ran out."""
    seeing = asked.look
    if not seeing.facets or asked.of_calls:
        return [], False
    found = asked.store.facets(
        query.where,
        tuple(facet_view.FIELDS.values()),
        limit=facet_view.MORE if seeing.more else facet_view.COUNTED,
        src_below=seeing.open,
        deadline_ms=facet_view.DEADLINE_MS,
    )
    return facet_view.views(found, asked.links, seeing.open, seeing.more), not found.partitions.complete


def _said(asked: Asked, found: Answer[Entries], over: Scope | None) -> dict[str, object]:
    """Everything but the rows, histogram and facets. Not for the event loop: it looks at the folders."""
    store, query, links, held = asked.store, asked.query, asked.links, asked.held
    contexts = store.contexts()
    shown = [entry.row for entry in found.result.rows]
    names = {rows.text(row["context_name"]) for row in shown}
    return {
        **_time(found, query, links, asked.now_us),
        **form(query.pairs, errors=query.where.errors, shown=shown, contexts=contexts),
        "conditions": _conditions(query, links),
        "by_rank": query.by_rank,
        "look": asked.look,
        "count": len(shown),
        "has_contexts": len(contexts) > 1 or any("alongside" in row for row in shown),
        "next_url": links.next(found.next) if found.next else "",
        "newest_url": links.search(links.pairs) if query.after else "",
        "table_url": day_table.url_over_days(links, found.query.where, over) if over is not None else "",
        "of_calls": asked.of_calls,
        "exports": [] if asked.of_calls else [(f"all as {name}", links.export(kind)) for name, kind in EXPORTS],
        "sql_url": "" if asked.of_calls else links.sql(),
        "values_url": links.values(*(spans.beside(found.query.range, asked.now_us).fixed if found.moved else ())),
        "truth": _truth(found.result.partitions, found.result.elapsed_ms),
        "trouble": visible(held.trouble) if asked.sees_all else "",
        "is_demo": DEMO in names or contexts == [DEMO],
        "has_data": bool(contexts) or bool(found.result.partitions.unreadable),
        "wider": _wider(found.query.range, links, asked.now_us),
        "all_url": links.search(),
        "root": visible(held.root) if asked.sees_all else "",
        "ingest_command": advice.ingest_command(held.root),
        "hook_settings": advice.hook_settings(held.root),
        "install_command": "" if advice.has_own_root(held.root) else advice.install_command(),
        "alternate_url_json": links.json(*((("rows", "calls"),) if asked.of_calls else ())),
    }


def _looks(seeing: Look, links: Links) -> dict[str, str]:
    """The other ways to look at the same rows."""
    return {
        "rows": links.narrowed("rows", "events") if seeing.calls else links.dropped("rows"),
        "histogram": links.narrowed("histogram", "0") if seeing.histogram else links.dropped("histogram"),
        "facets": links.narrowed("facets", "0") if seeing.facets else links.dropped("facets"),
        "live": links.dropped("live") if seeing.live else links.narrowed("live", "1"),
    }


def _refused(store: Store, pairs: Pairs, name: str, links: Links, now_us: int) -> dict[str, object]:
    """The form with everything that was typed, and nothing searched."""
    good = dict(links.pairs)
    current = good.get("range", "")
    return {
        **form(pairs, errors=is_on(good.get("errors", "")), contexts=store.contexts(), wrong=name),
        "ranges": [(name, links.ranged(("range", name)), name == current) for name in RANGES],
        "now": display_time(now_us, zone("")),
        "values_url": "" if name in (*RANGE_NAMES, "tz") else links.values(),
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


def _time(found: Answer[Entries], query: Query, links: Links, now_us: int) -> dict[str, object]:
    given = dict(query.pairs)
    exact = bool(given.get("from") or given.get("to"))
    current = "" if exact else given.get("range", "today")
    names = [*RANGES, *([current] if current and current not in RANGES else [])]
    return {
        "ranges": [(name, links.ranged(("range", name)), name == current and not found.moved) for name in names],
        "resolved": _resolved(found.query.range, exact),
        "beside": _neighbours(found, links, now_us),
        "tz": query.range.tz,
        "utc_url": links.dropped("tz"),
        "is_exact": exact,
        "moved_to": _date(found.query.range) if found.moved else "",
        "moved_from": _date(query.range),
        "now": display_time(now_us, zone(query.range.tz))[:19],
    }


def _neighbours(found: Answer[Entries], links: Links, now_us: int) -> dict[str, str]:
    """The searches over the ranges beside this one, and over this one fixed; "" where there is none."""
    around = spans.beside(found.query.range, now_us)
    named = {"earlier": around.earlier, "later": around.later, "wider": around.wider, "fixed": around.fixed}
    return {name: links.ranged(*pairs) if pairs else "" for name, pairs in named.items()}


def _conditions(query: Query, links: Links) -> list[tuple[str, str, str]]:
    """Name, text and the search without it. A switch has no text."""
    said = {"q": "text", "errors": "errors only", "error_code": "error code", "-error_code": "not error code"}
    return [
        (
            said.get(name, f"not {name[1:]}" if name in EXCLUDED else name),
            "" if name == "errors" else one_line(value, CHIP_MAX_CHARS),
            links.without(name, value),
        )
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
