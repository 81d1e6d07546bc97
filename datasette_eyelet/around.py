"""The events before and after one, as pages show them."""

from datetime import tzinfo

from datasette_eyelet import rows
from datasette_eyelet.links import Links
from datasette_eyelet.rows import Row, RowView
from datasette_eyelet.visible import visible
from eyelet_ingest.store.store import Store

AROUND = 20
AROUND_MS = 2_000


def around(store: Store, row: Row, links: Links, tz: tzinfo, *, same_session: bool) -> list[RowView]:
    """The events around one, it among them, oldest first. Not for the event loop."""
    context, event_id = rows.text(row["context_name"]), int(str(row["id"]))
    found = store.around(
        context, event_id, before=AROUND, after=AROUND, same_session=same_session, deadline_ms=AROUND_MS
    )
    if found is None:
        return []
    shown = [*found.before, found.row, *found.after]
    store.resolve(shown)
    return [rows.row_view(one, links, tz) for one in shown]


def here(row: Row) -> str:
    """The key of the row among those around it."""
    return visible(f"{row['context_name']}-{row['id']}")
