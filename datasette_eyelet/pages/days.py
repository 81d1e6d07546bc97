"""`/-/eyelet/days`: every day there is, as a calendar and, with `.json`, for programs."""

import asyncio
import json
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from datasette_eyelet import calendar, instance, responses
from datasette_eyelet.calendar import Month, Span
from datasette_eyelet.links import Links, Pairs
from datasette_eyelet.visible import visible
from eyelet_ingest.errors import BadInput
from eyelet_ingest.store.layout import PartitionKey, key_from_mount_name, safe_context
from eyelet_ingest.store.store import Store

DEFAULT_SIZE = 1_000
MAX_SIZE = 1_000
CONTEXTS_LISTED = 500  # on the page; the JSON names all
PARAMETERS = ("context", "year", "_size", "_next")


@dataclass(frozen=True, slots=True)
class Asked:
    """Which days: of these safe context names (all where none), of this year, older than `before`, `size` of them.

    `pairs` are the URL's own conditions.
    """

    contexts: frozenset[str]
    year: int | None
    before: PartitionKey | None
    size: int
    pairs: Pairs


@dataclass(frozen=True, slots=True)
class Found:
    """One page of `keys`, newest first, and where the next begins. `spans` are of all days of the contexts asked for,
    `years` counts those days by year: neither knows of the year asked for."""

    keys: list[PartitionKey]
    next: str | None
    spans: list[Span]
    years: dict[int, int]
    unreadable: list[tuple[str, str, str]]


async def view(datasette: Any, request: Any, seen: frozenset[str] | None) -> Any:
    asked = parse(request.args)
    store = instance.of(datasette).store_for(seen)
    context = await asyncio.to_thread(_context, store, asked, Links(datasette, ()))
    return await responses.page(datasette, request, "days.html", context)


async def json_view(datasette: Any, request: Any, seen: frozenset[str] | None) -> Any:
    asked = parse(request.args)
    store = instance.of(datasette).store_for(seen)
    return responses.json_text(await asyncio.to_thread(_body, store, asked))


def parse(args: Any) -> Asked:
    """What a URL asks; BadInput, with the reason, for what cannot be meant. Empty parameters say nothing."""
    for name in args:
        if name not in PARAMETERS and not name.startswith("_"):
            hint = f"there are {', '.join(PARAMETERS)}"
            raise BadInput("there is no parameter", repr(name[:60]), "", hint)
    contexts = tuple(dict.fromkeys(value for value in args.getlist("context") if value.strip()))
    year = args.get("year") or ""
    return Asked(
        contexts=frozenset(safe_context(context) for context in contexts),
        year=_year(year) if year else None,
        before=_cursor(args.get("_next") or ""),
        size=_size(args.get("_size") or ""),
        pairs=(*(("context", context) for context in contexts), *((("year", year),) if year else ())),
    )


def find(store: Store, asked: Asked) -> Found:
    """RootError where the root cannot be listed."""
    everything = store.catalog.partitions()
    ours = [key for key in everything if not asked.contexts or key.context in asked.contexts]
    years: dict[int, int] = {}
    for key in ours:
        years[key.year] = years.get(key.year, 0) + 1
    wanted = ours if asked.year is None else [key for key in ours if key.year == asked.year]
    end = bisect_left(wanted, asked.before) if asked.before else len(wanted)
    start = max(end - asked.size, 0)
    page = wanted[start:end][::-1]
    unreadable = [trouble for trouble in store.catalog.troubles() if not asked.contexts or trouble[0] in asked.contexts]
    return Found(page, page[-1].mount_name if start else None, calendar.spans(ours), years, unreadable)


def _body(store: Store, asked: Asked) -> str:
    found = find(store, asked)
    return json.dumps(
        {
            "ok": True,
            "contexts": [
                {"context": span.context, "days": span.days, "first": span.first.date, "newest": span.newest.date}
                for span in found.spans
            ],
            "days": [{"context": key.context, "date": key.date, "database": key.mount_name} for key in found.keys],
            "next": found.next,
            "unreadable": [
                {"context": context, "year": int(year) if year else None, "error": why}
                for context, year, why in found.unreadable
            ],
        }
    )


def _context(store: Store, asked: Asked, links: Links) -> dict[str, object]:
    """All that the template shows."""
    found = find(store, asked)
    chosen = tuple(pair for pair in asked.pairs if pair[0] == "context")
    return {
        "spans": [
            (span, links.days(("context", span.context)), links.search((("context", span.context),)))
            for span in found.spans[:CONTEXTS_LISTED]
        ],
        "more_spans": max(len(found.spans) - CONTEXTS_LISTED, 0),
        "days": sum(found.years.values()),
        "years": [
            (year, found.years[year], links.days(*chosen, ("year", f"{year:04d}")), year == asked.year)
            for year in sorted(found.years, reverse=True)
        ],
        "all_years_url": links.days(*chosen),
        "all_url": links.days(),
        "is_narrowed": bool(asked.pairs),
        "contexts_chosen": [context for _, context in chosen],
        "shown": len(found.keys),
        "sections": _sections(found.keys),
        "base": str(links.path("/")),
        "today": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "next_url": links.days(*asked.pairs, ("_next", found.next)) if found.next else "",
        "newest_url": links.days(*asked.pairs) if asked.before else "",
        "troubles": [
            ("/".join(filter(None, (context, year))), visible(why)) for context, year, why in found.unreadable
        ],
        "alternate_url_json": links.days_json(*asked.pairs),
    }


def _sections(newest_first: Iterable[PartitionKey]) -> list[tuple[int, list[tuple[str, list[Month]]]]]:
    """The page's days by year, newest first, and in it by context: year, [(context, its months)]."""
    years = calendar.by_year(newest_first)
    return [
        (year, [(context, calendar.months(keys[::-1])) for context, keys in sorted(calendar.by_context(held).items())])
        for year, held in years.items()
    ]


def _year(text: str) -> int:
    if len(text) != 4 or not (text.isascii() and text.isdigit()):
        raise BadInput("cannot use year", repr(text[:60]), "", "write four digits, as in year=2026")
    return int(text)


def _size(text: str) -> int:
    if not text:
        return DEFAULT_SIZE
    if text == "max":
        return MAX_SIZE
    size = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    if not 1 <= size <= MAX_SIZE:
        raise BadInput("cannot use _size", repr(text[:60]), "", f"a page has 1 to {MAX_SIZE:,} days")
    return size


def _cursor(text: str) -> PartitionKey | None:
    if not text:
        return None
    key = key_from_mount_name(text)
    if key is None:
        raise BadInput("cannot use _next", repr(text[:80]), "it is not one of ours", "start at the first page")
    return key
