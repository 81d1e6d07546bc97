"""`os` at the hook's price: importing it costs a hook more than its insert, for classes that no hook needs.

The hook's modules say `from eyelet_ingest.system import os`. That is `os` itself wherever something has loaded it, and
on Windows. In an installed hook, and by path under `-I -S`, nothing has: there it is the C module under `os` with what
`os` makes of it in Python, and `os` itself for all that is not here. A test holds each answer to that of `os`.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os as os
    from types import ModuleType
    from typing import Any

LINK = 0o120000
MASK = 0o170000


def light() -> "ModuleType":
    """A module that answers as `os` does."""
    import posix

    kind = type(sys)
    made, path = kind("os"), kind("posixpath")
    made.__dict__.update(posix.__dict__)
    made.__dict__.update(path=path, sep="/", devnull="/dev/null", name="posix", fsencode=_fsencode, __getattr__=_of_os)
    made.__dict__["environ"] = {_text(name): _text(value) for name, value in posix.environ.items()}
    parts = {"join": join, "dirname": dirname, "basename": basename, "abspath": abspath, "realpath": realpath}
    looks = {"exists": exists, "lexists": lexists, "isfile": isfile, "isdir": isdir, "islink": islink}
    path.__dict__.update(parts, **looks, expanduser=expanduser, __getattr__=_of_path)
    return made


def join(path: str, *more: str) -> str:
    for one in more:
        if one.startswith("/"):
            path = one
        elif not path or path.endswith("/"):
            path += one
        else:
            path += "/" + one
    return path


def dirname(path: str) -> str:
    head = path[: path.rfind("/") + 1]
    return head.rstrip("/") or head


def basename(path: str) -> str:
    return path[path.rfind("/") + 1 :]


def abspath(path: str) -> str:
    return path if _is_plain(path) else str(_of_path("abspath")(path))


def realpath(path: str) -> str:
    """The same path where no link is on its way; else, and of paths that are not absolute, what `os` finds."""
    at = 0 if _is_plain(path) else -1
    while at >= 0:
        at = path.find("/", at + 1)
        if islink(path if at < 0 else path[:at]):
            return str(_of_path("realpath")(path))
    return path if _is_plain(path) else str(_of_path("realpath")(path))


def expanduser(path: str) -> str:
    home = os.environ.get("HOME")
    if path[:1] != "~":
        return path
    if path[1:2] not in ("", "/") or home is None:
        return str(_of_path("expanduser")(path))
    return (home.rstrip("/") + path[1:]) or "/"


def exists(path: str) -> bool:
    return _kind(os.stat, path) >= 0


def lexists(path: str) -> bool:
    return _kind(os.lstat, path) >= 0


def isfile(path: str) -> bool:
    return _kind(os.stat, path) == 0o100000


def isdir(path: str) -> bool:
    return _kind(os.stat, path) == 0o040000


def islink(path: str) -> bool:
    return _kind(os.lstat, path) == LINK


def _kind(look: "Any", path: str) -> int:
    """What is there, as its mode says; -1 for nothing."""
    try:
        return int(look(path).st_mode & MASK)
    except (OSError, ValueError):
        return -1


def _is_plain(path: str) -> bool:
    """Whether an absolute path has nothing in it that `abspath` would take out."""
    if path[:1] != "/" or "//" in path or (path[-1] == "/" and path != "/"):
        return False
    return "/." not in path or not {".", ".."} & {*path.split("/")}  # ~/.eyelet is as plain as any


def _fsencode(text: str) -> bytes:
    return text.encode(sys.getfilesystemencoding(), "surrogateescape")


def _text(raw: bytes) -> str:
    return raw.decode(sys.getfilesystemencoding(), "surrogateescape")


def _of_os(name: str) -> "Any":
    import os as whole

    return getattr(whole, name)


def _of_path(name: str) -> "Any":
    return getattr(_of_os("path"), name)


if not TYPE_CHECKING:
    if "os" in sys.modules or sys.platform == "win32":
        import os
    else:
        os = light()
