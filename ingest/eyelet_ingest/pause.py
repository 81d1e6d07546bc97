"""Recording that rests: everywhere, or in one project; until somebody resumes, or until a time. Light: the hook asks.

One file beside the settings, a line for each rest: its end in seconds since 1970 (0: none), a tab, the project ("":
all). A folder whose name has a line break in it is none that could be paused.
"""

import time
from errno import ENOSPC

from eyelet_ingest.system import os

TYPE_CHECKING = False  # importing typing costs the hook more than its insert
if TYPE_CHECKING:
    from collections.abc import Callable

FILE_NAME = "paused"
HISTORY_NAME = "pauses"  # a line for each time that somebody paused or resumed, which explains what is missing later
LOCK_NAME = "paused.lock"
LOCK_WAIT_MS = 2_000
MOST_BYTES = 1 << 20


def rests(home: str, projects: "tuple[str, ...]", now_s: "float | None" = None) -> bool:
    """Whether nothing is to be recorded now for work in one of these folders, which lie in one another."""
    try:
        lines = read(home)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return False
    except OSError:
        return True  # somebody wanted a rest, and it cannot be said where
    now_s = time.time() if now_s is None else now_s
    return any((not until_s or now_s < until_s) and (not project or project in projects) for until_s, project in lines)


def read(home: str) -> "list[tuple[float, str]]":
    """Every rest there is, ended or not: its end (0: none) and its project ("": all)."""
    try:
        handle = os.open(os.path.join(home, FILE_NAME), os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    except FileNotFoundError:
        return []
    try:
        content = os.read(handle, MOST_BYTES)
    finally:
        os.close(handle)
    found = []
    for line in content.decode("utf-8", "surrogateescape").split("\n"):  # and at nothing else a name may have
        until, tab, project = line.partition("\t")
        if tab:
            found.append((float(until) if until.isascii() and until.isdigit() else 0.0, project))
    return found


def rest(home: str, project: str, until_s: float) -> None:
    """Record nothing for work in `project` ("": anywhere) until that time (0: until somebody resumes)."""
    begun_s = time.time()
    _change(home, lambda kept: [*(one for one in kept if one[1] not in names(project)), *_rests(project, until_s)])
    _remember(home, begun_s, "pause", until_s, project)


def resume(home: str, project: str) -> "list[tuple[float, str]]":
    """End the rest of `project`, or with "" all there are; those that it ended."""
    ended: list[tuple[float, str]] = []

    def without(kept: "list[tuple[float, str]]") -> "list[tuple[float, str]]":
        ended.extend(one for one in kept if not project or one[1] in names(project))
        return [one for one in kept if one not in ended]

    _change(home, without)
    _remember(home, time.time(), "resume", 0.0, project)
    return ended


def history(home: str) -> "list[tuple[float, float, str]]":
    """Every rest that is remembered: its beginning, its end (infinite where it goes on) and its project ("": all)."""
    try:
        with open(os.path.join(home, HISTORY_NAME), "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - MOST_BYTES))
            lines = file.read(MOST_BYTES).decode("utf-8", "surrogateescape").split("\n")
    except OSError:
        return []
    found: list[tuple[float, float, str]] = []
    open_ones: dict[str, tuple[float, float]] = {}  # project → beginning, end
    for line in lines:
        parts = line.split("\t", 3)
        if len(parts) < 4 or not (_is_number(parts[0]) and _is_number(parts[2])):
            continue
        at_s, what, until_s, project = float(parts[0]), parts[1], float(parts[2]), parts[3]
        for name in [name for name in open_ones if name == project or (what == "resume" and not project)]:
            begun_s, end_s = open_ones.pop(name)
            found.append((begun_s, min(end_s, at_s), name))
        if what == "pause":
            open_ones[project] = at_s, until_s or float("inf")
    return [*found, *((begun_s, end_s, name) for name, (begun_s, end_s) in open_ones.items())]


def _is_number(text: str) -> bool:
    return len(text) <= 32 and text.isascii() and text.replace(".", "", 1).isdigit()


def _remember(home: str, at_s: float, what: str, until_s: float, project: str) -> None:
    """Add a line to the history; one `os.write` that appends."""
    from eyelet_ingest.store.identity import make_private_dir

    make_private_dir(home)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
    handle = os.open(os.path.join(home, HISTORY_NAME), flags, 0o600)
    try:
        line = f"{at_s:.6f}\t{what}\t{until_s:.0f}\t{os.path.abspath(project) if project else ''}\n"
        os.write(handle, line.encode("utf-8", "surrogateescape"))
    finally:
        os.close(handle)


def _rests(project: str, until_s: float) -> "list[tuple[float, str]]":
    return [(until_s, name) for name in names(project)]


def names(project: str) -> "tuple[str, ...]":
    """The folder's path, and where links on it lead to: a hook may be told either."""
    return tuple(dict.fromkeys((os.path.abspath(project), os.path.realpath(project)))) if project else ("",)


def _change(home: str, changed: "Callable[[list[tuple[float, str]]], list[tuple[float, str]]]") -> None:
    """Write the file anew, whole, alone with it; rests that have ended go."""
    from eyelet_ingest.store.connect import FileLock
    from eyelet_ingest.store.identity import make_private_dir

    make_private_dir(home)
    path = os.path.join(home, FILE_NAME)
    with FileLock(os.path.join(home, LOCK_NAME), time.monotonic_ns() + LOCK_WAIT_MS * 1_000_000):
        now_s = time.time()
        lines = changed([one for one in read(home) if not one[0] or one[0] > now_s])
        if not lines:
            try:  # noqa: SIM105  contextlib is not for the hook
                os.unlink(path)
            except FileNotFoundError:
                pass
            return
        mine = f"{path}.{os.getpid()}"
        content = "".join(f"{until_s:.0f}\t{project}\n" for until_s, project in lines)
        handle = os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            whole = content.encode("utf-8", "surrogateescape")
            if os.write(handle, whole) < len(whole):
                raise OSError(ENOSPC, "the disk is full", path)
        finally:
            os.close(handle)
        os.replace(mine, path)
