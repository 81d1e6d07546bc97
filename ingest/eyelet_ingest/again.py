"""The bundle's code made anew from its source, by a Python that finds none of its own: one that was upgraded, say.

`bundle.py` makes the code with it, and writes this file beside the launcher, which runs it with `beside`, where the
bundle lies, and `why`. Imports nothing of ours: the package may be gone. Where nothing helps, all that is kept is that
an event came: what it said has not been redacted, and must not reach the disk.
"""

import marshal
import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any

FAULTS_BYTES = 1 << 18


def code_name(beside: str) -> str:
    """The file of the code that this Python has compiled."""
    return f"{beside}-{sys.hexversion:x}.code"


def compiled(sources: "dict[str, tuple[bool, str]]", groups: "list[list[str]]", files: "dict[str, str]") -> bytes:
    """The content of that file: how long the code of `boot` and its `parts` are, in eight digits; these; the rest.

    `sources`: name → whether it is a package, text. `groups`: names of modules, each behind what it needs; the first
    group is made at once. `files`: C modules → where they are.
    """

    def coded(name: str) -> "Any":
        is_package, text = sources[name]
        return name, is_package, without_lines(compile(text, f"<{name}>", "exec", dont_inherit=True, optimize=2))

    boot = without_lines(compile(sources["eyelet_ingest.boot"][1], "<boot>", "exec", dont_inherit=True, optimize=2))
    hot: Any = tuple(map(coded, groups[0]))
    rest = [marshal.dumps(tuple(map(coded, group))) for group in groups[1:]]
    head_bytes = 0
    while True:  # how long the head is depends on the places in it, and these on how long it is
        at, later = 8 + head_bytes, {}
        for group, content in zip(groups[1:], rest):  # noqa: B905  they are of equal length
            later.update(dict.fromkeys(group, (at, len(content))))
            at += len(content)
        parts: Any = (boot, (hot, later, files))
        head = marshal.dumps(parts)
        if len(head) <= head_bytes:
            break
        head_bytes = len(head) + 64
    return b"%08d" % len(head) + head.ljust(head_bytes, b"\0") + b"".join(rest)


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
