"""What the tables over all days leave out, and why: said above the rows, where whoever reads them sees it."""

from typing import Any

from markupsafe import Markup

from datasette_eyelet.links import Links
from datasette_eyelet.visible import one_line
from eyelet_ingest.store.across import Covers

TROUBLES_SHOWN = 5
REASON_MAX_CHARS = 300


def said(datasette: Any, name: str) -> Markup:
    """A warning for the pages of the database over days of this name; empty where nothing is left out, or of any other
    database."""
    database = datasette.databases.get(name)
    if not getattr(database, "is_over_days", False):
        return Markup("")
    covers = database.connections.covers()
    said = Markup("")
    if covers is not None and covers.left_out:
        said += _newest_alone(covers, Links(datasette, ()), database.scope.context)
    return said + _troubles(database.connections.troubles())


def _newest_alone(covers: Covers, links: Links, context: str | None) -> Markup:
    url = links.days(*((("context", context),) if context is not None else ()))
    others = "1 other" if covers.left_out == 1 else f"{covers.left_out:,} others"
    newest = f"the newest {len(covers.attached)}"
    if covers.attached:
        newest += f", from {covers.attached[-1].key.date} to {covers.attached[0].key.date}, are"
    why = one_line(covers.reason, REASON_MAX_CHARS)
    return Markup(
        '<p class="eyelet-warning" role="status">Of all days only {} in these tables; <a href="{}">{}</a>, each a '
        "database of its own, are not, as {}</p>"
    ).format(newest, url, others, why)


def _troubles(troubles: Any) -> Markup:
    if not troubles:
        return Markup("")
    lines = Markup("").join(
        Markup("<li>{}: {}</li>").format(one_line(one.name, 100), one_line(one.error, REASON_MAX_CHARS))
        for one in troubles[:TROUBLES_SHOWN]
    )
    more = len(troubles) - TROUBLES_SHOWN
    if more > 0:
        lines += Markup("<li>and {:,} more</li>").format(more)
    return Markup('<div class="eyelet-warning" role="status">Left out, as it cannot be read:<ul>{}</ul></div>').format(
        lines
    )
