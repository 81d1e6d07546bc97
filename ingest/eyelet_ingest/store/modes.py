"""Who may read what a root holds: files are 0600 and folders 0700, whatever the umask, and what was widened is named.

A day that others may read is made private again by whoever next opens it to write (`connect.open_writer`); the rest is
for the user to decide: a group may have been let in on purpose. `eyelet status` and `eyelet secrets scan` say so.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from eyelet_ingest.store import layout
from eyelet_ingest.store.connect import OTHERS

MOST = 10_000  # found; who has more of them needs no list


@dataclass(frozen=True, slots=True)
class Widened:
    """A file or folder under a root that others than its owner may use."""

    path: str
    mode: int  # the permission bits

    @property
    def remedy(self) -> str:
        """What makes it private again."""
        return f"chmod go= {self.path}"


def widened(root: str, most: int = MOST) -> "list[Widened]":
    """What others may read, write or enter: the root itself and all below it, in the order of the folders.

    Where the root is closed to others, so is all below it: then only what was widened is named, and hinders nobody.
    Links are not followed. A folder that cannot be looked into is passed over.
    """
    if root.startswith(layout.MEMORY) or not OTHERS:
        return []
    found = []
    for path in _all(root):
        try:
            mode = os.lstat(path).st_mode
        except OSError:
            continue  # gone meanwhile
        if mode & OTHERS and not stat.S_ISLNK(mode):
            found.append(Widened(path, stat.S_IMODE(mode)))
            if len(found) == most:
                break
    return found


def _all(root: str) -> "Iterator[str]":
    yield root
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in (*folders, *sorted(names)):
            yield os.path.join(folder, name)
