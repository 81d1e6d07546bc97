"""Which partitions exist. Answers from folder names alone: no database is opened to find out.

Listings are remembered per folder and trusted while the folder's modification time stands, so that asking again
costs a stat per context and year, not a look at every day.
"""

import os
import threading
import time
from bisect import bisect_left
from collections.abc import Iterable

from eyelet_ingest.errors import RootError
from eyelet_ingest.store import layout
from eyelet_ingest.store.layout import PartitionKey

# A folder changed this recently may change again within the same tick of the file system's clock.
SETTLED_NS = 2_000_000_000


class Catalog:
    """The partitions under one root, in order of time and context. May be shared by threads."""

    def __init__(self, root: str) -> None:
        self.root = root
        self._lock = threading.Lock()
        self._listings: dict[str, tuple[int, list[str]]] = {}  # guarded by _lock: folder → (mtime_ns, names)
        self._seen: tuple[tuple[str, int], ...] = ()  # guarded by _lock: the folders behind _keys
        self._keys: list[PartitionKey] = []  # guarded by _lock
        self._troubles: list[tuple[str, str, str]] = []  # guarded by _lock

    def partitions(self) -> list[PartitionKey]:
        """Every partition, oldest first; none where the root is not there, RootError where it cannot be read."""
        with self._lock:
            found: list[tuple[str, str, list[str]]] = []
            logs = layout.logs_dir(self.root)
            self._troubles.clear()
            for context in self._names(logs):
                if layout.safe_context(context) != context:
                    continue
                folder = os.path.join(logs, context)
                for year in self._names(folder, context):
                    if len(year) == 4 and year.isdigit():
                        found.append((context, year, self._names(os.path.join(folder, year), context, year)))
            seen = tuple((folder, listing[0]) for folder, listing in sorted(self._listings.items()))
            if seen != self._seen or not self._settled():
                keys = [
                    key
                    for context, year, days in found
                    for day in days
                    if (key := layout.key_from_parts(context, year, day)) is not None
                ]
                self._keys = sorted(keys)
                self._seen = seen
            return self._keys

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

    def troubles(self) -> list[tuple[str, str, str]]:
        """Folders that could not be looked into when the partitions were last listed: context, year or "", why."""
        with self._lock:
            return list(self._troubles)

    def _names(self, folder: str, context: str = "", year: str = "") -> list[str]:
        """What is in a folder. Trouble with the root's is raised; below it is noted, and hides nothing else."""
        try:
            changed_ns = os.stat(folder).st_mtime_ns
            known = self._listings.get(folder)
            if known and known[0] == changed_ns and changed_ns < time.time_ns() - SETTLED_NS:
                return known[1]
            names = sorted(os.listdir(folder))
        except FileNotFoundError:
            self._listings.pop(folder, None)
            return []
        except NotADirectoryError:
            self._listings.pop(folder, None)
            if folder == layout.logs_dir(self.root):
                raise RootError("read", folder, "it is a file, not a folder", "name a folder with --root") from None
            return []
        except OSError as bad:
            self._listings.pop(folder, None)
            if context:
                self._troubles.append((context, year, bad.strerror or str(bad)))
                return []
            raise RootError("read", folder, bad.strerror or str(bad), "does the folder belong to you?") from bad
        self._listings[folder] = (changed_ns, names)
        return names

    def _settled(self) -> bool:
        newest_ns = max((listing[0] for listing in self._listings.values()), default=0)
        return newest_ns < time.time_ns() - SETTLED_NS


class LimitedCatalog(Catalog):
    """What a Catalog knows of some contexts. It lists through that catalog, so that nothing is listed twice."""

    def __init__(self, whole: Catalog, contexts: frozenset[str]) -> None:
        super().__init__(whole.root)
        self._whole, self._contexts = whole, contexts

    def partitions(self) -> list[PartitionKey]:
        return [key for key in self._whole.partitions() if key.context in self._contexts]

    def troubles(self) -> list[tuple[str, str, str]]:
        return [trouble for trouble in self._whole.troubles() if trouble[0] in self._contexts]
