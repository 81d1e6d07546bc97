"""How the search page looks at what was found: URL parameters that are no conditions, and of the page alone."""

from dataclasses import dataclass

from datasette_eyelet.chart import STACKS
from datasette_eyelet.links import Pairs
from datasette_eyelet.query import BadParameter, is_on, is_switch
from eyelet_ingest.errors import BadInput

ROWS = ("calls", "events")
SRC_MAX_CHARS = 200


@dataclass(frozen=True, slots=True)
class Look:
    """`stack` is how the histogram is split, `open` the src whose level the tree shows, `more` the facet of which many
    values are shown. `calls`: each call once, rather than every event."""

    stack: str
    open: str
    more: str
    calls: bool
    histogram: bool
    facets: bool
    live: bool


def look(pairs: Pairs, facets: tuple[str, ...]) -> Look:
    """BadParameter for what cannot be meant; `facets` are the URL names of those there are."""
    given = dict(pairs)
    return Look(
        stack=_one("stack", given.get("stack", "status"), tuple(STACKS)),
        open=given.get("open", "")[:SRC_MAX_CHARS].strip("."),
        more=_one("more", given.get("more", ""), ("", *facets)),
        calls=_one("rows", given.get("rows", ROWS[0]), ROWS) == "calls",
        histogram=_switch("histogram", given),
        facets=_switch("facets", given),
        live="live" in given and _switch("live", given),
    )


def rows(value: str) -> str:
    """What is listed, one of ROWS; BadParameter for anything else."""
    return _one("rows", value, ROWS)


def _one(name: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        hint = f"write one of {', '.join(filter(None, known))}"
        raise BadParameter(name, BadInput(f"cannot use {name}", repr(value[:60]), "", hint))
    return value


def _switch(name: str, given: dict[str, str]) -> bool:
    value = given.get(name, "1")
    if not is_switch(value):
        raise BadParameter(name, BadInput(f"cannot use {name}", repr(value[:60]), "", "write 1 or 0, or leave it out"))
    return is_on(value)
