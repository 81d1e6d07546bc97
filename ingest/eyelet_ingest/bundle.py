"""What `eyelet install` writes under `~/.eyelet/bin/`: a launcher, and the hook's plain modules as one file of code.

Twenty modules looked up and read one by one cost a hook a third of its time; one file of code costs a tenth. And it
stands by itself: a virtual environment that was moved or deleted takes nothing away from it (SQLite is then the
standard library's). The launcher is a Python file that always exits 0 and prints nothing. Beside it lie

- `eyelet-hook-<version of Python>.code`: the modules, compiled for that Python (`boot.py` makes modules of them);
- `eyelet-hook.source` and `eyelet-hook-again.py`: what another Python than the one that installed it makes them of;
- `eyelet-hook.stamp`: what the package was when the bundle was made. every command compares, and makes it anew.

Nothing in `bin` is secret, and all of it is private (0600, folder 0700).
"""

import ast
import marshal
import os
import sys
import tempfile
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from eyelet_ingest import again, hot, stamp
from eyelet_ingest.errors import RootError
from eyelet_ingest.stamp import FOLDER as FOLDER
from eyelet_ingest.stamp import STAMP
from eyelet_ingest.stamp import interpreter as interpreter
from eyelet_ingest.store.identity import make_private_dir

LAUNCHER = "eyelet-hook.py"
PACKAGE = Path(__file__).resolve().parent
NAME = "eyelet_ingest"
ENTRY = f"{NAME}.capture"
# What is asked for together: the store, by an event that is not only spooled; the rules, by one with a tell-tale.
TOGETHER = (f"{NAME}.store.writer", f"{NAME}.redaction_rules")
ALWAYS = (f"{NAME}.metadata", f"{NAME}.store.spool")  # by nearly every event, though imported in functions
EVERYWHERE = 4  # a version of marshal that every Python from 3.4 on reads
_C_MODULES = ("_json", "fcntl", "_blake2", "_socket", "binascii", "_sqlite3")


def write(home: str) -> str:
    """Make or renew the bundle under `home` (the folder of the global settings, `~/.eyelet`); the launcher's path.

    RootError where it cannot be written. Each file is replaced as a whole.
    """
    folder = _folder(home)
    make_private_dir(folder)
    beside = os.path.join(folder, LAUNCHER).removesuffix(".py")
    groups = _groups()
    names = [*(name for group in groups for name in group), again.BOOT, again.USUAL]
    sources = {name: (_path_of(name).name == "__init__.py", _text_of(name, home)) for name in names}
    try:
        _put(f"{beside}.source", marshal.dumps((sources, groups), EVERYWHERE))
        _put(again.code_name(beside), again.compiled(sources, groups, _files()))
        _put(f"{beside}-again.py", (PACKAGE / "again.py").read_bytes())
        _put(f"{beside}.py", _shortened(PACKAGE / "launcher.py").encode())
        _put(os.path.join(folder, STAMP), stamp.current(os.path.dirname(folder)))
    except OSError as bad:
        raise RootError("write", folder, bad.strerror or str(bad), "may you write in this folder?") from bad
    return f"{beside}.py"


def refresh(home: str) -> bool:
    """Make the bundle under `home` anew where there is one and the package has changed since; whether it did."""
    if not stamp.is_stale(home):
        return False
    write(home)
    return True


def _folder(home: str) -> str:
    return os.path.join(os.path.abspath(os.path.expanduser(home)), FOLDER)


def _groups() -> list[list[str]]:
    """The names of all modules that a hook may import, each behind those it needs.

    The first group is what every event needs; the groups of TOGETHER follow, then one for each of the others.
    """
    seen: set[str] = set()
    later: list[str] = []
    groups = []
    for names in ((ENTRY, *ALWAYS), *((name,) for name in TOGETHER)):
        group: list[str] = []
        for name in names:
            _visit(name, seen, group, later)
        groups.append(group)
    while later:
        group = []
        _visit(later.pop(0), seen, group, later)
        groups += [group] if group else []
    return groups


def _visit(name: str, seen: set[str], found: list[str], later: list[str]) -> None:
    """`found` gets the module behind what it imports at its beginning; what its functions import comes `later`."""
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
                elif one not in (*seen, *TOGETHER) and not _is_for_types(node, tree):
                    later.append(one)
    found.append(name)


def _is_for_types(node: ast.AST, tree: ast.Module) -> bool:
    """Whether it stands under `if TYPE_CHECKING:`, which never runs."""
    blocks = [one for one in tree.body if isinstance(one, ast.If)]
    return any(
        node is inner for block in blocks for inner in ast.walk(block) if ast.unparse(block.test) == "TYPE_CHECKING"
    )


def _is_module(name: str) -> bool:
    path = PACKAGE.parent.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def _path_of(name: str) -> Path:
    path = PACKAGE.parent.joinpath(*name.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _text_of(name: str, home: str) -> str:
    """The module's text; `place` says where everything is now, and which plugins run in hooks; `patterns` what its
    Python has compiled."""
    if name == f"{NAME}.patterns":
        from eyelet_ingest import patterns, redaction_rules

        redaction_rules.compile_all()
        ready = f"READY_FOR = {sys.hexversion}\nREADY = {patterns.written_down()!r}\n"
        return _path_of(name).read_text(encoding="utf-8") + ready
    if name != f"{NAME}.place":
        return _path_of(name).read_text(encoding="utf-8")
    facts: dict[str, object] = {"PACKAGE": str(PACKAGE), "PYTHON": sys.executable, "EXTENSION": extension()}
    facts |= {"IS_BUNDLE": True, "HOT": hot.bundled(os.path.dirname(_folder(home)))}
    return "".join(f"{name} = {value!r}\n" for name, value in facts.items())


def extension() -> str:
    """The file of pysqlite3's C module, or ""."""
    from eyelet_ingest.store.connect import driver

    module = sys.modules.get("pysqlite3._sqlite3") if driver().__name__.startswith("pysqlite3") else None
    return os.path.realpath(module.__file__) if module is not None and module.__file__ else ""


def _files() -> dict[str, str]:
    """Where the C modules lie that a hook may need, for this Python; those that are built in are nowhere."""
    found = {name: find_spec(name) for name in _C_MODULES}
    return {name: spec.origin for name, spec in found.items() if spec and spec.origin and os.path.isfile(spec.origin)}


def _shortened(path: Path) -> str:
    """The launcher without its docstring and comments."""
    tree = ast.parse(path.read_bytes())
    del tree.body[0]
    return f"# Written by `eyelet install`; {NAME}/launcher.py says more.\n{ast.unparse(tree)}\n"


def _put(path: str, content: bytes) -> None:
    """A whole file or none, 0600."""
    handle, mine = tempfile.mkstemp(dir=os.path.dirname(path))
    try:
        with open(handle, "wb") as file:
            file.write(content)
        os.replace(mine, path)
    finally:
        with suppress(FileNotFoundError):  # it has its name by now
            os.unlink(mine)
