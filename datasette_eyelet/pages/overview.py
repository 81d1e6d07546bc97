"""`/-/eyelet/overview`: at a glance how much there was, what failed, what was slow, who waits; `.json` for programs.

Of one day of the zone, today where nobody says otherwise, beside the day before as far as the same time of day. Its
parts are asked side by side, each with a time limit of its own: one that is late is left out, and the page says so.
"""

import asyncio
import json
import time
from datetime import date, timedelta, tzinfo
from typing import Any

from datasette_eyelet import instance, listed, responses, rows
from datasette_eyelet.day_chart import DayChart, day_chart
from datasette_eyelet.glance import LISTED, Day, Glance, day_asked, glance
from datasette_eyelet.links import NOW, OVERVIEW, SESSIONS, Links, is_linkable
from datasette_eyelet.pages.now import grouped
from datasette_eyelet.query import Query, parse
from datasette_eyelet.truth import truth
from datasette_eyelet.visible import one_line, visible
from eyelet_ingest.ranges import zone
from eyelet_ingest.session_state import IDLE, SILENT, WAITING, WORKING
from eyelet_ingest.store.answers import Summary

NAME_MAX_CHARS = 60
WHAT_MAX_CHARS = 160
TIMES = ("range", "from", "to")


async def view(datasette: Any, request: Any, seen: frozenset[str] | None) -> Any:
    now_us, started = time.time_ns() // 1_000, time.perf_counter()
    held, query = instance.of(datasette), parse(request.args, now_us)
    store = held.store_for(seen)
    day = await asyncio.to_thread(day_asked, held, store, query, now_us)
    found = await glance(store, query, day, now_us)
    rest = tuple(pair for pair in query.pairs if pair[0] not in TIMES)
    links = Links(datasette, (*rest, ("from", day.name), ("to", day.name)))
    context = {
        **_context(found, day, links, query, now_us),
        "has_data": bool(store.contexts()),
        "trouble": visible(held.trouble) if store is held.store else "",
        "truth": truth(found.summary.partitions, (time.perf_counter() - started) * 1000),
        "days": _neighbours(day, links, rest),
        "here_url": links.to(OVERVIEW, query.pairs),
        "alternate_url_json": links.to(f"{OVERVIEW}.json", query.pairs),
    }
    return await responses.page(datasette, request, "overview.html", context)


async def json_view(datasette: Any, request: Any, seen: frozenset[str] | None) -> Any:
    now_us, started = time.time_ns() // 1_000, time.perf_counter()
    held, query = instance.of(datasette), parse(request.args, now_us)
    store = held.store_for(seen)
    day = await asyncio.to_thread(day_asked, held, store, query, now_us)
    found = await glance(store, query, day, now_us)
    body = {
        "ok": True,
        "day": day.name,
        "tz": query.range.tz,
        **_numbers(found, Links(datasette, ()), now_us),
        "complete": found.is_complete,
        "partitions": found.summary.partitions.as_json(),
        "elapsed_ms": round((time.perf_counter() - started) * 1000, 3),
    }
    return responses.json_text(json.dumps(body))


def _numbers(found: Glance, links: Links, now_us: int) -> dict[str, object]:
    """What the page tells, for programs."""
    of_tool = ("tool", "calls", "p50_ms", "p95_ms", "total_ms")
    return {
        "today": _summed(found.summary),
        "before": _summed(found.before),
        "hours": {"bounds": found.hours.bounds, "events": found.hours.counts, "errors": found.errors.counts},
        "hours_before": {"bounds": found.hours_before.bounds, "events": found.hours_before.counts},
        "error_codes": dict(found.codes),
        "failing_tools": dict(found.failing.fields["tool_name"].values),
        "tools": [{name: getattr(one, name) for name in of_tool} for one in found.durations.tools],
        "slowest": [
            {"ms": one.ms, "tool": one.tool, "event": links.event_json(one.context, one.id)}
            for one in found.durations.slowest
        ],
        "tokens": None if found.usage is None else found.usage.tokens._asdict(),
        "sessions": [listed.as_json(one, links, now_us) for one in found.active.rows],
    }


def _summed(one: Summary) -> dict[str, int]:
    return {"events": one.events, "errors": one.errors, "sessions": one.sessions}


def _context(found: Glance, day: Day, links: Links, query: Query, now_us: int) -> dict[str, object]:
    """All that the template shows of what was found; `links` are those of a search over the day."""
    tz = zone(query.range.tz)
    views = [listed.view(one, links, _no_filter, tz, now_us) for one in found.active.rows]
    return {
        "day": day.name,
        "is_today": day.is_today,
        "moved": day.moved,
        "tz": query.range.tz,
        "tiles": _tiles(found, day, links),
        "chart": _chart(found, links, tz),
        **_failed(found, links, tz),
        **_slow(found, links, tz),
        "groups": [group for group in grouped(views) if group[0] in (WORKING, IDLE, SILENT)],
        "waiting": [one for one in views if one.state == WAITING][:LISTED],
        "has_more": found.active.next is not None,
        "now_url": links.to(NOW, links.tz),
        "is_complete": found.is_complete,
    }


def _tiles(found: Glance, day: Day, links: Links) -> list[tuple[str, str, str, str, bool]]:
    """How much: label, number, how it compares with the day before, URL, whether it is bad."""
    of_day, before = found.summary, found.before
    made = [
        ("events", f"{of_day.events:,}", _than(of_day.events, before.events, day), links.search(links.pairs), False),
        (
            "failed",
            f"{of_day.errors:,}",
            _than(of_day.errors, before.errors, day),
            links.search((*links.pairs, ("errors", "1"))),
            of_day.errors > 0,
        ),
        (
            "sessions",
            f"{of_day.sessions:,}",
            _than(of_day.sessions, before.sessions, day),
            links.to(SESSIONS, links.pairs),
            False,
        ),
    ]
    if found.usage is not None and found.usage.answers:
        tokens = found.usage.tokens
        made.append(("tokens", listed.short(sum(tokens)), f"{listed.short(tokens.output)} out", "", False))
    return made


def _than(number: int, before: int, day: Day) -> str:
    """How a number compares with that of the day before, of today as far as the same time of day."""
    then = "by this time the day before" if day.is_today else "the day before"
    if not before:
        return f"none {then}"
    if number == before:
        return f"as many {then}"
    change = round(100 * (number - before) / before)
    return f"{'+' if change >= 0 else '−'}{abs(change):,} %, {before:,} {then}"


def _chart(found: Glance, links: Links, tz: tzinfo) -> DayChart | None:
    if not any(found.hours.counts) and not any(found.hours_before.counts):
        return None
    return day_chart(found.hours.bounds, found.hours.counts, found.errors.counts, found.hours_before.counts, links, tz)


def _failed(found: Glance, links: Links, tz: tzinfo) -> dict[str, object]:
    codes = sorted(found.codes.items(), key=lambda one: -one[1])[:LISTED]
    return {
        "codes": [
            (one_line(code, NAME_MAX_CHARS) or "no code", n, _narrowed(links, "error_code", code)) for code, n in codes
        ],
        "failing": [
            (one_line(name, NAME_MAX_CHARS), n, _narrowed(links, "tool", name, ("errors", "1")))
            for name, n in found.failing.fields["tool_name"].values
        ],
        "failures": [
            (
                rows.moment(one.row["id"], tz)[11:19],
                one_line(rows.text(one.row["tool_name"]) or rows.text(one.row["hook_type"]), NAME_MAX_CHARS),
                one_line(one.said, WHAT_MAX_CHARS),
                links.event(rows.text(one.row["context_name"]), int(str(one.row["id"]))),
            )
            for one in found.failures.rows
        ],
        "errors_url": links.search((*links.pairs, ("errors", "1"))),
    }


def _slow(found: Glance, links: Links, tz: tzinfo) -> dict[str, object]:
    return {
        "slow_tools": [
            (
                one_line(one.tool, NAME_MAX_CHARS),
                f"{one.calls:,}",
                *(rows.duration(ms) for ms in (one.p50_ms, one.p95_ms, one.total_ms)),
                _narrowed(links, "tool", one.tool),
            )
            for one in found.durations.tools
        ],
        "slowest": [
            (
                rows.moment(one.id, tz)[11:19],
                one_line(one.tool, NAME_MAX_CHARS),
                rows.duration(one.ms),
                links.event(one.context, one.id),
            )
            for one in found.durations.slowest
        ],
    }


def _narrowed(links: Links, name: str, value: str, *more: tuple[str, str]) -> str:
    """The search over the day with this value; "" where it cannot be asked for."""
    rest = tuple(pair for pair in links.pairs if pair[0] != name)
    return links.search((*rest, *more, (name, value))) if is_linkable(value) else ""


def _neighbours(day: Day, links: Links, rest: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """The day before, and the day after unless it is yet to come."""
    at = date.fromisoformat(day.name)
    found = {"before": str(at - timedelta(days=1))}
    if not day.is_today:
        found["after"] = str(at + timedelta(days=1))
    return {name: links.to(OVERVIEW, (*rest, ("from", one), ("to", one))) for name, one in found.items()}


def _no_filter(name: str, value: str) -> str:
    return ""
