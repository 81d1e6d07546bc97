"""`/<day>.db`: a copy of a day as one file, as it was at one moment. The file on disk alone may miss its WAL."""

import asyncio
import os
from functools import partial
from typing import Any, BinaryIO
from weakref import WeakSet

from datasette.utils.asgi import AsgiStream

from datasette_eyelet import compat, instance
from datasette_eyelet.mounts import Day, broken
from datasette_eyelet.problems import problem
from eyelet_ingest.errors import PartitionUnreadable
from eyelet_ingest.store import copies
from eyelet_ingest.store.connect import driver

CHUNK_BYTES = 2**20
COPIES = 2  # at once: each takes room on the disk, as much as its day, until it was sent


class _Copies:
    """The copies of one Datasette that take room on the disk now. Of the event loop."""

    def __init__(self) -> None:
        self.being_made = 0
        self.made: WeakSet[BinaryIO] = WeakSet()

    def __len__(self) -> int:
        return self.being_made + sum(not copy.closed for copy in self.made)


async def day(datasette: Any, request: Any, day: Day) -> Any:
    """The copy as a download, for whoever may download databases; 403 otherwise, 429 where COPIES are being sent."""
    if not datasette.setting("allow_download") or not await compat.may_download(datasette, request.actor, day.name):
        reason = "view-database-download is not granted for this day, or allow_download is off"
        return await problem(datasette, request, False, 403, "No download", reason)
    held: _Copies = datasette.__dict__.setdefault("_eyelet_copies", _Copies())
    if len(held) >= COPIES:
        reason = f"{COPIES} days are being downloaded at this moment: try again later"
        return await problem(datasette, request, False, 429, "Not now", reason)
    copy = await _copied(datasette, held, day)
    headers = {
        "content-length": str(os.fstat(copy.fileno()).st_size),
        "content-disposition": f'attachment; filename="{day.name}.db"',
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
    }

    async def stream(writer: Any) -> None:
        with copy:
            while request.method != "HEAD" and (chunk := await asyncio.to_thread(copy.read, CHUNK_BYTES)):
                await writer.send({"type": "http.response.body", "body": chunk, "more_body": True})

    return AsgiStream(stream, headers=headers, content_type="application/vnd.sqlite3")


async def _copied(datasette: Any, held: _Copies, day: Day) -> BinaryIO:
    held.being_made += 1
    try:
        copy: BinaryIO = await day.read_by(instance.of(datasette).apart, partial(copies.snapshot, path=day.path))
    except OSError as bad:
        hint = "is the disk full, or was the day removed meanwhile?"
        raise PartitionUnreadable("copy", day.path, bad.strerror or str(bad), hint) from bad
    except driver().Error as bad:
        raise broken(day.path, bad) from bad
    finally:
        held.being_made -= 1
    held.made.add(copy)
    return copy
