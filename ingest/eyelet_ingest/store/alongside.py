"""Old logs that are read beside one's own and never mixed with it: each is a root of its own, `alongside/<name>` under
the root, filled by an import, read with the root, and gone when its folder is.
"""

import os
import shutil
import time

from eyelet_ingest.errors import BadInput, RootError
from eyelet_ingest.store import layout

FOLDER = "alongside"
MOST = 32  # each is looked into by every question
_GOING = ".going-"  # a folder that is being removed: a name with a dot is no side root


def roots_of(root: str) -> list[str]:
    """The side roots of a root, in order of name; none where there are none, or where nobody may look."""
    if root.startswith(layout.MEMORY):
        return []
    folder = os.path.join(root, FOLDER)
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    return [path for name in names if _is_name(name) and os.path.isdir(path := os.path.join(folder, name))]


def names_of(root: str) -> list[str]:
    return [os.path.basename(path) for path in roots_of(root)]


def path_of(root: str, name: str) -> str:
    """The side root of this name, which need not be there; BadInput for what is no name, or one too many."""
    if not _is_name(name):
        hint = "write 1 to 64 of a-z, 0-9, _ and -"
        raise BadInput("cannot read alongside under the name", repr(name[:80]), "", hint)
    path = os.path.join(root, FOLDER, name)
    if not os.path.isdir(path) and len(roots_of(root)) >= MOST:
        raise BadInput("read alongside", path, f"{MOST} others are there already", "drop one with --drop")
    return path


def drop(root: str, name: str) -> bool:
    """Remove a side root, in one step for who looks; False where there is none. What is left of an earlier removal that
    was stopped goes too. RootError where the folder cannot be removed."""
    path = path_of(root, name)
    folder = os.path.dirname(path)
    was_there = os.path.isdir(path)
    try:
        if was_there:
            os.rename(path, os.path.join(folder, f"{_GOING}{name}-{time.time_ns()}"))
        if os.path.isdir(folder):
            for left in os.listdir(folder):
                if left.startswith(_GOING):
                    shutil.rmtree(os.path.join(folder, left))
            if not os.listdir(folder):
                os.rmdir(folder)
    except OSError as bad:
        raise RootError("remove", path, bad.strerror or str(bad), "does the folder belong to you?") from bad
    return was_there


def _is_name(name: str) -> bool:
    return layout.safe_context(name) == name if name else False
