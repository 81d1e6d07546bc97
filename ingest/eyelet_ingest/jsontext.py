"""JSON text in and out, at the hook's price: CPython's C scanner and encoder without the `json` package.

Importing `json` pulls in `re`, which costs a hook more than storing its event. What is read here is exactly
what a partition can hold: SQLite's own JSON functions must be able to take it apart again.
"""

import _json

from eyelet_ingest.errors import BadInput

# SQLite refuses more than 1,000 levels and CPython's scanner about as many; recorded payloads have under 20.
MAX_DEPTH = 900
MAX_INT_DIGITS = 4_000

_WHITESPACE = " \t\n\r"


def parse(text: str) -> object:
    """The value that `text` spells.

    Of duplicate keys the first wins, as in SQLite's `json_extract`. BadInput, with the reason, for what SQLite
    could not hold: not JSON, cut short, NaN or Infinity, nested deeper than 900.
    """
    start = 0
    while start < len(text) and text[start] in _WHITESPACE:
        start += 1
    try:
        value, end = _scan(text, start)
    except StopIteration as stop:
        raise BadInput("parse", reason=_not_json(text, stop.value)) from None
    except RecursionError:
        raise BadInput("parse", reason=f"nested deeper than {MAX_DEPTH} levels") from None
    except ValueError as bad:  # json.JSONDecodeError, which only a failing scan imports
        place = f"{bad.msg} at character {bad.pos}" if hasattr(bad, "msg") and hasattr(bad, "pos") else str(bad)
        raise BadInput("parse", reason=f"not JSON: {place}") from None
    if end < len(text) and text[end:].strip(_WHITESPACE):
        raise BadInput("parse", reason=f"not JSON: more text after the value at character {end}")
    if text.count("[") + text.count("{") > MAX_DEPTH and depth(value) > MAX_DEPTH:
        raise BadInput("parse", reason=f"nested deeper than {MAX_DEPTH} levels")
    return value


def depth(value: object) -> int:
    """How many arrays and objects lie inside one another at the deepest place; 0 for a scalar."""
    deepest, level = 0, [value]
    while level:
        inner: list[object] = []
        nested = False
        for item in level:
            if isinstance(item, dict):
                nested = True
                inner.extend(item.values())
            elif isinstance(item, list):
                nested = True
                inner.extend(item)
        deepest += nested
        level = inner
    return deepest


def dumps(value: object) -> str:
    """Compact JSON text of a value of dicts with text keys, lists and scalars; ValueError for NaN and Infinity."""
    return "".join(_encode(value, 0))


def canonical(value: object) -> str:
    """Compact ASCII JSON text with the keys sorted: the same value is the same text, however it was written."""
    return "".join(_encode_sorted(value, 0))


def may_hold_surrogates(text: str) -> bool:
    """Whether JSON `text` may spell a lone surrogate, which UTF-8 and so SQLite cannot hold."""
    # One character is found twenty times as fast as two, and most texts have few backslashes or none.
    return "\\" in text and "\\u" in text and ("\\ud" in text or "\\uD" in text)


def has_duplicate_keys(text: str) -> bool:
    """Whether an object in JSON `text` names a key twice, so that the text says more than its value."""
    found = False

    def look(pairs: "list[tuple[str, object]]") -> None:
        nonlocal found
        found = found or len({key for key, _ in pairs}) < len(pairs)

    class Look:
        strict, object_hook = True, None  # what the scanner asks for
        memo: "dict[str, str]" = {}  # noqa: RUF012
        object_pairs_hook = staticmethod(look)
        parse_float = parse_int = parse_constant = str

    _json.make_scanner(Look())(text, len(text) - len(text.lstrip(_WHITESPACE)))  # type: ignore[arg-type]
    return found


def parse_numbers_as_text(text: str) -> object:
    """The value of JSON `text` that `parse` has taken, with every number as the text that spells it."""
    from json import loads

    value: object = loads(text, object_pairs_hook=first_wins, parse_int=str, parse_float=str)
    return value


def first_wins(pairs: "list[tuple[str, object]]") -> "dict[str, object]":
    """The object of these pairs; of duplicate keys the first wins."""
    value = dict(pairs)
    return value if len(value) == len(pairs) else dict(reversed(pairs))


def _constant(name: str) -> object:
    raise BadInput("parse", reason=f"{name} is not JSON")


def _integer(digits: str) -> int | float:
    # CPython refuses to convert more than 4,300 digits; what is stored is the text, so the value may be rough.
    return int(digits) if len(digits) <= MAX_INT_DIGITS else float(digits)


class _Rules:
    """What the C scanner asks its decoder for: the attributes of `json.JSONDecoder`."""

    strict = True
    object_hook = None
    object_pairs_hook = staticmethod(first_wins)
    parse_float = float
    parse_int: "object" = int
    parse_constant = staticmethod(_constant)
    memo: "dict[str, str]" = {}  # noqa: RUF012  the scanner keeps its own; the attribute has to exist


class _RoughRules(_Rules):
    parse_int = staticmethod(_integer)


def _no_default(value: object) -> object:
    raise TypeError(f"no JSON for a {type(value).__name__}")


# As json.JSONEncoder calls it: no check for circles, no indent, text as it is.
_encode = _json.make_encoder(None, _no_default, _json.encode_basestring, None, ":", ",", False, False, False)
_encode_sorted = _json.make_encoder(None, _no_default, _json.encode_basestring_ascii, None, ":", ",", True, False, True)
_scan_exact = _json.make_scanner(_Rules())  # type: ignore[arg-type]  # the stubs name the decoder a scanner
_scan_rough = _json.make_scanner(_RoughRules())  # type: ignore[arg-type]


def _scan(text: str, start: int) -> "tuple[object, int]":
    try:
        found: tuple[object, int] = _scan_exact(text, start)
    except SystemError:  # before 3.12 the scanner can only name a fault when json.decoder is there to name it with
        import json.decoder  # noqa: F401

        return _scan(text, start)
    except ValueError as bad:
        if type(bad) is not ValueError:
            raise
        found = _scan_rough(text, start)
    return found


def _not_json(text: str, at: object) -> str:
    if not text.strip(_WHITESPACE):
        return "empty"
    return f"not JSON: no value at character {at}"
