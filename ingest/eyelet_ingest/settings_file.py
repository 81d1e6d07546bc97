"""A file of settings as dotted names with the lines they stand on."""

import os
import stat
from dataclasses import dataclass
from typing import Any

from eyelet_ingest.errors import BadInput

MOST_BYTES = 1 << 16  # half a second of reading; hooks wait for it
MOST_VALUES = 10_000  # an alias says a part again, so a small file could say more than memory holds
GROUPS = (
    "logging",
    "metadata",
    "limits",
    "redaction",
    "health",
)  # whose names are settings; what is deeper is a setting's value
DEEPEST = 20


@dataclass(frozen=True, slots=True)
class Found:
    """What a file says of one name, and the line it says it on, from 1; of names or values in it, in order, too."""

    value: Any
    line: int
    inner: tuple[int, ...] = ()


def read(path: str) -> dict[str, Found] | None:
    """What the YAML file at `path` says, by dotted name; None where there is none.

    BadInput with file and line for what is no YAML, or says a thing twice, or nests without end.
    """
    try:
        with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:  # a pipe is not waited for
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise BadInput("read settings", path, "it is no regular file", "move it away")
            content = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as bad:
        reason = bad.strerror if isinstance(bad, OSError) and bad.strerror else str(bad)
        raise BadInput("read settings", path, reason, "may you read it?") from bad
    if len(content) > MOST_BYTES:
        raise BadInput("read settings", path, "it is longer than 64 KiB", "is it the right file?")
    import yaml

    try:
        loader = yaml.SafeLoader(content)
        try:
            top = loader.get_single_node()
            return _Reader(path, loader).names(top) if top is not None else {}
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as bad:
        mark = bad.problem_mark or bad.context_mark
        where = f"{path}:{mark.line + 1}" if mark else path
        raise BadInput("read settings", where, bad.problem or "it is no YAML", "see docs/settings.md") from bad
    # A tag such as !!bool or !!timestamp over what is none meets PyYAML unprepared, in many ways.
    except (yaml.YAMLError, ValueError, RecursionError, ArithmeticError, LookupError, TypeError, AttributeError) as bad:
        reason = "it is no YAML: " + (str(bad).split("\n")[0][:200] or type(bad).__name__)
        raise BadInput("read settings", path, reason, "see docs/settings.md") from bad


class _Reader:
    """Nodes of YAML, which know their lines, as plain values."""

    def __init__(self, path: str, loader: Any) -> None:
        self.path, self.loader, self.left = path, loader, MOST_VALUES

    def names(self, top: Any) -> dict[str, Found]:
        found: dict[str, Found] = {}
        for name, node, line in self._pairs(top, "a file of settings holds names with values"):
            if name in GROUPS and node.id == "mapping":
                for inner, value, at in self._pairs(node, ""):
                    self._keep(found, f"{name}.{inner}", value, at)
            else:
                self._keep(found, name, node, line)
        return found

    def _keep(self, found: dict[str, Found], name: str, node: Any, line: int) -> None:
        if name in found:
            raise self._bad(line, f"{name} stands on line {found[name].line}, too", "keep one of them")
        inside = [key for key, _ in node.value] if node.id == "mapping" else node.value if node.id == "sequence" else []
        inner = tuple(one.start_mark.line + 1 for one in inside)
        found[name] = Found(self._value(node, DEEPEST), line, inner)

    def _pairs(self, node: Any, otherwise: str) -> list[tuple[str, Any, int]]:
        if node.id != "mapping":
            raise self._bad(node.start_mark.line + 1, otherwise, "see docs/settings.md")
        pairs = []
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.id != "scalar":
                raise self._bad(line, "a name must be a plain text", "see docs/settings.md")
            pairs.append((key.value, value, line))
        return pairs

    def _value(self, node: Any, deepest: int) -> Any:
        line = node.start_mark.line + 1
        self.left -= 1
        if not deepest or self.left < 0:
            raise self._bad(line, "it nests too deep, or says too much", "see docs/settings.md")
        if node.id == "sequence":
            return [self._value(one, deepest - 1) for one in node.value]
        if node.id == "mapping":
            values: dict[str, Any] = {}
            for name, value, at in self._pairs(node, ""):
                if name in values:
                    raise self._bad(at, f"{name} stands there twice", "keep one of them")
                values[name] = self._value(value, deepest - 1)
            return values
        value = self.loader.construct_object(node)
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            return str(node.value)  # more digits than Python would say again
        return value if value is None or isinstance(value, (str, int, float, bool)) else node.value

    def _bad(self, line: int, reason: str, hint: str) -> BadInput:
        return BadInput("read settings", f"{self.path}:{line}", reason, hint)
