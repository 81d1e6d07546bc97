"""Where an event waits when its partition cannot take it in time: one file an event, drained exactly once.

A file is written under a temporary name and renamed, so what is seen is whole. Its name holds the order and the
partition: `<received ns>-<pid>-<mount name>.json`; its one line is a redacted row, ready to insert. Draining inserts
by uid and unlinks after the commit: a crash between the two finds the row known at the next try.

Where the root's own disk is full or read-only, the event waits in a private folder on another one (run-time
directory, shared memory, temporary directory), and is fetched from there by the same drain.
"""

import time

from eyelet_ingest.errors import BadInput, PartitionBusy, PartitionError, RootError
from eyelet_ingest.jsontext import dumps, parse
from eyelet_ingest.store import identity, layout
from eyelet_ingest.system import os

TYPE_CHECKING = False  # importing typing costs the hook more than its insert
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from eyelet_ingest.store.rows import Row
    from eyelet_ingest.store.tombstones import Sieve

FORMAT = 1
BATCH, BATCH_BYTES = 500, 8 * 2**20  # what is read before it is inserted together
EVENT_MAX_BYTES = 2**30  # what a capture takes in is a quarter of it, and doubles at most on its way here
ELSEWHERE_EACH = 16
LOOKED_AT = 20_000  # file names a capture looks at, 10 ms: with more waiting, order is kept by commands and the server
PARTITION_DEADLINE_MS = 5_000
ADOPTED_AFTER_S = 60  # no capture lives so long: whoever wrote this part of a file is gone

_TYPES = (str, int, float, type(None))
_TEXTS = frozenset(("session_id", "hook_type", "src", "data", "meta"))  # columns that are never null


def put(root: str, key: layout.PartitionKey, given: str, row: "Row", reason: str) -> str:
    """Keep one redacted row until it can be stored; returns the file's path.

    Raises RootError only where no place at all takes it.
    """
    uid, time_us, *values = row
    record = {"v": FORMAT, "given": given, "uid": uid.hex(), "time_us": time_us, "why": reason, "row": values}
    content = dumps(record).encode("utf-8", "replace")
    received_ns = max(time.time_ns(), 0)  # a clock before 1970 must not write a minus into the name
    trouble: Exception = OSError("it is in memory: nothing can wait")
    for at, folder in enumerate(_in_turn(root)):
        try:
            make_own_dir(folder, is_foreign=at > 0)
            return _write(folder, received_ns, f"-{os.getpid()}-{key.mount_name}.json", content)
        except (OSError, RootError) as bad:
            trouble = bad
    raise RootError("spool", root, str(trouble), "is every disk full?")


def _in_turn(root: str) -> "Iterator[str]":
    """`folders`, the others only when the first did not do."""
    if not root.startswith(layout.MEMORY):
        yield os.path.join(root, "spool")
        yield from folders(root)[1:]


def folders(root: str) -> "list[str]":
    """Where this root's events may wait: its own spool first, then places on other disks. Nowhere for one in memory."""
    if root.startswith(layout.MEMORY):
        return []
    from _blake2 import blake2b

    mark = blake2b(os.path.realpath(root).encode("utf-8", "surrogateescape"), digest_size=6).hexdigest()
    user = os.getuid() if hasattr(os, "getuid") else "user"
    # /run/user is asked for by name too: a hook of a desktop session has the variable, a timer's drain has not.
    places = [
        os.environ.get("XDG_RUNTIME_DIR", ""),
        f"/run/user/{user}",
        "/dev/shm",
        os.environ.get("TMPDIR", ""),
        "/tmp",
    ]
    others = [os.path.join(place, f"eyelet-{user}-{mark}") for place in places if place and os.path.isdir(place)]
    return [os.path.join(root, "spool"), *dict.fromkeys(others)]


def make_own_dir(folder: str, is_foreign: bool = True) -> None:
    """The folder, mode 0700; RootError or OSError where it cannot be made or another user prepared it."""
    identity.make_private_dir(folder)
    if is_foreign and not _is_own(folder):
        raise PermissionError(13, "not a private folder of this user", folder)


def waiting(root: str, most: int | None = None, elsewhere: bool = True) -> "list[str]":
    """The paths of events that wait, oldest first; `most` bounds how many names are looked at.

    In folders that anybody could have made, only what nobody else could have put there; without `elsewhere` these are
    not looked at.
    """
    found: list[tuple[str, str]] = []
    for at, folder in enumerate(folders(root) if elsewhere else [os.path.join(root, "spool")]):
        if at and not _is_own(folder):
            continue
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.endswith(".json") and entry.name[0] != ".":
                        found.append((entry.name, entry.path))
                        if len(found) == most:
                            return [path for _, path in sorted(found)]
        except OSError:
            continue
    return [path for _, path in sorted(found)]


def unfinished(root: str) -> "list[str]":
    """The paths of files that are being written, or whose writers were killed at it."""
    found = []
    for at, folder in enumerate(folders(root)):
        if at and not _is_own(folder):
            continue
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        found += [os.path.join(folder, name) for name in names if name[0] == "." and name.endswith(".json")]
    return sorted(found)


def set_aside(root: str) -> "list[str]":
    """The paths of files that turned out to be no event, each with its reason in a file beside it."""
    found = []
    for at, folder in enumerate(folders(root)):
        if at and not _is_own(folder):
            continue
        try:
            names = os.listdir(os.path.join(folder, "bad"))
        except OSError:
            continue
        found += [os.path.join(folder, "bad", name) for name in names if name.endswith(".json")]
    return sorted(found)


def strangers(root: str) -> "list[str]":
    """Places of this root's on other disks that are there and no private folders of this user: nothing goes there."""
    return [folder for folder in folders(root)[1:] if os.path.lexists(folder) and not _is_own(folder)]


def received_ns(path: str) -> "int | None":
    """When the event in this file was received, by the file's name; None where that says nothing."""
    digits = os.path.basename(path).partition("-")[0]
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 20 else None


def why(path: str, most_bytes: int = EVENT_MAX_BYTES) -> str:
    """Why the event in this file waits; "" where nobody can say, and of a file with more than `most_bytes`."""
    try:
        record = parse(_content(path, most_bytes).decode("utf-8", "replace"))
    except (BadInput, OSError):
        return ""
    return str(record.get("why", "")) if isinstance(record, dict) else ""


def remove(path: str) -> None:
    """Remove a file that waits or was set aside, and the reason beside it."""
    for one in (path, path + ".why"):
        try:  # noqa: SIM105  contextlib is not for the hook
            os.unlink(one)
        except FileNotFoundError:
            pass


def drain(root: str, deadline_ns: int, *, chosen: "Any" = None, quick: bool = False) -> "Drained":
    """Store what waits, each day's events in order of receipt, until `deadline_ns` (time.monotonic_ns).

    One drain at a time: where another is at it, this one returns at once. A partition that cannot take its events
    leaves them waiting, with the reason; a file that is no event is moved to the folder `bad` beside it. `quick` is
    for a capture: it looks at LOOKED_AT names at most, reads no file that is larger than BATCH_BYTES, and does not
    count what is left.
    """
    result = Drained()
    if not quick:
        for at, folder in enumerate(folders(root)):
            if not at or _is_own(folder):
                _adopt(folder)
    if quick:  # other disks hold something once in a blue moon: a capture in sixteen looks there
        paths = waiting(root, LOOKED_AT, elsewhere=not time.time_ns() // 1_000_000 % ELSEWHERE_EACH)
    else:
        paths = waiting(root)
    if not paths:
        return result
    from eyelet_ingest.store.connect import FileLock  # a hook that only puts does without

    days: dict[str, list[str]] = {}
    for path in paths:
        days.setdefault(mount_of(path), []).append(path)
    try:
        with FileLock(os.path.join(root, "spool", "drain.lock"), 0):
            for of_day in days.values():
                _drain_day(root, of_day, deadline_ns, chosen, result, BATCH_BYTES if quick else EVENT_MAX_BYTES)
    except PartitionBusy:
        result.reasons.append("another drain is at work")
    except (PartitionError, RootError) as bad:
        result.reasons.append(str(bad))
    if not quick:
        result.left = len(waiting(root))
    return result


class Drained:
    """What one drain did: events stored, events known already, files set aside, events that still wait, and why.

    `dead` are events that were deleted while they waited: they go, too.
    """

    __slots__ = ("bad", "dead", "known", "left", "reasons", "stored")

    def __init__(self) -> None:
        self.stored = self.known = self.bad = self.left = self.dead = 0
        self.reasons: list[str] = []


def _drain_day(
    root: str, paths: "list[str]", deadline_ns: int, chosen: "Any", result: Drained, most_bytes: int
) -> None:
    """The events of one day, in order, a batch at a time; the first trouble of the day ends its turn."""
    at = 0
    while at < len(paths):
        if time.monotonic_ns() >= deadline_ns:
            result.reasons.append("the time for one drain is up: the next goes on")
            return
        batch: list[tuple[str, Row]] = []
        given, size_bytes = "", 0
        while at < len(paths) and len(batch) < BATCH and size_bytes < BATCH_BYTES:
            path = paths[at]
            at += 1
            try:
                key, given, row, read_bytes = read(path, most_bytes)
            except FileNotFoundError:
                continue  # another drain was here before
            except BadInput as bad:
                _set_aside(path, str(bad), result)
                continue
            except OSError as bad:
                result.reasons.append(str(bad))
                continue
            batch.append((path, row))
            size_bytes += read_bytes
        if batch and not _store(root, key, given, batch, deadline_ns, chosen, result):
            return


def _store(
    root: str,
    key: layout.PartitionKey,
    given: str,
    batch: "list[tuple[str, Row]]",
    deadline_ns: int,
    chosen: "Any",
    result: Drained,
) -> bool:
    """Insert, then unlink: a crash between the two finds the rows known at the next try."""
    from eyelet_ingest.store import writer

    until_ns = min(deadline_ns, time.monotonic_ns() + PARTITION_DEADLINE_MS * 1_000_000)
    try:
        sift = _sieve(root, key, chosen)
        stored = writer.insert(root, key, given, [row for _, row in batch], until_ns, chosen=chosen, sift=sift)
    except (PartitionError, RootError) as bad:
        result.reasons.append(str(bad))
        return False
    result.stored += stored
    dead = sift.dead if sift else 0
    result.dead += dead
    result.known += len(batch) - stored - dead
    for path, _ in batch:
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass
        except OSError as bad:
            result.reasons.append(str(bad))
    return True


def _sieve(root: str, key: layout.PartitionKey, chosen: "Any") -> "Sieve | None":
    """What keeps out what was deleted, and what was redacted where its day is away; nothing where there was neither: a
    hook that drains loads nothing for it then."""
    if not os.path.exists(os.path.join(root, layout.TOMBSTONES)):
        return None
    from eyelet_ingest.store.tombstones import Sieve, Tombstones

    return Sieve(Tombstones.of(root, chosen), key.context, by_age=False, day=layout.db_path(root, key))


def _is_own(folder: str) -> bool:
    """Whether this user alone could have put anything there: a link or another's folder at a known path is a trap."""
    try:
        there = os.lstat(folder)
    except OSError:
        return False
    is_folder = there.st_mode & 0o170000 == 0o040000
    return is_folder and (not hasattr(os, "getuid") or (there.st_uid == os.getuid() and not there.st_mode & 0o077))


def mount_of(path: str) -> str:
    """The day that a waiting file is of, by its name: `default-2026-079`."""
    return os.path.basename(path)[: -len(".json")].lstrip(".").split("-", 2)[-1]


def read(path: str, most_bytes: int = EVENT_MAX_BYTES) -> "tuple[layout.PartitionKey, str, Row, int]":
    """Partition, context as given, row and size of a waiting file; BadInput where it is no event.

    OSError where it cannot be read, or has more than `most_bytes`.
    """
    from eyelet_ingest.store import writer

    content = _content(path, most_bytes)
    record = parse(content.decode("utf-8", "replace"))
    key = layout.key_from_mount_name(mount_of(path))
    try:
        if key is None or not isinstance(record, dict) or record["v"] != FORMAT:
            raise ValueError("not an event of this format")
        values, time_us, uid = record["row"], record["time_us"], bytes.fromhex(record["uid"])
        first_us, end_us = key.bounds_us
        if len(uid) != identity.UID_BYTES or type(time_us) is not int or not first_us <= time_us < end_us:
            raise ValueError("no uid, or a time outside its day")
        for name, value in zip(writer.ROW_COLUMNS, values, strict=True):
            if type(value) not in (_TYPES if name not in _TEXTS else (str,)):
                raise ValueError(f"{name} is a {type(value).__name__}")
        parse(values[-1])
        return key, str(record["given"]), (uid, time_us, *values), len(content)
    except (BadInput, KeyError, TypeError, ValueError) as bad:
        raise BadInput("drain", path, str(bad)) from bad


def _content(path: str, most_bytes: int) -> bytes:
    """What a file holds: a pipe must not be waited for, a link not followed, and what is huge not be read."""
    there = os.lstat(path)
    if there.st_mode & 0o170000 != 0o100000:
        raise BadInput("drain", path, "it is no regular file")
    if there.st_size > EVENT_MAX_BYTES:
        raise BadInput("drain", path, f"no event has {there.st_size} bytes")
    if there.st_size > most_bytes:
        from errno import EFBIG  # a hook that only puts does without

        raise OSError(EFBIG, "left for `eyelet drain` or the server", path)
    with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)), "rb") as file:
        return file.read(most_bytes + 1)


def _set_aside(path: str, reason: str, result: Drained) -> None:
    """Keep a file that is no event, with the reason beside it, where no drain meets it again."""
    result.bad += 1
    folder, name = os.path.join(os.path.dirname(path), "bad"), os.path.basename(path)
    try:
        make_own_dir(folder)
        with open(
            os.open(os.path.join(folder, name + ".why"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb"
        ) as why:
            why.write((reason + "\n").encode("utf-8", "replace"))
        os.replace(path, os.path.join(folder, name))
    except (OSError, RootError) as bad:  # it stays where it is; the next drain tries again
        result.reasons.append(f"{reason}; it could not be set aside: {bad}")


def _adopt(folder: str) -> None:
    """Give files their names whose writers were killed before they could: whole events are stored after all.

    One that was cut short is set aside with the reason, like every file that is no event.
    """
    try:
        with os.scandir(folder) as entries:
            partial = [entry for entry in entries if entry.name[0] == "." and entry.name.endswith(".json")]
        for entry in partial:
            there = entry.stat(follow_symlinks=False)
            if abs(time.time() - there.st_mtime) < ADOPTED_AFTER_S:  # the clock may have been set back since
                continue
            if there.st_size:
                os.replace(entry.path, os.path.join(folder, entry.name[1:]))
            else:
                os.unlink(entry.path)
    except OSError:
        pass  # another drain was here, or the folder is not ours to change: the next drain tries again


def _write(folder: str, received_ns: int, rest: str, content: bytes) -> str:
    """Write a whole file of the name `<received ns><rest>`, later by as many nanoseconds as are taken; its path."""
    while True:
        name = f"{received_ns:020d}{rest}"
        partial, path = os.path.join(folder, "." + name), os.path.join(folder, name)
        try:
            handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            received_ns += 1
            continue
        if not os.path.lexists(path):  # who has the partial name alone may make the other: no two threads meet here
            break
        os.close(handle)
        os.unlink(partial)
        received_ns += 1
    identity.put_whole(handle, content, partial, path)
    return path
