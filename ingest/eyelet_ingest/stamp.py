"""Whether the bundle that hooks run (`bundle.py`) is still that of this package. Light: every command asks.

The stamp beside the bundle says when each module was changed that a hook may run, and by which Python it was made.
"""

import os
import sys

from eyelet_ingest import place

FOLDER = "bin"
STAMP = "eyelet-hook.stamp"
PLUGINS = "plugins"


def interpreter() -> str:
    """The interpreter that runs the launcher: the one under a virtual environment, which stays when that is deleted."""
    base: str = getattr(sys, "_base_executable", "") or sys.executable
    return os.path.realpath(base)


def current(home: str) -> bytes:
    """The stamp of this package and Python, and of the plugins under `home`."""
    lines = [sys.executable, interpreter(), sys.version]
    for folder in (place.PACKAGE, os.path.join(place.PACKAGE, "store"), os.path.join(place.PACKAGE, "sources")):
        lines += _files(folder)
    if os.path.isdir(os.path.join(home, PLUGINS)):
        lines += _files(os.path.join(home, PLUGINS))
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def is_stale(home: str) -> bool:
    """Whether there is a bundle under `home`, and it is another's: the package was upgraded, moved or changed."""
    try:
        with open(os.path.join(home, FOLDER, STAMP), "rb") as file:
            return file.read() != current(home)
    except OSError:
        return False


def _files(folder: str) -> list[str]:
    with os.scandir(folder) as entries:
        files = {one.path: one.stat() for one in entries if one.name.endswith(".py")}
    return [f"{path} {there.st_mode:o} {there.st_mtime_ns} {there.st_size}" for path, there in sorted(files.items())]
