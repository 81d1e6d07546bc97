"""The extension in C as a file: where it is once it is built, and whether it may be loaded. docs/extension.md

`connect.py` alone loads it. The sources lie here and come with every install, so that it can be built later, too.
"""

import os
import stat
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))
NAME = "eyelet.dylib" if sys.platform == "darwin" else "eyelet.so"
HOW = "build it with: python -m eyelet_ingest.extension.build"


def path_of_built() -> "str | None":
    """The absolute path of the built extension; None where it has not been built."""
    path = os.path.join(FOLDER, NAME)
    return path if os.path.lexists(path) else None


def why_not(path: "str | None") -> str:
    """Why the file at `path` must not be loaded, and what helps; "" where it may.

    It runs with all that this process may do, so it is held to what holds for our own code: it is a file, of the same
    owner or root's, and whoever may not write the code beside it may not write it.
    """
    if path is None:
        return f"it is not built ({HOW})"
    try:
        there, code = os.stat(path), os.stat(__file__)
    except OSError as bad:
        return f"{path}: {bad.strerror or bad} ({HOW})"
    if not stat.S_ISREG(there.st_mode):
        return f"{path} is no file (remove it, then {HOW})"
    if there.st_uid not in (0, code.st_uid):
        return f"{path} belongs to somebody else (remove it, then {HOW})"
    if there.st_mode & stat.S_IWOTH or (there.st_mode & stat.S_IWGRP and not _has_the_group_our_code(there, code)):
        return f"{path} may be written by others (chmod go-w {path})"
    return ""


def _has_the_group_our_code(there: os.stat_result, code: os.stat_result) -> bool:
    """Whether the group that may write the file may write our code, too: some have a umask of 002."""
    return there.st_gid == code.st_gid and bool(code.st_mode & stat.S_IWGRP)
