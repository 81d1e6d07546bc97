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
    from typing import Any

FAULTS_BYTES = 1 << 18


def code_name(beside: str) -> str:
    """The file of the code that this Python has compiled."""
    return f"{beside}-{sys.implementation.cache_tag}-{sys.hexversion:x}.code"


def compiled(sources: "dict[str, tuple[bool, str]]", groups: "list[list[str]]", files: "dict[str, str]") -> bytes:
    """The content of that file: the code of `boot`, and its `parts`.

    `sources`: name → whether it is a package, text. `groups`: names of modules, each behind what it needs; the first
    group is made at once. `files`: C modules → where they are.
    """

    def coded(name: str) -> "Any":
        is_package, text = sources[name]
        return name, is_package, compile(text, f"<{name}>", "exec", dont_inherit=True, optimize=2)

    boot = compile(sources["eyelet_ingest.boot"][1], "<boot>", "exec", dont_inherit=True, optimize=2)
    hot: Any = tuple(map(coded, groups[0]))
    later: Any = {}
    for group in groups[1:]:
        content = marshal.dumps(tuple(map(coded, group)))
        later.update(dict.fromkeys(group, content))
    return marshal.dumps((boot, (hot, later, files)))


def again(beside: str, why: str) -> None:
    """Make the code, keep it for the next event, and run it."""
    with open(f"{beside}.source", "rb") as file:
        sources, groups = marshal.loads(file.read())
    for name in [name for name in sys.modules if name.startswith("eyelet_ingest")]:
        del sys.modules[name]
    content = compiled(sources, groups, {})
    try:
        mine = f"{code_name(beside)}.{os.getpid()}"
        handle = os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(handle, content)
        os.close(handle)
        os.replace(mine, code_name(beside))
    except OSError:
        pass
    boot, parts = marshal.loads(content)
    exec(boot, {"__name__": "boot", "parts": parts})


def note(beside: str, reason: str) -> None:
    """A line in `faults`, which `eyelet status` reads."""
    path = os.path.join(os.path.dirname(os.path.dirname(beside)), "faults")
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    if os.fstat(handle).st_size < FAULTS_BYTES:
        os.write(handle, f"{time.time_ns() // 1_000}\tlauncher\t{reason[:300]}\n".encode("utf-8", "replace"))


if __name__ == "again":
    try:
        again(beside, why)  # type: ignore[name-defined]  # noqa: F821  the launcher's
    except BaseException as bad:  # noqa: BLE001  the agent must never fail because we could not log
        note(beside, f"{why}; {type(bad).__name__}: {bad}")  # type: ignore[name-defined]  # noqa: F821
