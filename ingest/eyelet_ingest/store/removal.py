"""A whole day goes in one step: its folder is renamed out of sight, and then removed.

Whoever is killed before the rename has done nothing; after it the day is gone, whatever is left of the folder: its
name begins with a dot, no catalog lists it, and the next one who comes here removes it. Both happen under the day's
lock and, where SQLite can open the file, inside a transaction of its own, so that no program is writing there: one
that waited for the lock finds it moved and begins the day anew; one that waited for SQLite's has a database without a
name, as with any file that was removed. Readers keep what they have open.
"""

import os
import shutil
from contextlib import suppress

from eyelet_ingest.store import layout
from eyelet_ingest.store.layout import MEMORY, PartitionKey

HIDDEN = ".gone-"
# What a day's folder holds of ours, besides names that begin with a dot. All else belongs to somebody else, and stays.
OURS = frozenset(
    (*("logs.sqlite", "logs.sqlite-wal", "logs.sqlite-shm", "logs.sqlite-journal", "logs.lock"), "manifest.json")
)


def hide(root: str, key: PartitionKey) -> str:
    """Take the day out of sight, in one step; where it lies now. The caller holds its lock. OSError where it cannot be.

    One in memory is gone at once.
    """
    folder = layout.partition_dir(root, key)
    if folder.startswith(MEMORY):
        from eyelet_ingest.store import memory

        memory.remove(layout.db_path(root, key))
        return folder
    name = f"{HIDDEN}{key.year:04d}-{key.day:03d}-{os.urandom(4).hex()}"
    hidden = os.path.join(layout.logs_dir(root), key.context, name)
    os.rename(folder, hidden)
    return hidden


def clear(root: str, hidden: str) -> None:
    """Remove what was hidden, and the folders above it that are empty now. Files of others go back to their place.

    What cannot be removed now stays for the next one who comes.
    """
    if hidden.startswith(MEMORY):
        return
    context_dir, name = os.path.split(hidden)
    year, day = name[len(HIDDEN) :].split("-")[:2]
    folder = os.path.join(context_dir, year, day)
    if _give_back(hidden, folder):
        shutil.rmtree(hidden, ignore_errors=True)
    remove_empty(folder, layout.logs_dir(root))
    remove_empty(context_dir, layout.logs_dir(root))


def clean(root: str) -> int:
    """Remove what somebody hid and was stopped before he could remove it, and folders of years and contexts that are
    empty; how many days that were."""
    if root.startswith(MEMORY):
        return 0
    found = []
    for context in _names(layout.logs_dir(root)):
        folder = os.path.join(layout.logs_dir(root), context)
        for name in _names(folder):
            if _is_hidden_day(name):
                found.append(os.path.join(folder, name))
            elif len(name) == 4 and name.isdigit():
                remove_empty(os.path.join(folder, name), layout.logs_dir(root))
        remove_empty(folder, layout.logs_dir(root))
    for hidden in found:
        clear(root, hidden)
    return len(found)


def remove_empty(folder: str, end: str) -> None:
    """The folder and those above it below `end`, as far as they are empty."""
    while folder != end:
        try:
            os.rmdir(folder)
        except FileNotFoundError:
            pass
        except OSError:
            return
        folder = os.path.dirname(folder)


def _give_back(hidden: str, folder: str) -> bool:
    """Put others' files where they were; False where one could not go back, as its name is taken again."""
    every = True
    for name in _names(hidden):
        if name in OURS or name.startswith("."):
            continue
        to = os.path.join(folder, name)
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
            if os.path.lexists(to):
                every = False
                continue
            os.rename(os.path.join(hidden, name), to)
        except OSError:
            every = False
    if not every:
        for name in _names(hidden):
            if name in OURS:
                with suppress(OSError):
                    os.unlink(os.path.join(hidden, name))
    return every


def _is_hidden_day(name: str) -> bool:
    parts = name[len(HIDDEN) :].split("-")
    return name.startswith(HIDDEN) and len(parts) == 3 and len(parts[0]) == 4 and (parts[0] + parts[1]).isdigit()


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []
