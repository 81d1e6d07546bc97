"""Names that were recorded, for a shell that completes them: a few, soon, or none; never an error.

What was recorded is hostile, and what is completed stands on a command line as it is: only names that no shell takes
for anything but themselves are offered.
"""

import re
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click

from eyelet_ingest.errors import EyeletError

if TYPE_CHECKING:
    from eyelet_ingest.store.store import Store

DEADLINE_MS = 300  # for the question; the program's own start comes before it
NEWEST_S = 7 * 86_400  # older names are not looked for
MOST = 100
SESSION_EVENTS = 500  # whose sessions are offered, the newest first

_HARMLESS = re.compile(r"[A-Za-z0-9_./@%+=,-]+")

Complete = Callable[[click.Context, click.Parameter, str], list[str]]


def contexts(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The contexts there are."""
    return _offered(ctx, incomplete, lambda store: store.contexts())


def sessions(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The sessions of the newest events."""

    def newest(store: "Store") -> Iterable[str]:
        from eyelet_ingest.store.select import Filter

        found = store.search(Filter(), limit=SESSION_EVENTS, cut_chars=0, deadline_ms=DEADLINE_MS)
        return dict.fromkeys(str(row["session_id"]) for row in found.rows)

    return _offered(ctx, incomplete, newest)


def values(field: str) -> Complete:
    """The values of a column in the last 7 days, the most frequent first; of src, one level of its tree."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
        def frequent(store: "Store") -> Iterable[str]:
            from eyelet_ingest.store.select import Filter

            where = Filter(since_us=(time.time_ns() // 1_000) - NEWEST_S * 1_000_000)
            below = incomplete.rpartition(".")[0] if field == "src" else ""
            found = store.facets(where, [field], limit=MOST, src_below=below, deadline_ms=DEADLINE_MS)
            return [value for value, _ in found.fields[field].values]

        return _offered(ctx, incomplete, frequent)

    return complete


def words(*known: str) -> Complete:
    """What is known beforehand."""
    return lambda ctx, param, incomplete: [word for word in known if word.startswith(incomplete)]


def _offered(ctx: click.Context, incomplete: str, names: "Callable[[Store], Iterable[str]]") -> list[str]:
    from eyelet_ingest.cli.options import around
    from eyelet_ingest.store.store import Store

    root = ctx.params.get("root")
    roots = ctx.params.get("roots") or ((root,) if root else tuple(around(ctx).global_roots()) or ("~/.eyelet",))
    try:
        with Store(*roots[:1], also=roots[1:]) as store:
            found = list(names(store))
    except (EyeletError, OSError, ValueError):
        return []  # a shell that completes has nowhere to say what is wrong; the command will
    harmless = [name for name in found if name.startswith(incomplete) and _HARMLESS.fullmatch(name)]
    return [name for name in harmless if not name.startswith("-")][:MOST]
