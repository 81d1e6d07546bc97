"""`/<day>.db`: a copy of a day as one file, as it was at one moment. The file on disk alone may miss its WAL."""

import asyncio
import os
import tempfile
from collections.abc import Callable
from typing import Any

from datasette.utils.asgi import AsgiStream

from datasette_eyelet import compat
from datasette_eyelet.mounts import Day
from datasette_eyelet.problems import problem

CHUNK_BYTES = 2**20


async def day(datasette: Any, request: Any, day: Day) -> Any:
    """The copy as a download, for whoever may download databases; 403 otherwise. It needs room for one copy."""
    if not datasette.setting("allow_download") or not await compat.may_download(datasette, request.actor, day.name):
        reason = "view-database-download is not granted for this day, or allow_download is off"
        return await problem(datasette, request, False, 403, "No download", reason)
    copy = await day.read(_snapshot_beside(day.path))
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


def _snapshot_beside(path: str) -> Callable[[Any], Any]:
    """Of a connection: an open file with all that is committed. It has no name: nothing is left behind by a kill."""

    def snapshot(conn: Any) -> Any:
        folder = tempfile.mkdtemp(prefix=".copy-", dir=os.path.dirname(path))  # 0700, where there is room for days
        name = os.path.join(folder, "day.db")
        try:
            conn.execute("vacuum into ?", [name])
            return open(name, "rb")
        finally:
            for left in os.listdir(folder):
                os.unlink(os.path.join(folder, left))
            os.rmdir(folder)

    return snapshot
