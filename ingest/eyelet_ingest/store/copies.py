"""A copy of a day as one file without a name: nothing of it stays when its reader is done.

While SQLite writes it, it has a name in a folder beside the day, where there is room for days. Who is killed then
leaves it behind; whoever copies or deletes the day next removes it.
"""

import os
import shutil
import tempfile
import time
from typing import Any, BinaryIO

from eyelet_ingest.store.connect import driver

PREFIX = ".copy-"
LEFT_BEHIND_S = 3_600  # a copy that nothing was written to for so long is nobody's any more


def snapshot(conn: Any, path: str) -> BinaryIO:
    """All that is committed in the day at `path`, which `conn` reads, as an open file; OSError where it vanishes."""
    folder = os.path.dirname(path)
    remove_left(folder, LEFT_BEHIND_S)
    made = tempfile.mkdtemp(prefix=PREFIX, dir=folder)  # 0700
    name, whole = os.path.join(made, "day.db"), os.path.join(made, "whole.db")
    try:
        # (SQLite 3.40 cannot VACUUM INTO through a connection that only reads, where columns are generated.)
        copy = driver().connect(whole, isolation_level=None)
        try:
            conn.backup(copy)
            copy.execute("vacuum into ?", [name])  # without a WAL's mark, so that it can be read where nobody may write
        finally:
            copy.close()
        return open(name, "rb")
    finally:
        shutil.rmtree(made, ignore_errors=True)


def remove_left(folder: str, older_s: float = 0.0) -> None:
    """Remove the copies in the folder of a day that nothing was written to for `older_s` seconds; all where 0."""
    try:
        names = [name for name in os.listdir(folder) if name.startswith(PREFIX)]
    except OSError:
        return
    for name in names:
        made = os.path.join(folder, name)
        if not older_s or time.time() - _written_s(made) > older_s:
            shutil.rmtree(made, ignore_errors=True)


def _written_s(made: str) -> float:
    """When something was last written in it, as an epoch; now, where it is gone."""
    try:
        return max(os.stat(os.path.join(made, name)).st_mtime for name in ("", *os.listdir(made)))
    except OSError:
        return time.time()
