"""Names of sources → the tree that opens at their dots, as far as it is open. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from eyelet_ingest.store.sources import Source

EVERYTHING = "*"  # of `open`: the whole tree
NODES_MOST = 2_000  # of one page


@dataclass(frozen=True, slots=True)
class Node:
    """One place of the tree: `name` is its last part, `path` all of it. `events` and `newest_us` are of all below it,
    `own` of its own name alone, `names` how many names are below it, itself not counted."""

    depth: int
    name: str
    path: str
    events: int
    own: int
    newest_us: int
    names: int
    is_open: bool


def tree(sources: Iterable[Source], opened: str) -> list[Node]:
    """The nodes that are to be seen, in order: the first level, and those below each part of `opened`. At most
    NODES_MOST of them."""
    found: list[Node] = []
    for node in _below("", 0, sorted(sources, key=_parts), opened):
        found.append(node)
        if len(found) == NODES_MOST:
            break
    return found


def _below(path: str, depth: int, sources: Sequence[Source], opened: str) -> Iterator[Node]:
    """What is below `path`; all `sources` are, in the order of their parts."""
    start = 0
    while start < len(sources):
        name = _part(sources[start].src, depth)
        end = start
        while end < len(sources) and _part(sources[end].src, depth) == name:
            end += 1
        some = sources[start:end]
        mine = f"{path}.{name}" if depth else name
        deeper = [one for one in some if one.src != mine]
        is_open = bool(deeper) and (opened in (EVERYTHING, mine) or opened.startswith(f"{mine}."))
        yield Node(
            depth=depth,
            name=name,
            path=mine,
            events=sum(one.count for one in some),
            own=sum(one.count for one in some if one.src == mine),
            newest_us=max(one.newest_us for one in some),
            names=len(deeper),
            is_open=is_open,
        )
        if is_open:
            yield from _below(mine, depth + 1, deeper, opened)
        start = end


def _parts(source: Source) -> list[str]:
    return source.src.split(".")


def _part(src: str, depth: int) -> str:
    return src.split(".")[depth]
