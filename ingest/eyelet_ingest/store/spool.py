"""Where an event waits when its partition cannot take it in time: one file an event, drained exactly once.

A file is written under a temporary name and renamed, so what is seen is whole. Its name holds the order and the
partition: `<received ns>-<pid>-<mount name>.json`; its one line is a redacted row, ready to insert. Draining inserts
by uid and unlinks after the commit: a crash between the two finds the row known at the next try.

Where the root's own disk is full or read-only, the event waits in a private folder on another one (run-time
directory, shared memory, temporary directory), and is fetched from there by the same drain.
"""

import os
import time

from eyelet_ingest.errors import BadInput, PartitionBusy, PartitionError, RootError
from eyelet_ingest.jsontext import dumps, parse
from eyelet_ingest.store import identity, layout, writer
from eyelet_ingest.store.connect import FileLock

TYPE_CHECKING = False  # importing typing costs the hook more than its insert
if TYPE_CHECKING:
    from typing import Any

    from eyelet_ingest.store.writer import Row

FORMAT = 1
BATCH = 500  # files read before they are inserted together
PARTITION_DEADLINE_MS = 5_000


def put(root: str, key: layout.PartitionKey, given: str, row: "Row", reason: str) -> str:
    """Keep one redacted row until it can be stored; returns the file's path.

    Raises RootError only where no place at all takes it.
    """
    uid, time_us, *values = row
    record = {"v": FORMAT, "given": given, "uid": uid.hex(), "time_us": time_us, "why": reason, "row": values}
    content = dumps(record).encode("utf-8", "replace")
    name = f"{time.time_ns():020d}-{os.getpid()}-{key.mount_name}.json"
    for folder in folders(root):
        try:
            make_own_dir(folder)
            return _write(folder, name, content)
        except (OSError, RootError) as bad:
            trouble = bad
    raise RootError("spool", root, str(trouble), "is every disk full?")


def folders(root: str) -> "list[str]":
    """Where this root's events may wait: its own spool first, then places on other disks."""
    from _blake2 import blake2b

    mark = blake2b(os.path.abspath(root).encode("utf-8", "surrogateescape"), digest_size=6).hexdigest()
    user = os.getuid() if hasattr(os, "getuid") else "user"
    places = [os.environ.get("XDG_RUNTIME_DIR", ""), "/dev/shm", os.environ.get("TMPDIR", ""), "/tmp"]
    own = os.path.join(root, "spool")
    return [own, *(os.path.join(place, f"eyelet-{user}-{mark}") for place in places if place)]


def make_own_dir(folder: str) -> None:
    """The folder, mode 0700; RootError or OSError where it cannot be made or another user prepared it."""
    identity.make_private_dir(folder)
    there = os.lstat(folder)
    if hasattr(os, "getuid") and (there.st_uid != os.getuid() or there.st_mode & 0o077):
        raise PermissionError(13, "not a private folder of this user", folder)


def waiting(root: str) -> "list[str]":
    """The paths of all events that wait, oldest first."""
    found = []
    for folder in folders(root):
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        found += [(name, os.path.join(folder, name)) for name in names if name.endswith(".json") and name[0] != "."]
    return [path for _, path in sorted(found)]


def drain(root: str, deadline_ns: int, *, chosen: "Any" = None, most: int | None = None) -> "Drained":
    """Store what waits, in order of receipt, until `deadline_ns` (time.monotonic_ns) or `most` files.

    One drain at a time: where another is at it, this one returns at once. A partition that cannot take its events
    leaves them waiting; a file that cannot be read is moved to the folder `bad` beside it, with the reason.
    """
    result = Drained()
    paths = waiting(root)[:most]
    if not paths:
        return result
    try:
        with FileLock(os.path.join(root, "spool", "drain.lock"), 0):
            stuck: set[str] = set()
            for start in range(0, len(paths), BATCH):
                if time.monotonic_ns() >= deadline_ns:
                    result.reasons.append("the time for one drain is up; the next goes on")
                    break
                _drain_some(root, paths[start : start + BATCH], deadline_ns, stuck, chosen, result)
    except PartitionBusy:
        result.reasons.append("another drain is at work")
    except (PartitionError, RootError) as bad:
        result.reasons.append(str(bad))
    result.left = len(waiting(root))
    return result


class Drained:
    """What one drain did: events stored, events known already, files set aside, events that still wait, and why."""

    __slots__ = ("bad", "known", "left", "reasons", "stored")

    def __init__(self) -> None:
        self.stored = self.known = self.bad = self.left = 0
        self.reasons: list[str] = []


def _drain_some(
    root: str, paths: "list[str]", deadline_ns: int, stuck: "set[str]", chosen: "Any", result: Drained
) -> None:
    groups: dict[tuple[layout.PartitionKey, str], list[tuple[str, Row]]] = {}
    for path in paths:
        if _mount_of(path) in stuck:
            continue
        try:
            key, given, row = _read(path)
        except FileNotFoundError:
            continue
        except (BadInput, OSError) as bad:
            _set_aside(path, str(bad))
            result.bad += 1
            continue
        groups.setdefault((key, given), []).append((path, row))
    for (key, given), waiting_here in groups.items():
        until_ns = min(deadline_ns, time.monotonic_ns() + PARTITION_DEADLINE_MS * 1_000_000)
        try:
            stored = writer.insert(root, key, given, [row for _, row in waiting_here], until_ns, chosen=chosen)
        except (PartitionError, RootError) as bad:
            stuck.add(key.mount_name)
            result.reasons.append(str(bad))
            continue
        result.stored += stored
        result.known += len(waiting_here) - stored
        for path, _ in waiting_here:
            os.unlink(path)


def _mount_of(path: str) -> str:
    return os.path.basename(path)[: -len(".json")].split("-", 2)[-1]


def _read(path: str) -> "tuple[layout.PartitionKey, str, Row]":
    with open(path, "rb") as file:
        content = file.read()
    record = parse(content.decode("utf-8", "replace"))
    key = layout.key_from_mount_name(_mount_of(path))
    try:
        if key is None or not isinstance(record, dict) or record["v"] != FORMAT:
            raise ValueError("not an event of this format")
        values = record["row"]
        row = (bytes.fromhex(record["uid"]), int(record["time_us"]), *values)
        if len(row) != len(writer.ROW_COLUMNS) + 2:
            raise ValueError(f"{len(values)} values")
        return key, str(record["given"]), row
    except (KeyError, TypeError, ValueError) as bad:
        raise BadInput("drain", path, str(bad)) from bad


def _set_aside(path: str, reason: str) -> None:
    """Keep a file that is no event, with the reason beside it, where no drain meets it again."""
    folder = os.path.join(os.path.dirname(path), "bad")
    try:
        make_own_dir(folder)
        os.replace(path, os.path.join(folder, os.path.basename(path)))
        _write(folder, os.path.basename(path) + ".why", (reason + "\n").encode("utf-8", "replace"))
    except (OSError, RootError):
        pass  # it stays where it is; the next drain tries again


def _write(folder: str, name: str, content: bytes) -> str:
    partial, path = os.path.join(folder, "." + name), os.path.join(folder, name)
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        try:
            view = memoryview(content)
            while view:
                view = view[os.write(handle, view) :]
        finally:
            os.close(handle)
        os.replace(partial, path)
    except OSError:
        os.unlink(partial)
        raise
    return path
