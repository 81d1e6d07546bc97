"""Which partitions exist. Answers from folder names alone: no database is opened to find out.

Listings are remembered per folder and trusted while the folder's modification time stands, so that asking again
costs a stat per context and year, not a look at every day. Where that would be many, one stat is mostly enough: who
makes a day touches `logs/` (`connect.py`). Other programs do not, so every folder is looked at once a second all the
same: a day that was copied into such a root is seen that much later.
"""

import os
import time
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from operator import attrgetter

from eyelet_ingest.errors import RootError
from eyelet_ingest.store import layout
from eyelet_ingest.store.fork_lock import ForkLock
from eyelet_ingest.store.layout import PartitionKey

# A folder changed this recently may change again within the same tick of the file system's clock.
SETTLED_NS = 2_000_000_000
FEW_FOLDERS = 64  # are all looked at each time, which costs 1.1 µs for each
LOOK_AGAIN_S = 1.0  # at more than that
Listing = tuple[int, int, list[str]]  # the folder's mtime in ns, when it was listed, and its names


class Part:
    """One partition as a question meets it: what it works out again and again of a key, worked out once.

    `at` is the place of its root among those that are read as one.
    """

    __slots__ = ("at", "context", "end_us", "first_us", "key", "path", "root")

    def __init__(self, root: str, at: int, key: PartitionKey) -> None:
        self.root, self.at, self.key = root, at, key
        self.context = key.context
        self.first_us, self.end_us = key.bounds_us
        self.path = layout.db_path(root, key)

    @property
    def bounds_us(self) -> tuple[int, int]:
        return self.first_us, self.end_us


IN_ORDER = attrgetter("first_us", "context", "at")
_FIRST, _END = attrgetter("first_us"), attrgetter("end_us")


class Catalog:
    """The partitions under one root, in order of time and context. May be shared by threads.

    `at` is the root's place among several that are read as one.
    """

    def __init__(self, root: str, at: int = 0) -> None:
        self.root, self.at = root, at
        self._lock = ForkLock()
        self._listings: dict[str, Listing] = {}  # guarded by _lock: of each folder
        self._folders: list[tuple[str, int]] = []  # guarded by _lock: those behind _keys, where they are settled
        self._looked_s = -LOOK_AGAIN_S  # guarded by _lock: when all of _folders were last looked at
        self._keys: list[PartitionKey] = []  # guarded by _lock
        self._parts: list[Part] = []  # guarded by _lock: those of _keys_of_parts
        self._keys_of_parts: list[PartitionKey] | None = None  # guarded by _lock
        self._troubles: list[tuple[str, str, str]] = []  # guarded by _lock
        self._archives: Catalog | None = None  # guarded by _lock; as soon as somebody asked

    def partitions(self) -> list[PartitionKey]:
        """Every partition, oldest first; none where the root is not there, RootError where it cannot be read."""
        with self._lock:
            if not self._unchanged():
                self._list()
            return self._keys

    def parts(self) -> list[Part]:
        """The same as `partitions`, worked out for questions; the very same objects while nothing changes."""
        keys = self.partitions()
        with self._lock:
            if self._keys_of_parts is not keys:
                if keys != self._keys_of_parts:
                    self._parts = [Part(self.root, self.at, key) for key in keys]
                self._keys_of_parts = keys
            return self._parts

    def limited_to(self, contexts: frozenset[str]) -> "LimitedCatalog":
        """This catalog, of these safe contexts alone: of others it says nothing, not even how many there are."""
        return LimitedCatalog(self, contexts)

    def prune(
        self, *, since_us: int | None = None, until_us: int | None = None, contexts: Iterable[str] = ()
    ) -> tuple[list[PartitionKey], int]:
        """The partitions that may hold since ≤ event < until of these safe contexts, oldest first, and how many not."""
        keys = self.partitions()
        low, high = 0, len(keys)
        if since_us is not None:
            low = bisect_left(keys, since_us + 1, key=lambda key: key.bounds_us[1])
        if until_us is not None:
            high = bisect_left(keys, until_us, key=lambda key: key.bounds_us[0])
        wanted = set(contexts)
        chosen = [key for key in keys[low:high] if not wanted or key.context in wanted]
        return chosen, len(keys) - len(chosen)

    def between(self, since_us: int | None, until_us: int | None, contexts: Sequence[str]) -> tuple[list[Part], int]:
        """As `prune`, for questions."""
        parts = self.parts()
        low = 0 if since_us is None else bisect_left(parts, since_us + 1, key=_END)
        high = len(parts) if until_us is None else bisect_left(parts, until_us, key=_FIRST)
        chosen = [part for part in parts[low:high] if part.context in contexts] if contexts else parts[low:high]
        return chosen, len(parts) - len(chosen)

    def only_archived(self, since_us: int | None, until_us: int | None, contexts: Sequence[str]) -> int:
        """How many days of this range and these contexts are in the archive and nowhere else."""
        kept, _ = self._of_archives().prune(since_us=since_us, until_us=until_us, contexts=contexts)
        if not kept:
            return 0
        return len(set(kept).difference(self.partitions()))

    def archived(self) -> list[PartitionKey]:
        """Every day that has an archive, oldest first."""
        return self._of_archives().partitions()

    def _of_archives(self) -> "Catalog":
        with self._lock:
            if self._archives is None:
                self._archives = ArchiveCatalog(self.root)
            return self._archives

    def troubles(self) -> list[tuple[str, str, str]]:
        """Folders that could not be looked into when the partitions were last listed: context, year or "", why."""
        with self._lock:
            return list(self._troubles)

    def close(self) -> None:
        """Of what is on disk there is nothing to close."""

    def _unchanged(self) -> bool:
        """Under the lock: whether every folder is as it was when it was listed, as far as their times tell; of many,
        that of `logs/`, which is the first, has to do for a while."""
        now_s = time.monotonic()
        marked = len(self._folders) > FEW_FOLDERS and now_s - self._looked_s < LOOK_AGAIN_S
        folders = self._folders[:1] if marked else self._folders
        try:
            unchanged = bool(folders) and all(os.stat(folder).st_mtime_ns == was for folder, was in folders)
        except OSError:
            return False
        if unchanged and not marked:
            self._looked_s = now_s
        return unchanged

    def _list(self) -> None:
        """Under the lock."""
        top = self._top()
        before, self._listings = self._listings, {}
        self._folders = []
        self._troubles.clear()
        keys: list[PartitionKey] = []
        for context in self._names(before, top):
            if layout.safe_context(context) != context:
                continue
            folder = os.path.join(top, context)
            for year in self._names(before, folder, context):
                if len(year) == 4 and year.isdigit():
                    days = self._names(before, os.path.join(folder, year), context, year)
                    keys += [key for day in days if (key := self._key(context, year, day)) is not None]
        self._keys = sorted(keys)
        if not self._troubles and all(_is_settled(listing) for listing in self._listings.values()):
            self._folders = [(folder, listing[0]) for folder, listing in self._listings.items()]

    def _top(self) -> str:
        return layout.logs_dir(self.root)

    def _key(self, context: str, year: str, name: str) -> PartitionKey | None:
        """The day that a name in the folder of a year stands for."""
        return layout.key_from_parts(context, year, name)

    def _names(self, before: dict[str, Listing], folder: str, context: str = "", year: str = "") -> list[str]:
        """What is in a folder. Trouble with the root's is raised; below it is noted, and hides nothing else."""
        try:
            changed_ns = os.stat(folder).st_mtime_ns
            known = before.get(folder)
            if known and known[0] == changed_ns and _is_settled(known):
                self._listings[folder] = known
                return known[2]
            listed_ns = time.time_ns()
            names = sorted(os.listdir(folder))
        except FileNotFoundError:
            self._listings[folder] = _UNSETTLED  # a link whose end may come to be
            return []
        except NotADirectoryError:
            if folder == self._top():
                raise RootError("read", folder, "it is a file, not a folder", "name a folder with --root") from None
            return []
        except OSError as bad:
            if context:
                self._troubles.append((context, year, bad.strerror or str(bad)))
                return []
            raise RootError("read", folder, bad.strerror or str(bad), "does the folder belong to you?") from bad
        self._listings[folder] = (changed_ns, listed_ns, names)
        return names


_UNSETTLED: Listing = (0, 0, [])


def _is_settled(listing: Listing) -> bool:
    """Whether a change since it was made would show: it was made long after the last one, not in the same tick."""
    changed_ns, listed_ns, _ = listing
    return changed_ns < listed_ns - SETTLED_NS


class ArchiveCatalog(Catalog):
    """The days that have an archive."""

    def _top(self) -> str:
        return layout.archive_dir(self.root)

    def _key(self, context: str, year: str, name: str) -> PartitionKey | None:
        day = name.removesuffix(layout.ARCHIVE_SUFFIX)
        return layout.key_from_parts(context, year, day) if day != name else None


class LimitedCatalog(Catalog):
    """What a Catalog knows of some contexts. It lists through that catalog, so that nothing is listed twice."""

    def __init__(self, whole: Catalog, contexts: frozenset[str]) -> None:
        super().__init__(whole.root, whole.at)
        self._whole, self._contexts = whole, contexts

    def partitions(self) -> list[PartitionKey]:
        return [key for key in self._whole.partitions() if key.context in self._contexts]

    def parts(self) -> list[Part]:
        return [part for part in self._whole.parts() if part.context in self._contexts]

    def only_archived(self, since_us: int | None, until_us: int | None, contexts: Sequence[str]) -> int:
        mine = [context for context in contexts or self._contexts if context in self._contexts]
        return self._whole.only_archived(since_us, until_us, mine) if mine else 0

    def archived(self) -> list[PartitionKey]:
        return [key for key in self._whole.archived() if key.context in self._contexts]

    def troubles(self) -> list[tuple[str, str, str]]:
        return [trouble for trouble in self._whole.troubles() if trouble[0] in self._contexts]
