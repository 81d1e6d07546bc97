"""What `eyelet install` writes under `~/.eyelet/bin/`: a launcher, and the hook's plain modules as one file of code.

Twenty modules looked up and read one by one cost a hook a third of its time; one file of code costs a twentieth. And it
stands by itself: a virtual environment that was moved or deleted takes nothing away from it (SQLite is then the standard
library's). The launcher is a Python file that always exits 0 and prints nothing. Beside it lie

- `eyelet-hook-<version of Python>.code`: the modules, compiled, for that Python;
- `eyelet-hook.source`: the same as text; another Python than the one that installed them compiles them anew, once;
- `eyelet-hook.stamp`: what the modules were when the bundle was made. `refresh` compares, and makes it anew.

Nothing in `bin` is secret, and all of it is private (0600, folder 0700).
"""

import ast
import marshal
import os
import sys
import tempfile
from pathlib import Path

from eyelet_ingest import launcher
from eyelet_ingest.errors import RootError
from eyelet_ingest.store.identity import make_private_dir

FOLDER = "bin"
LAUNCHER = "eyelet-hook.py"
SOURCE = "eyelet-hook.source"
STAMP = "eyelet-hook.stamp"
PACKAGE = Path(__file__).resolve().parent
NAME = "eyelet_ingest"
ENTRY = f"{NAME}.capture"
# What a hook needs seldom or never: it is in the bundle as bytes, and becomes code when it is asked for.
READABLE_BY_ALL = 4  # of marshal: every Python from 3.4 on reads it


def write(home: str) -> str:
    """Make or renew the bundle under `home` (the folder of the global settings, `~/.eyelet`); the launcher's path.

    RootError where it cannot be written. What is there stays whole until the new one has its place.
    """
    folder = os.path.join(os.path.abspath(os.path.expanduser(home)), FOLDER)
    make_private_dir(folder)
    sources = _sources()
    try:
        _put(folder, SOURCE, marshal.dumps(sources, READABLE_BY_ALL))
        _put(folder, launcher.code_name(), launcher.compiled(sources))
        text = Path(launcher.__file__).read_text(encoding="utf-8")
        _put(folder, LAUNCHER, _shortened(text).encode())
        _put(folder, STAMP, _stamp().encode())
    except OSError as bad:
        raise RootError("write", folder, bad.strerror or str(bad), "may you write in this folder?") from bad
    return os.path.join(folder, LAUNCHER)


def command(home: str, *flags: str) -> list[str]:
    """The program and the arguments that run the hook, for agents that start it without a shell.

    A shell of a line stands before it: where the interpreter or the launcher is gone (`python missing.py` exits 2,
    which blocks the agent's tool), nothing happens, and the answer is 0.
    """
    return ["/bin/sh", "-c", shell_command(home, *flags)]


def shell_command(home: str, *flags: str) -> str:
    """The same as one line of shell, for agents that give what they find to a shell."""
    path = os.path.join(os.path.abspath(os.path.expanduser(home)), FOLDER, LAUNCHER)
    python, quoted = _quoted(interpreter()), _quoted(path)
    more = "".join(" " + _quoted(flag) for flag in flags)
    return f"[ -x {python} ] && [ -f {quoted} ] && exec {python} -I -S {quoted}{more}; exit 0"


def interpreter() -> str:
    """The interpreter under a virtual environment, which stays when that is deleted; else this one."""
    base: str = getattr(sys, "_base_executable", "") or sys.executable
    return os.path.realpath(base)


def is_written(home: str) -> bool:
    """Whether a bundle is there."""
    return os.path.exists(os.path.join(home, FOLDER, LAUNCHER))


def refresh(home: str) -> bool:
    """Make the bundle under `home` anew where there is one and the package has changed since; whether it did."""
    try:
        with open(os.path.join(home, FOLDER, STAMP), encoding="utf-8") as file:
            if file.read() == _stamp():
                return False
    except FileNotFoundError:
        return False
    except (OSError, UnicodeError):
        pass
    write(home)
    return True


def modules() -> list[str]:
    """The names of all modules a hook may import, each behind those it imports at its beginning."""
    found: list[str] = []
    later = [ENTRY]
    seen: set[str] = set()
    while later:
        _visit(later.pop(0), seen, found, later)
    return found


def _visit(name: str, seen: set[str], found: list[str], later: list[str]) -> None:
    """`found` gets the module behind what it needs at once; what its functions import comes `later`."""
    if name in seen:
        return
    seen.add(name)
    tree = ast.parse(_path_of(name).read_bytes())
    at_once = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == NAME:
            names = [node.module, *(f"{node.module}.{one.name}" for one in node.names)]
            for one in filter(_is_module, names):
                if id(node) in at_once:
                    _visit(one, seen, found, later)
                else:
                    later.append(one)
    found.append(name)


def _is_module(name: str) -> bool:
    path = PACKAGE.parent.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def _path_of(name: str) -> Path:
    path = PACKAGE.parent.joinpath(*name.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _sources() -> list[tuple[str, bool, str]]:
    """(name, whether it is a package, text) of every module; `place` says where everything is now."""
    return [(name, _path_of(name).name == "__init__.py", _text_of(name)) for name in modules()]


def _text_of(name: str) -> str:
    if name != f"{NAME}.place":
        return _path_of(name).read_text(encoding="utf-8")
    facts = {"PACKAGE": str(PACKAGE), "PYTHON": sys.executable, "EXTENSION": _extension(), "IS_BUNDLE": True}
    return "".join(f"{name} = {value!r}\n" for name, value in facts.items())


def _extension() -> str:
    """The file of pysqlite3's C module, or ""."""
    from eyelet_ingest.store.connect import driver

    module = sys.modules.get("pysqlite3._sqlite3") if driver().__name__.startswith("pysqlite3") else None
    return os.path.realpath(module.__file__) if module is not None and module.__file__ else ""


def _stamp() -> str:
    """What changes when the package does: every module's time and size."""
    lines = [sys.executable, sys.version]
    for folder in (PACKAGE, PACKAGE / "store", PACKAGE / "sources"):
        with os.scandir(folder) as entries:
            files = [(one.path, one.stat()) for one in entries if one.name.endswith(".py")]
        lines += [
            f"{path} {there.st_mtime_ns} {there.st_size}" for path, there in sorted(files, key=lambda one: one[0])
        ]
    return "\n".join(lines)


def _shortened(text: str) -> str:
    """The launcher without docstrings and comments: it is compiled anew at every event."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.FunctionDef)) and ast.get_docstring(node) is not None:
            del node.body[0]
    return "# Written by `eyelet install`, which says more about it in eyelet_ingest/launcher.py.\n" + ast.unparse(tree)


def _put(folder: str, name: str, content: bytes) -> None:
    """A whole file or none, 0600."""
    handle, path = tempfile.mkstemp(dir=folder)
    try:
        with open(handle, "wb") as file:
            file.write(content)
        os.replace(path, os.path.join(folder, name))
    except BaseException:
        os.unlink(path)
        raise


def _quoted(text: str) -> str:
    from shlex import quote

    return quote(text)
