"""A project's own root, which lies among files that somebody else may have made. Light: the hook imports it where the
settings want such a root.

Whoever clones a repository must not be made to write elsewhere by it: no link may lead out of the project, and a root
that is there must be this user's and private. Git makes folders that others may read, so a root that came with a
repository is not used.
"""

from eyelet_ingest.errors import EyeletError
from eyelet_ingest.store.identity import make_private_dir
from eyelet_ingest.system import os

TYPE_CHECKING = False  # importing typing costs the hook more than its insert
if TYPE_CHECKING:
    from typing import Any

IGNORE = ".gitignore"
_INNER = ("logs", os.path.join("spool", "drain.lock"), os.path.join("spool", "bad"), "json")


def prepare(project: str, root: str, inside: "list[str]", settings: "dict[str, Any]") -> str:
    """Make the root where there is none, kept out of git where the settings want it; why it cannot be used, or "".

    `inside`: the files and folders that are to be written, first the database.
    """
    beside = [inside[0] + end for end in ("-wal", "-shm", "-journal")]
    for path in (*inside, *beside, *(os.path.join(root, name) for name in _INNER)):
        if not _is_inside(project, path):
            return f"{path} leads out of the project: a link is in the way"
    is_new = not os.path.lexists(root)
    try:
        make_private_dir(root)
        there = os.lstat(root)
    except (EyeletError, OSError) as bad:
        return str(bad)
    if there.st_mode & 0o170000 != 0o040000:
        return f"{root} is no folder"
    if hasattr(os, "getuid") and (there.st_uid != os.getuid() or there.st_mode & 0o077):
        return f"{root} was not made by eyelet for this user (if it is yours: chmod 700)"
    if is_new and settings["add_to_gitignore"]:
        _ignore(root)
    return ""


def _is_inside(project: str, path: str) -> bool:
    real = os.path.realpath(project)
    return os.path.realpath(path).startswith(real.rstrip(os.sep) + os.sep)


def _ignore(root: str) -> None:
    """A `.gitignore` of the root's own, which names all of it: nothing that others wrote is touched."""
    try:
        handle = os.open(os.path.join(root, IGNORE), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError:
        return  # another hook was first
    try:
        os.write(handle, b"*\n")
    finally:
        os.close(handle)
