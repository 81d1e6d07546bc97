"""`/-/eyelet/alive`: whether this server can record, for who restarts it. No permission, and nothing but yes or no.

200 and `{"ok": true}` where the root can be read and written, or could be made; else 503 and `{"ok": false}`. It takes
no longer than WAIT_S: a disk that does not answer is no root that can be written. What is wrong, the health page says.
"""

import asyncio
import json
import os
import tempfile
from typing import Any

from datasette_eyelet import instance, responses
from eyelet_ingest.store import layout

WAIT_S = 2.0


async def view(datasette: Any, request: Any) -> Any:
    if request.method not in ("GET", "HEAD"):
        return _answer(False, 405)
    held = instance.of(datasette)
    # One look at a time: on a disk that does not answer, requests must not take thread after thread.
    if held.alive is None or held.alive.done():
        held.alive = asyncio.ensure_future(asyncio.to_thread(can_record, held.root))
    looking = held.alive
    done, _ = await asyncio.wait([looking], timeout=WAIT_S)
    is_well = bool(done) and not looking.cancelled() and looking.exception() is None and looking.result()
    return _answer(is_well, 200 if is_well else 503)


def can_record(root: str) -> bool:
    """Whether the root can be listed, and a file written there; of one that is not there, whether it could be made."""
    if root.startswith(layout.MEMORY):
        return True
    folder = root
    while not os.path.lexists(folder) and os.path.dirname(folder) != folder:
        folder = os.path.dirname(folder)
    try:
        if folder != root:
            return os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK)
        os.listdir(root)
        with tempfile.TemporaryFile(dir=root, buffering=0) as file:  # on Linux it has no name
            return file.write(b"alive") == len(b"alive")
    except OSError:
        return False


def _answer(is_well: bool, status: int) -> Any:
    return responses.json_text(json.dumps({"ok": is_well}), status)
