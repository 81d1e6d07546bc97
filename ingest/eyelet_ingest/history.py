"""What the agents of this machine left: every recording in the places of `sources/places.py`, its size and its age.

Nothing is read here but folders. What cannot be read is named and stops nothing else; a link that leads back to where
one comes from is gone once; a root of ours is none of theirs.
"""

import os
import stat
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from eyelet_ingest import recordings
from eyelet_ingest.errors import BadInput
from eyelet_ingest.opencode_folder import is_storage
from eyelet_ingest.sources.places import PLACES, Files, Place

LEVELS_MOST = 16
_KINDS = {stat.S_IFSOCK: "a socket", stat.S_IFIFO: "a pipe", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


@dataclass(frozen=True, slots=True)
class Left:
    """A recording of an agent. `mark` is another one as soon as somebody wrote to it; `sessions`: how many it is of,
    as far as its name tells; `project`: the folder that is the project's, of agents that have such."""

    agent: str
    path: str
    size_bytes: int
    mtime_ns: int
    mark: str
    sessions: int
    project: str = ""


@dataclass(frozen=True, slots=True)
class Passed:
    """What was passed over, and why."""

    path: str
    reason: str


@dataclass(slots=True)
class History:
    """What was found, newest first, and what could not be looked at."""

    left: list[Left] = field(default_factory=list)
    passed: list[Passed] = field(default_factory=list)


def find(
    agents: Collection[str] = (), *, root: str = "", since_us: int = 0, environ: "Mapping[str, str] | None" = None
) -> History:
    """What the `agents` left (all of them where none is named) that was written to since `since_us`.

    `root` is passed over wherever it lies. BadInput for an agent that nobody knows.
    """
    for agent in agents:
        if agent not in PLACES:
            raise BadInput("there is no agent", repr(agent), hint=f"there are {', '.join(PLACES)}")
    looking = _Looking(os.path.realpath(root) if root else "")
    for place in PLACES.values():
        if not agents or place.agent in agents:
            for folder in place.folders(os.environ if environ is None else environ):
                looking.take(place, folder)
    found = [one for one in looking.found.values() if one.mtime_ns >= since_us * 1_000]
    found.sort(key=lambda one: (-one.mtime_ns, one.path))
    return History(found, looking.passed)


class _Looking:
    """One look at all places; each real file and folder counts once, whichever links lead to it."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.found: dict[str, Left] = {}
        self.passed: list[Passed] = []
        self._named: set[str] = set()

    def take(self, place: Place, folder: str) -> None:
        for files in place.files:
            seen: set[str] = set()
            for inside, depth in self._folders(folder, [part for part in files.folders.split("/") if part], 0, seen):
                for entry in self._entries(inside):
                    if any(_fits(entry.name, name) for name in files.names):
                        self._look(place, files, entry.path, depth)

    def _folders(self, folder: str, parts: list[str], depth: int, seen: set[str]) -> Iterator[tuple[str, int]]:
        """The folders that the parts name below this one, each with how deep it lies."""
        if not parts:
            yield folder, depth
            return
        if parts[0] not in ("*", "**"):
            yield from self._folders(os.path.join(folder, parts[0]), parts[1:], depth + 1, seen)
            return
        if parts[0] == "**":
            real = os.path.realpath(folder)
            if real in seen:  # another link led here, or a circle closes
                self._pass(folder, "a link to a folder that is looked through already")
                return
            seen.add(real)
            yield folder, depth
        if depth >= LEVELS_MOST:
            self._pass(folder, f"deeper than {LEVELS_MOST} folders")
            return
        for entry in self._entries(folder):
            if _is_folder(entry):
                below = parts if parts[0] == "**" else parts[1:]
                yield from self._folders(entry.path, below, depth + 1, seen)

    def _entries(self, folder: str) -> "list[os.DirEntry[str]]":
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):
            return []  # this agent is not here
        except OSError as bad:
            self._pass(folder, bad.strerror or str(bad))
            return []
        if any(entry.name == recordings.KEY for entry in entries) or self._is_ours(folder):
            return []
        return entries

    def _is_ours(self, folder: str) -> bool:
        real = os.path.realpath(folder)
        return bool(self.root) and (real == self.root or real.startswith(self.root + os.sep))

    def _look(self, place: Place, files: Files, path: str, depth: int) -> None:
        """Take one file, or say why not."""
        try:
            there = os.stat(path)
        except OSError as bad:
            self._pass(path, "a link to nothing, or in a circle" if os.path.islink(path) else bad.strerror or str(bad))
            return
        real = os.path.realpath(path)
        if real in self.found:
            return
        if stat.S_ISDIR(there.st_mode):
            if is_storage(path):
                self.found[real] = _of_storage(place.agent, path, there)
            return
        if not stat.S_ISREG(there.st_mode):
            self._pass(path, f"no file but {_KINDS.get(stat.S_IFMT(there.st_mode), 'something else')}")
            return
        if not os.access(path, os.R_OK):
            self._pass(path, "permission denied (is it yours?)")
            return
        sessions = int(not files.at_depth or depth == files.at_depth)
        project = _project(place, path)
        self.found[real] = _of_file(place.agent, path, there, sessions, project)

    def _pass(self, path: str, reason: str) -> None:
        if path not in self._named:
            self._named.add(path)
            self.passed.append(Passed(path, reason))


def _of_file(agent: str, path: str, there: os.stat_result, sessions: int, project: str) -> Left:
    """A file; a database with the log beside it, in which the newest is."""
    size_bytes, mtime_ns, mark = there.st_size, there.st_mtime_ns, _mark_of(there)
    if path.endswith(".db"):
        with suppress(OSError):
            beside = os.stat(path + "-wal")
            if beside.st_size:
                size_bytes += beside.st_size
                mtime_ns = max(mtime_ns, beside.st_mtime_ns)
                # Not its ctime: SQLite, run by root, gives it the owner of the database whenever it reads.
                mark += f" {beside.st_size} {beside.st_mtime_ns} {beside.st_ino}"
    return Left(agent, path, size_bytes, mtime_ns, mark, sessions, project)


def _of_storage(agent: str, path: str, there: os.stat_result) -> Left:
    """OpenCode's folder of before, which is one recording of many files."""
    files = size_bytes = sessions = 0
    mtime_ns = there.st_mtime_ns
    for table in ("session", "message", "part"):
        for above, _, names in os.walk(os.path.join(path, table)):
            for name in names:
                try:
                    one = os.stat(os.path.join(above, name))
                except OSError:
                    continue
                files, size_bytes = files + 1, size_bytes + one.st_size
                sessions += table == "session"
                mtime_ns = max(mtime_ns, one.st_mtime_ns)
    return Left(agent, path, size_bytes, mtime_ns, f"{files} {size_bytes} {mtime_ns}", sessions)


def _mark_of(there: os.stat_result) -> str:
    return f"{there.st_size} {there.st_mtime_ns} {there.st_ctime_ns} {there.st_ino}"


def _fits(name: str, pattern: str) -> bool:
    """Whether a file's name is of the pattern, packed or not."""
    for ending in recordings.COMPRESSED:
        name = name.removesuffix(ending)
    return fnmatchcase(name, pattern)


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle
        return False


def _project(place: Place, path: str) -> str:
    """What the project's file says that lies above a recording; "" where there is none."""
    if not place.project_file:
        return ""
    folder = os.path.dirname(path)
    for _ in range(4):
        try:
            with open(os.path.join(folder, place.project_file), "rb") as file:
                said = os.fsdecode(file.read(4_096)).strip()
                return said if os.path.isabs(said) and "\0" not in said else ""
        except OSError:
            folder = os.path.dirname(folder)
    return ""
