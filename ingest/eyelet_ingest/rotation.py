"""Which content a recording holds, as far as payloads without a time are concerned: one that is known, or a new one.

The same beginning is the same content, wherever it lies. A path whose content was replaced, while a sibling has what it
held before, was rotated: equal payloads in it are new events.
"""

from hashlib import blake2b

from eyelet_ingest import reading, recordings
from eyelet_ingest.clock import Clock
from eyelet_ingest.head import Head
from eyelet_ingest.ledger import Ledger, Seen
from eyelet_ingest.sources import formats


def recognise(
    ledger: Ledger, key: bytes, clock: Clock, path: str, shown: str, head: Head, begun_anew: dict[str, int]
) -> tuple[Seen, bool]:
    """The content at `path`, which the ledger lists as `shown`, and whether it is a new one. In `begun_anew` a path is
    noted that begins otherwise than before, with nothing beside it that has the old beginning."""
    digests = head.digests
    digest = digests[-1] if digests else b""
    same = ledger.same_content(digests, shown)
    if same is not None:
        return Seen(shown, same.generation, len(digests), digest), False
    before = ledger.at_path(shown) if path != recordings.STDIN and digests else None
    if before is None:
        return Seen(shown, b"", len(digests), digest), False
    for sibling in recordings.siblings(path):
        if _begins_like(sibling, before, key, clock):
            parts = before.generation + before.head_digest
            generation = blake2b(parts, key=key, digest_size=8).digest()
            return Seen(shown, generation, len(digests), digest), True
    begun_anew[shown] = 0
    return Seen(shown, before.generation, len(digests), digest), False


def _begins_like(path: str, before: Seen, key: bytes, clock: Clock) -> bool:
    try:
        with open(path, "rb") as raw:
            found = formats.each(reading.records(reading.open_stream(raw)))
            digests = Head(found, key, clock).digests
    except OSError:
        return False
    return len(digests) >= before.head_records and digests[before.head_records - 1] == before.head_digest
