"""Recording that rests: everywhere, or in one project; until somebody resumes, or until a time. Light: the hook asks.

One file beside the settings, a line for each rest: its end in seconds since 1970 (0: none), a tab, the project ("":
all).
"""

import os
import time

FILE_NAME = "paused"
MOST_BYTES = 1 << 20


def rests(home: str, projects: "tuple[str, ...]", now_s: "float | None" = None) -> bool:
    """Whether nothing is to be recorded now for work in one of these folders, which lie in one another."""
    try:
        lines = read(home)
    except OSError:
        return False
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
    for line in content.decode("utf-8", "surrogateescape").splitlines():
        until, tab, project = line.partition("\t")
        if tab:
            found.append((float(until) if until.isdigit() else 0.0, project))
    return found
