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
from errno import EXDEV

from eyelet_ingest.store import layout, schema
from eyelet_ingest.store.layout import MEMORY, PartitionKey

HIDDEN = ".gone-"
SIDES = ("-journal", "-shm", "-wal", "")
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
    from eyelet_ingest.store import text_blooms

    text_blooms.forget(root, key)
    name = f"{HIDDEN}{key.year:04d}-{key.day:03d}-{os.urandom(4).hex()}"
    hidden = os.path.join(layout.logs_dir(root), key.context, name)
    try:
        os.rename(folder, hidden)
    except OSError as bad:
        if bad.errno != EXDEV:
            raise
        hidden = os.path.join(os.path.dirname(folder), name)  # the year is a link to another disk
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
    if os.path.dirname(context_dir) != layout.logs_dir(root):
        context_dir = os.path.dirname(context_dir)
    folder = os.path.join(context_dir, year, day)
    _follow_link(os.path.join(hidden, "logs.sqlite"))
    if os.path.islink(hidden):
        _clear_linked(hidden)
    elif _give_back(hidden, folder):
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
                year = os.path.join(folder, name)
                if os.path.islink(year):
                    found += [os.path.join(year, one) for one in _names(year) if _is_hidden_day(one)]
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


def _clear_linked(hidden: str) -> None:
    """A day that is a link: what is ours goes where it leads, what others keep there stays, and the link goes last."""
    for name in _names(hidden):
        if name in OURS or name.startswith("."):
            path = os.path.join(hidden, name)
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path, ignore_errors=True)
            else:
                with suppress(OSError):
                    os.unlink(path)
    if not any(name in OURS for name in _names(hidden)):
        with suppress(OSError):
            os.rmdir(os.path.realpath(hidden))
        with suppress(OSError):
            os.unlink(hidden)


def _follow_link(path: str) -> None:
    """Where a day's database is a link to a database of ours, that goes."""
    if not os.path.islink(path):
        return
    real = os.path.realpath(path)
    with suppress(OSError):
        with open(real, "rb") as file:
            is_ours = int.from_bytes(file.read(72)[68:], "big") == schema.APPLICATION_ID
        for side in SIDES if is_ours else ():
            with suppress(FileNotFoundError):
                os.unlink(real + side)


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
