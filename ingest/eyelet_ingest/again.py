"""The bundle's code made anew from its source, by a Python that finds none of its own: one that was upgraded, say.

`bundle.py` makes the code with it, and writes this file beside the launcher, which runs it with `beside`, where the
bundle lies, and `why`. Imports nothing of ours: the package may be gone. Where nothing helps, all that is kept is that
an event came: what it said has not been redacted, and must not reach the disk.
"""

import ast
import marshal
import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any

FAULTS_BYTES = 1 << 18
END = b"end of the bundle"
LEAN_GROUPS = 2  # what every event needs, and the store
BOOT, USUAL = "eyelet_ingest.boot", "eyelet_ingest.usual"


def code_name(beside: str) -> str:
    """The file of the code that this Python has compiled."""
    return f"{beside}-{sys.hexversion:x}.code"


def compiled(sources: "dict[str, tuple[bool, str]]", groups: "list[list[str]]", files: "dict[str, str]") -> bytes:
    """The content of that file: how long the code of `boot` and its `parts` are, in eight digits; these; the rest.

    `sources`: name → whether it is a package, text. `groups`: names of modules, each behind what it needs; the first
    group is made at once. `files`: C modules → where they are. The rest are the other groups and, of the first two, the
    functions that no usual event calls (`usual.py`): each stays in the file until it is called. END says that all is
    there: a file cut short would show only in the middle of an event.
    """
    usual: dict[str, Any] = {}
    exec(sources[USUAL][1], usual)
    functions: list[bytes] = []

    def coded(name: str, is_lean: bool) -> "Any":
        is_package, text = sources[name]
        if not is_lean:  # compiled at once it takes half the time
            return name, is_package, _code(text, name)
        tree = ast.parse(text)
        put_off(tree, name, usual["FUNCTIONS"], functions)
        return name, is_package, _code(tree, name)

    boot = _code(sources[BOOT][1], BOOT)
    hot: Any = tuple([coded(name, True) for name in groups[0]])
    rest = [
        marshal.dumps(tuple([coded(name, at < LEAN_GROUPS) for name in group]))
        for at, group in enumerate(groups[1:], 1)
    ]
    head_bytes = 0
    while True:  # how long the head is depends on the places in it, and these on how long it is
        at, later, places = 8 + head_bytes, {}, []
        for group, content in zip(groups[1:], rest):  # noqa: B905  they are of equal length
            later.update(dict.fromkeys(group, (at, len(content))))
            at += len(content)
        for content in (*functions, b""):
            places.append(at.to_bytes(4, "little"))
            at += len(content)
        parts: Any = (boot, (hot, later, files, b"".join(places)))
        head = marshal.dumps(parts)
        if len(head) <= head_bytes:
            break
        head_bytes = len(head) + 64
    return b"%08d" % len(head) + head.ljust(head_bytes, b"\0") + b"".join((*rest, *functions, END))


def put_off(tree: ast.Module, name: str, usual: "frozenset[str]", functions: "list[bytes]") -> None:
    """Put `f = seldom(number, globals())` in place of each function and method of the module that is not `usual`, and
    its code behind the `functions` that have a number already. Annotations go: nobody asks a hook for them.

    A function stays where more than its own name is needed to make it somewhere else: with decorators, with names of
    its class, and what Python calls by itself.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.FunctionDef):
            node.returns = None
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    for body, within in ((tree.body, f"{name}:"), *((one.body, f"{name}:{one.name}.") for one in classes)):
        for at, node in enumerate(body):
            if not isinstance(node, ast.FunctionDef) or within + node.name in usual:
                continue
            if not _stands_alone(node) or (body is not tree.body and not _has_plain_defaults(node)):
                continue
            (instead,) = ast.parse(f"{node.name} = seldom({len(functions)}, globals())").body
            body[at] = instead
            functions.append(marshal.dumps(_code(ast.Module([node], []), within + node.name)))


def _stands_alone(function: ast.FunctionDef) -> bool:
    held = ("id", "attr", "arg", "name", "asname")  # where a node keeps a name
    names = {str(getattr(node, one, "")) for node in ast.walk(function) for one in held}
    private = [name for name in names if name.startswith("__") and not name.endswith("__")]
    return not (function.decorator_list or function.name.startswith("__") or private or {"super", "__class__"} & names)


def _has_plain_defaults(method: ast.FunctionDef) -> bool:
    """Whether they are constants: others may name what only the class knows while it is made."""
    return all(isinstance(one, ast.Constant) for one in (*method.args.defaults, *filter(None, method.args.kw_defaults)))


def _code(source: "str | ast.Module", name: str) -> "CodeType":
    return without_lines(compile(source, f"<{name}>", "exec", dont_inherit=True, optimize=2))


def without_lines(code: "CodeType") -> "CodeType":
    """The code without the tables of its lines, a quarter of what has to be read: a hook prints no traceback."""
    inner = [without_lines(one) if isinstance(one, type(code)) else one for one in code.co_consts]
    return code.replace(co_linetable=b"", co_consts=tuple(inner))


def again(beside: str, why: str) -> None:
    """Make the code, keep it for the next event, and run it."""
    with open(f"{beside}.source", "rb") as file:
        sources, groups = marshal.loads(file.read())
    for name in [name for name in sys.modules if name.startswith("eyelet_ingest")]:
        del sys.modules[name]
    content = compiled(sources, groups, {})
    try:
        mine = f"{code_name(beside)}.{os.getpid()}"
        handle = os.open(mine, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            if os.write(handle, content) < len(content):
                raise OSError("the disk is full")
            os.replace(mine, code_name(beside))
        except OSError:
            os.unlink(mine)
            raise
    except OSError:
        handle = os.memfd_create("eyelet-hook")  # no room, or no right to write: this event goes on all the same
        os.write(handle, content)
    boot, parts = marshal.loads(content[8 : 8 + int(content[:8])])
    exec(boot, {"parts": parts, "handle": handle})


def note(beside: str, reason: str) -> None:
    """A line in `faults`, which `eyelet status` reads."""
    path = os.path.join(os.path.dirname(os.path.dirname(beside)), "faults")
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    if os.fstat(handle).st_size < FAULTS_BYTES:
        os.write(handle, f"{time.time_ns() // 1_000}\tlauncher\t{reason[:300]}\n".encode("utf-8", "replace"))


if "why" in globals():
    try:
        again(beside, why)  # type: ignore[name-defined]  # noqa: F821  the launcher's
    except BaseException as bad:  # noqa: BLE001  the agent must never fail because we could not log
        note(beside, f"{why}; {type(bad).__name__}: {bad}")  # type: ignore[name-defined]  # noqa: F821
