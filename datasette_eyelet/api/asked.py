"""What a request asks for, in the one vocabulary: the search's, over all time unless it names a range."""

import time
from typing import Any

from datasette.utils import MultiParams

from datasette_eyelet.api.door import Problem
from datasette_eyelet.links import RANGE_NAMES
from datasette_eyelet.query import EXCLUDED, LOOK, SEVERAL, Query, parse

PAGE = ("_size", "_next", "full")
_SEVERAL = (*SEVERAL, *EXCLUDED)


def asked(args: Any, *, without: tuple[str, ...] = (), as_it_stands: bool = False) -> Query:
    """The query of a URL's parameters; BadInput or Problem 400, which name the parameter, for what cannot be meant.

    With `as_it_stands` the text is a piece of the payload, and nothing is read into it.
    `without` names those that mean nothing at this address. Datasette's own, with an underscore, are passed over.
    """
    given = {name: args.getlist(name) for name in args}
    for name in without:
        if name in given:
            raise Problem(400, f"{name}: means nothing at this address")
    if not any(value.strip() for name in RANGE_NAMES for value in given.get(name, [])):
        given["range"] = ["all"]
    return parse(MultiParams(given), time.time_ns() // 1_000, as_it_stands=as_it_stands)


def from_object(given: object) -> Query:
    """The query of a `filter` in JSON: the same names, texts or lists of them, `errors` also as true."""
    if not isinstance(given, dict):
        raise Problem(400, "filter: must be an object")
    args: dict[str, list[str]] = {}
    for name, value in given.items():
        if name.startswith("_"):
            raise Problem(400, f"filter.{name[:60]}: means nothing here")
        values = value if isinstance(value, list) and name in _SEVERAL else [value]
        args[name] = [_text(name, one) for one in values]
    return asked(MultiParams(args), without=(*PAGE, *LOOK), as_it_stands=True)


def _text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, str):
        return value
    if isinstance(value, int) and value.bit_length() <= 64:  # an epoch
        return str(value)
    raise Problem(400, f"filter.{name[:60]}: must be a text{' or a list of texts' if name in _SEVERAL else ''}")
