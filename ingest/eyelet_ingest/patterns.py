"""Regular expressions at the hook's price: compiled when the bundle is made, and not by `re` at every event.

`import re` and the rules of redaction cost a hook twice what storing its event does. What `re` makes of a pattern is a
list of numbers, which `_sre` takes; `bundle.py` writes those of this Python down, in place of READY.
"""

import sys

TYPE_CHECKING = False  # importing typing costs the hook more than its insert
if TYPE_CHECKING:
    import re
    from collections.abc import Callable
    from typing import Any, TypeVar

    Asked = TypeVar("Asked", bound=Callable[..., object])

I, S, A = 2, 16, 256  # noqa: E741  as `re` calls them: IGNORECASE, DOTALL, ASCII

READY: "dict[tuple[str, int], tuple[Any, ...]]" = {}  # pattern and flags → what `_sre.compile` takes besides
READY_FOR = 0  # the version of Python that it is for

_known: "dict[tuple[str, int], re.Pattern[str]]" = {}


def compiled(pattern: str, flags: int = 0) -> "re.Pattern[str]":
    """The compiled pattern; each is made once in a process."""
    found = _known.get((pattern, flags))
    if found is None:
        found = _known[pattern, flags] = _made(pattern, flags)
    return found


def written_down() -> "dict[tuple[str, int], tuple[Any, ...]]":
    """READY of all the patterns that this process has compiled."""
    return {asked: numbers_of(*asked) for asked in _known}


class Remembered:
    """What `cache_info` of such a function says."""

    __slots__ = ("currsize", "hits", "maxsize", "misses")

    def __init__(self, hits: int, misses: int, maxsize: int, currsize: int) -> None:
        self.hits, self.misses, self.maxsize, self.currsize = hits, misses, maxsize, currsize


def remembered(most: int) -> "Callable[[Asked], Asked]":
    """`functools.lru_cache` without its import."""
    from _functools import _lru_cache_wrapper  # type: ignore[import-not-found]

    return lambda asked: _lru_cache_wrapper(asked, most, False, Remembered)


def of_numbers(pattern: str, numbers: "tuple[Any, ...]") -> "re.Pattern[str]":
    """The pattern whose `numbers` this version of Python has made."""
    import _sre  # type: ignore[import-not-found]

    all_flags, code, groups, groupindex, indexgroup = numbers
    found: re.Pattern[str] = _sre.compile(pattern, all_flags, list(code), groups, groupindex, indexgroup)
    return found


def numbers_of(pattern: str, flags: int) -> "tuple[Any, ...]":
    """What `re.compile` hands to `_sre.compile`."""
    if sys.version_info >= (3, 11):
        from re import _compiler, _parser  # type: ignore[attr-defined]
    else:
        import sre_compile as _compiler
        import sre_parse as _parser
    parsed = _parser.parse(pattern, flags)
    code = [int(number) for number in _compiler._code(parsed, flags)]  # type: ignore[attr-defined]
    groupindex = dict(parsed.state.groupdict)
    indexgroup: list[str | None] = [None] * parsed.state.groups
    for name, number in groupindex.items():
        indexgroup[number] = name
    all_flags = int(flags | parsed.state.flags)
    return all_flags, tuple(code), parsed.state.groups - 1, groupindex, tuple(indexgroup)


def _made(pattern: str, flags: int) -> "re.Pattern[str]":
    ready = READY.get((pattern, flags)) if sys.hexversion == READY_FOR else None
    if ready is None:
        import re

        return re.compile(pattern, flags)
    return of_numbers(pattern, ready)
