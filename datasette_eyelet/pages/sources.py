"""`/-/eyelet/sources`: where events come from, as a tree that opens at the dots of src; `.json` for programs."""

import asyncio
import json
import time
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from datasette_eyelet import instance, listed, responses, rows
from datasette_eyelet.instance import Instance
from datasette_eyelet.links import RANGE_NAMES, SOURCES, Links, is_linkable
from datasette_eyelet.query import Query, parse
from datasette_eyelet.src_tree import EVERYTHING, NODES_MOST, Node, tree
from datasette_eyelet.truth import truth
from datasette_eyelet.visible import one_line, visible
from eyelet_ingest import redactors
from eyelet_ingest.errors import BadInput
from eyelet_ingest.ranges import RANGES, resolve, zone
from eyelet_ingest.store.answers import Partitions
from eyelet_ingest.store.sources import Source
from eyelet_ingest.store.store import Store

DEFAULT_RANGE = "7d"
SHOWN_RANGES = ("today", "yesterday", "24h", "7d", "30d", "all")
NAMES_MOST = 10_000  # that a page adds up
NAMES_AT_ONCE = 2_000
NAME_MAX_CHARS = 80
RANGE_MAX_CHARS = 40  # as somebody wrote it


@dataclass(frozen=True, slots=True)
class NodeView:
    """`open_url` opens the node, or closes it where it is open, "" for one that has nothing below; `url` is the search
    for all of it; `share` is out of 100, of the events of all."""

    depth: int
    name: str
    path: str
    events: str
    own: str
    names: int
    share: int
    last: str
    ago: str
    iso: str
    is_open: bool
    open_url: str
    url: str


async def view(datasette: Any, request: Any, seen: frozenset[str] | None) -> Any:
    now_us = time.time_ns() // 1_000
    held = instance.of(datasette)
    query = _of_sources(parse(request.args, now_us), now_us)
    links = Links(datasette, query.pairs)
    context = await asyncio.to_thread(_context, held, held.store_for(seen), query, links, now_us)
    return await responses.page(datasette, request, "sources.html", context, 400 if context.get("reason") else 200)


async def json_view(datasette: Any, request: Any, seen: frozenset[str] | None) -> Any:
    """The names themselves, a page of them in order."""
    now_us = time.time_ns() // 1_000
    held = instance.of(datasette)
    query = _of_sources(parse(request.args, now_us), now_us)

    def made() -> str:
        held.drain_when_due()
        found = held.store_for(seen).sources(query.where, limit=query.size, after=query.after)
        body = {
            "ok": True,
            "sources": [{"src": one.src, "count": one.count, "newest_us": one.newest_us} for one in found.sources],
            "next": query.cursor(found.next) if found.next else None,
            "partitions": found.partitions.as_json(),
            "elapsed_ms": found.elapsed_ms,
        }
        return json.dumps(body)

    return responses.json_text(await asyncio.to_thread(made))


def _of_sources(query: Query, now_us: int) -> Query:
    return query if query.range_asked else query.over(resolve(range=DEFAULT_RANGE, tz=query.range.tz, now_us=now_us))


def _context(held: Instance, store: Store, query: Query, links: Links, now_us: int) -> dict[str, object]:
    """All that the template shows. Not for the event loop."""
    held.drain_when_due()
    given = dict(query.pairs)
    opened, wanted = given.get("open", ""), given.get("src", "")
    context = {**_form(query, links, store), "value": {"src": wanted, "context": given.get("context", "")}}
    try:
        names, partitions, elapsed_ms, more = _names(store, query)
    except BadInput as error:
        return {**context, "reason": visible(redactors.message(str(error)))}
    nodes = tree(names, opened or _only_branch(names, wanted))
    tz, total = zone(query.range.tz), sum(one.count for one in names)
    return {
        **context,
        "nodes": [_view(node, links, tz, now_us, total) for node in nodes],
        "total": f"{total:,}",
        "names": len(names),
        "is_capped": len(nodes) == NODES_MOST,
        "has_more": more,
        "all_open": opened == EVERYTHING,
        "open_all_url": _opened(links, EVERYTHING),
        "close_all_url": _opened(links, ""),
        "truth": truth(partitions, elapsed_ms),
    }


def _names(store: Store, query: Query) -> tuple[list[Source], Partitions, float, bool]:
    """Every name of the range, NAMES_MOST at most, and whether there are more."""
    names: list[Source] = []
    after, elapsed_ms = None, 0.0
    while True:
        found = store.sources(query.where, limit=NAMES_AT_ONCE, after=after)
        names += found.sources
        after, elapsed_ms = found.next, elapsed_ms + found.elapsed_ms
        if after is None or len(names) >= NAMES_MOST:
            return names, found.partitions, round(elapsed_ms, 3), after is not None


def _only_branch(names: list[Source], wanted: str) -> str:
    """What is open where nobody said it: what was searched for, or the way down to the first fork."""
    if wanted:
        return wanted.rstrip("*").rstrip(".")
    paths = [one.src.split(".") for one in names]
    shared: list[str] = []
    for parts in zip(*paths, strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    return ".".join(shared)


def _view(node: Node, links: Links, tz: tzinfo, now_us: int, total: int) -> NodeView:
    usable = is_linkable(node.path)
    parent = node.path.rpartition(".")[0]
    return NodeView(
        depth=min(node.depth, 8),
        name=one_line(node.name, NAME_MAX_CHARS) or "(no name)",
        path=one_line(node.path, 500),
        events=f"{node.events:,}",
        own=f"{node.own:,}" if node.own and node.names else "",
        names=node.names,
        share=round(100 * node.events / total) if total else 0,
        last=rows.moment(node.newest_us, tz)[:19],
        ago=listed.ago(now_us - node.newest_us),
        iso=listed.iso(node.newest_us),
        is_open=node.is_open,
        open_url=_opened(links, parent if node.is_open else node.path) if node.names and usable else "",
        url=links.search((*_kept(links), ("src", node.path))) if usable else "",
    )


def _kept(links: Links) -> tuple[tuple[str, str], ...]:
    """What of this page a search takes over: its range, zone and contexts."""
    pairs = tuple(pair for pair in links.pairs if pair[0] in (*RANGE_NAMES, "tz", "context"))
    return pairs if any(name in RANGE_NAMES for name, _ in pairs) else (*pairs, ("range", DEFAULT_RANGE))


def _opened(links: Links, path: str) -> str:
    rest = tuple(pair for pair in links.pairs if pair[0] != "open")
    return links.to(SOURCES, (*rest, ("open", path)) if path else rest)


def _form(query: Query, links: Links, store: Store) -> dict[str, object]:
    given = dict(query.pairs)
    current = given.get("range", "" if given.get("from") or given.get("to") else DEFAULT_RANGE)
    rest = tuple(pair for pair in links.pairs if pair[0] not in RANGE_NAMES)
    names = [*SHOWN_RANGES, *([current] if current and current not in SHOWN_RANGES else [])]
    return {
        "form_url": links.to(SOURCES),
        "hidden": [pair for pair in query.pairs if pair[0] not in ("src", "context", "open")],
        "options": {"context": store.contexts()[:500]},
        "ranges": [
            (
                one_line(name, RANGE_MAX_CHARS),
                RANGES.get(name, ""),
                links.to(SOURCES, (*rest, ("range", name))),
                name == current,
            )
            for name in names
        ],
        "label": query.range.label,
        "all_url": links.to(SOURCES, links.tz),
        "alternate_url_json": links.to(f"{SOURCES}.json", tuple(one for one in links.pairs if one[0] != "open")),
    }
