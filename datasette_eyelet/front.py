"""The entry of Datasette's front page: every context its reader may see, each with a calendar of its days.

It is rendered once for each state of the catalog and each set of contexts that somebody sees, and kept: with a thousand
days, showing it again costs no more than sending it. However many days there are, at most INLINE_DAYS of them stand
here; the others are behind links to the page of all days.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from markupsafe import Markup

from datasette_eyelet import calendar, compat, eyelet_database, instance, permissions, responses
from datasette_eyelet.calendar import Month, Span
from datasette_eyelet.instance import Instance
from datasette_eyelet.links import NOW, OVERVIEW, SESSIONS, Links
from datasette_eyelet.visible import visible as made_visible
from eyelet_ingest.errors import EyeletError
from eyelet_ingest.store.layout import PartitionKey

INLINE_DAYS = 1_500
INLINE_CONTEXTS = 200
INLINE_YEARS = 12  # links to older years, for each context
INLINE_TROUBLES = 5
UNFOLDED_CONTEXTS = 3  # with more of them, each one's newest year is folded too
ENTRIES_KEPT = 16

_TEMPLATE = "eyelet/front.html"

Trouble = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class _Catalog:
    """What the catalog said: every day of every context, the folders it could not read, or why it can say nothing."""

    keys: list[PartitionKey]
    troubles: list[Trouble]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A rendered entry, and all that it was made from."""

    catalog: _Catalog
    today: str
    template: Any
    html: Markup


@dataclass(frozen=True, slots=True)
class Year:
    """A year of a context. Of its `days`, `missing` older ones are not among its `months`: behind `url` all are."""

    year: int
    days: int
    missing: int
    url: str
    months: list[Month]
    is_open: bool


@dataclass(frozen=True, slots=True)
class Context:
    """A context as it is shown: its newest years with their days, `older` years as links, and how many more there are.

    An older year is its number, its days and its URL.
    """

    span: Span
    search_url: str
    table_url: str
    days_url: str
    years: list[Year]
    older: list[tuple[int, int, str]]
    more_years: int


@dataclass(frozen=True, slots=True)
class FrontPage:
    """What templates get as `eyelet_front`: the entry's HTML, and the database that it stands for in the listing."""

    html: Markup
    database: str


async def template_vars(datasette: Any, request: Any) -> dict[str, Any]:
    """`eyelet_front` for the front page, None for who may see nothing; `eyelet_static` as on our own pages."""
    found: dict[str, Any] = {"eyelet_front": None, "eyelet_static": responses.static_urls(datasette)}
    actor = request.actor if request else None
    visible = await permissions.contexts_for(datasette, actor)
    if visible is None or visible:
        database = eyelet_database.NAME if eyelet_database.is_there(datasette) else ""
        found["eyelet_front"] = FrontPage(await _html(datasette, request, visible), database)
    return found


async def _html(datasette: Any, request: Any, visible: frozenset[str] | None) -> Markup:
    held = instance.of(datasette)
    catalog = await asyncio.to_thread(_look, held)
    today = datetime.now(timezone.utc).strftime("%Y-%m-%d")
    template = compat.environment(datasette, request).get_template(_TEMPLATE)
    kept = _kept(datasette)
    entry = kept.get(visible)
    if entry is None or entry.today != today or entry.template is not template or not _is_same(entry.catalog, catalog):
        context = await asyncio.to_thread(_context, held, Links(datasette, ()), catalog, visible)
        names_all = visible is None and eyelet_database.is_there(datasette)
        context["database_url"] = str(datasette.urls.path(f"/{eyelet_database.NAME}")) if names_all else ""
        html = Markup(await template.render_async({**context, "today": today}))
    else:
        html = entry.html
    # The same list as the catalog's own is recognised without comparing a hundred thousand days.
    kept[visible] = _Entry(catalog, today, template, html)
    kept.move_to_end(visible)
    while len(kept) > ENTRIES_KEPT:
        kept.popitem(last=False)
    return html


def _kept(datasette: Any) -> "OrderedDict[frozenset[str] | None, _Entry]":
    """The entries of this Datasette by the contexts they show, the one asked for last at the end. Of the event loop."""
    found: OrderedDict[frozenset[str] | None, _Entry] | None = getattr(datasette, "_eyelet_fronts", None)
    if found is None:
        found = datasette._eyelet_fronts = OrderedDict()
    return found


def _is_same(one: _Catalog, other: _Catalog) -> bool:
    same_keys = one.keys is other.keys or one.keys == other.keys
    return same_keys and one.troubles == other.troubles and one.reason == other.reason


def _look(held: Instance) -> _Catalog:
    """Never raises for what is on disk: a root that cannot be read is said on the page, which stays up."""
    try:
        catalog = held.store.catalog
        return _Catalog(catalog.partitions(), catalog.troubles())
    except EyeletError as error:
        return _Catalog([], [], made_visible(str(error)))


def _context(held: Instance, links: Links, catalog: _Catalog, visible: frozenset[str] | None) -> dict[str, Any]:
    """All that the template shows, of these contexts alone."""
    keys = [key for key in catalog.keys if visible is None or key.context in visible]
    troubles = [trouble for trouble in catalog.troubles if visible is None or trouble[0] in visible]
    spans = calendar.spans(keys)
    shown = spans[:INLINE_CONTEXTS]
    return {
        "contexts": _contexts(shown, keys, links),
        "more_contexts": len(spans) - len(shown),
        "count_contexts": len(spans),
        "days": len(keys),
        "base": str(links.path("/")),
        "search_url": links.search(),
        "days_url": links.days(),
        "overview_url": links.to(OVERVIEW),
        "sessions_url": links.to(SESSIONS),
        "now_url": links.to(NOW),
        "reason": catalog.reason,
        "troubles": [("/".join(filter(None, where)), made_visible(why)) for *where, why in troubles[:INLINE_TROUBLES]],
        "more_troubles": max(len(troubles) - INLINE_TROUBLES, 0),
    }


def _contexts(spans: list[Span], keys: list[PartitionKey], links: Links) -> list[Context]:
    shares = calendar.shares({span.context: span.days for span in spans}, INLINE_DAYS)
    held = calendar.by_context(keys)
    return [
        _shown(span, held[span.context], shares[span.context], links, unfold=len(spans) <= UNFOLDED_CONTEXTS)
        for span in spans
    ]


def _shown(span: Span, keys: list[PartitionKey], share: int, links: Links, *, unfold: bool) -> Context:
    """The newest days of the context, `share` at most, with their years; the older years as links."""
    name = span.context
    inline = calendar.by_year(calendar.whole_months(keys, share))
    counts = {year: len(held) for year, held in calendar.by_year(keys).items()}
    newest = next(iter(inline), 0)

    def in_year(year: int) -> str:
        return links.days(("context", name), ("year", f"{year:04d}"))

    older = [(year, counts[year], in_year(year)) for year in counts if year not in inline]
    return Context(
        span=span,
        search_url=links.search((("context", name),)),
        table_url=links.over_days(name),
        days_url=links.days(("context", name)),
        years=[
            Year(
                year=year,
                days=counts[year],
                missing=counts[year] - len(held),
                url=in_year(year),
                months=calendar.months(held),
                is_open=unfold and year == newest,
            )
            for year, held in inline.items()
        ],
        older=older[:INLINE_YEARS],
        more_years=max(len(older) - INLINE_YEARS, 0),
    )
