"""What an answer says of itself, for the foot of a page: how much was looked at, what could not be."""

from datasette_eyelet.visible import one_line, visible
from eyelet_ingest.store.answers import Partitions


def truth(partitions: Partitions, elapsed_ms: float) -> dict[str, object]:
    """For the template `truth.html`."""
    bad = partitions.unreadable
    return {
        "scanned": partitions.scanned,
        "total": partitions.scanned + partitions.skipped + partitions.unasked + len(bad),
        "unasked": partitions.unasked,
        "archived": partitions.archived,
        "elapsed_ms": elapsed_ms,
        "unreadable": [(visible(one.context), one.day, one_line(one.error, 500)) for one in bad],
    }
