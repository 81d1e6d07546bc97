"""The patterns and values of the settings for redaction: checked, and compiled for `redaction_own.py`.

What a hook runs over every payload must not be slow, whatever is recorded: so a pattern is taken apart here, and it is
counted how many steps it can take from one place of a text before it gives up. Nothing may repeat without end but where
nothing can fail behind it, or where each run is gone through once; no repeat may stand in a repeat; and what can be
matched in many ways must be short. Then the time is linear in the text. How `re` searches and tries back, and what its
parser answers: python/cpython, Lib/re/_parser.py and Modules/_sre/sre_lib.h.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eyelet_ingest.errors import BadInput
from eyelet_ingest.patterns import numbers_of
from eyelet_ingest.redaction_own import NEVER_ALLOWED
from eyelet_ingest.redaction_plain import plain

if sys.version_info >= (3, 11):
    from re import _parser  # type: ignore[attr-defined]
else:
    import sre_parse as _parser

if TYPE_CHECKING:
    from eyelet_ingest.redaction_own import Allowed, Pattern

    Node = tuple[Any, Any]  # what it is, and what of it
    Chars = frozenset[int]

parser: Any = _parser
GROUP = "secret"
MOST_CHARS = 500  # of a pattern, and of a value that stays
LEAST_CHARS = 3  # that a pattern must match: less is found everywhere
MOST_STEPS = 1_024  # from one place of a text
MOST_REPEATS = 1_000  # more is without end
KIND = re.compile(r"[a-z][a-z0-9-]{0,39}")

_END = "write how often at most, such as {1,100} for + and {0,100} for *"
_OTHER = 128  # stands for every character beyond ASCII
_ALL = frozenset(range(_OTHER + 1))
_CATEGORIES = {"digit": r"\d", "word": r"\w", "space": r"\s"}
_REPEATS = ("max_repeat", "min_repeat")
_SOMETHING = ("something", None)  # behind a part of a pattern: nothing is known of it, and it may fail
_TOO_MANY = 10**9


class _Bad(Exception):
    """What is wrong with a pattern, and what helps."""

    def __init__(self, reason: str, hint: str) -> None:
        super().__init__(reason)
        self.reason, self.hint = reason, hint


@dataclass(frozen=True, slots=True)
class _Cost:
    """`ways` in which a part can match at one place, the most `chars` that it takes."""

    ways: int = 1
    chars: int = 0


def check_pattern(name: str, value: object, where: str) -> None:
    """BadInput, which says `where` and quotes no pattern, for a name that is no kind, or a pattern of no use."""
    if not KIND.fullmatch(name) or name in NEVER_ALLOWED:
        hint = "write up to 40 of a-z, 0-9 and -, a letter first; it becomes [redacted:NAME:…]"
        raise BadInput("read settings", where, f"redaction.patterns cannot have the name {name[:60]!r}", hint)
    _checked(f"redaction.patterns.{name}", value, where, LEAST_CHARS)


def check_allowed(value: object, where: str) -> None:
    """BadInput, which says `where`, for what is neither a text nor a pattern between slashes that can be used."""
    if not isinstance(value, str) or not value.strip() or len(value) > MOST_CHARS:
        hint = f"a text of at most {MOST_CHARS} characters, or a pattern between slashes"
        raise BadInput("read settings", where, "redaction.allow cannot have this value", hint)
    if _is_pattern(value):
        parsed = _checked("redaction.allow", value[1:-1], where, LEAST_CHARS)
        if len(_literal(parsed)[0]) < LEAST_CHARS:
            reason = "redaction.allow has a pattern that would let too much stay"
            hint = f"let it hold {LEAST_CHARS} characters in a row that each such value has"
            raise BadInput("read settings", where, reason, hint)


def compiled(patterns: "dict[str, str]") -> "tuple[Pattern, ...]":
    """Checked patterns, as `redaction_own.OwnRules` takes them."""
    made = []
    for name, pattern in patterns.items():
        parsed = parser.parse(pattern, re.ASCII)
        literal, is_cased = _literal(parsed)
        group = parsed.state.groupdict.get(GROUP, 0)
        made.append((name, literal, is_cased, group, pattern, numbers_of(pattern, int(re.ASCII))))
    return tuple(made)


def compiled_allowed(values: Sequence[str]) -> "tuple[Allowed, ...]":
    """Checked values, likewise."""
    return tuple(
        (value[1:-1], numbers_of(value[1:-1], int(re.ASCII))) if _is_pattern(value) else (plain(value), ())
        for value in values
    )


def looks_at_everything(pattern: str) -> bool:
    """Whether every payload has to be searched, as no character stands in every match of the checked pattern."""
    return not _literal(parser.parse(pattern, re.ASCII))[0]


def _is_pattern(value: str) -> bool:
    return len(value) > 2 and value.startswith("/") and value.endswith("/")


def _checked(what: str, value: object, where: str, least: int) -> Any:
    """The pattern, taken apart; BadInput for one that cannot be used."""
    try:
        if not isinstance(value, str):
            raise _Bad("is no text", "write a regular expression of Python in single quotes")
        if not 0 < len(value) <= MOST_CHARS:
            raise _Bad(f"must have 1 to {MOST_CHARS} characters", "write several")
        parsed = _parsed(value)
        if parsed.getwidth()[0] < least:
            raise _Bad(f"can match fewer than {least} characters", "say more of what must stand there")
        _check_steps(parsed)
    except _Bad as bad:
        raise BadInput("read settings", where, f"{what} {bad.reason}", bad.hint) from None
    return parsed


def _parsed(pattern: str) -> Any:
    try:
        re.compile(pattern, re.ASCII)
        return parser.parse(pattern, re.ASCII)
    except re.error as bad:
        place = f", at character {bad.pos + 1}" if bad.pos is not None else ""
        raise _Bad(
            f"is no regular expression{place}", "docs.python.org/3/library/re.html says how to write one"
        ) from bad
    except (ValueError, OverflowError, RecursionError, AssertionError) as bad:  # (?u), or too large
        raise _Bad("is no regular expression for ASCII text", "leave (?u) and (?L) out, and write it shorter") from bad


def _check_steps(parsed: Any) -> None:
    cost = _sequence(list(parsed), [], [], bool(parsed.state.flags & re.IGNORECASE))
    if _steps(cost) > MOST_STEPS:
        reason = f"can be slow: {_steps(cost):,} steps at one place of a text, {MOST_STEPS:,} are allowed"
        raise _Bad(reason, "let it repeat less often, or begin and end repeats with what they do not match")


def _steps(cost: _Cost) -> int:
    return cost.ways * (cost.chars + 1)


def _sequence(nodes: "list[Node]", before: "list[Chars]", after: "list[Node]", is_folded: bool) -> _Cost:
    """What the nodes cost one after the other, with `after` behind them; `before` are the sets of which one character
    each was matched before them."""
    ways, chars, musts = 1, 0, list(before)
    for at, node in enumerate(nodes):
        cost = _node(node, musts, nodes[at + 1 :] + after, is_folded)
        ways, chars = min(ways * cost.ways, _TOO_MANY), min(chars + cost.chars, _TOO_MANY)
        musts += _musts(node, is_folded)
    return _Cost(ways, chars)


def _node(node: "Node", before: "list[Chars]", rest: "list[Node]", is_folded: bool) -> _Cost:
    name, value = _name(node), node[1]
    if name in _REPEATS:
        return _repeat(int(value[0]), int(value[1]), list(value[2]), before, rest, is_folded)
    if name == "subpattern":
        return _sequence(list(value[3]), before, rest, is_folded or bool(value[1] & re.IGNORECASE))
    if name == "branch":
        costs = [_sequence(list(one), before, rest, is_folded) for one in value[1]]
        return _Cost(sum(cost.ways for cost in costs), sum(cost.chars for cost in costs))
    if name in ("assert", "assert_not"):
        return _Cost(1, _steps(_sequence(list(value[1]), [], [_SOMETHING], is_folded)))
    if name in ("groupref", "groupref_exists"):
        raise _Bad("refers to a group", "say again what that matches")
    if name in ("possessive_repeat", "atomic_group"):
        raise _Bad("has what Python 3.10 does not know", "write a repeat as {1,100}")
    return _Cost(1, 0 if name == "at" else 1)


def _repeat(
    least: int, most: int, body: "list[Node]", before: "list[Chars]", rest: "list[Node]", is_folded: bool
) -> _Cost:
    chars = _chars(body, is_folded)
    if least < most > 1 and chars is None and any(map(_varies, body)):
        raise _Bad("has a repeat, or alternatives, in a repeat", "write out the inner ones, or put all into one [set]")
    inner = _sequence(body, before, rest if most <= 1 else [_SOMETHING], is_folded)
    if most <= 1:
        return _Cost(inner.ways + (least == 0), inner.chars)
    if least == most:
        return _Cost(min(inner.ways ** min(least, 30), _TOO_MANY), inner.chars * least)
    if all(_may_be_nothing(one) for one in rest):  # it takes what there is, and nothing behind it can fail
        return _Cost(1, inner.chars * least)
    following = _first(rest, is_folded)
    is_sure = chars is not None and following is not None and not chars & following
    if most > MOST_REPEATS:
        # No search from within the run gets as far as this: what it must begin with is not in there. So each run is
        # gone through once, and there is one place where it can end.
        if not (is_sure and chars is not None and any(not chars & must for must in before)):
            raise _Bad("repeats something without end where more must follow", _END)
        return _Cost(1, inner.chars * (least + 1))
    return _Cost(1 if is_sure else most - least + 1, inner.chars * most)


def _varies(node: "Node") -> bool:
    """Whether it can match in several ways, or so many characters and so many."""
    name, value = _name(node), node[1]
    if name in _REPEATS:
        return int(value[0]) != int(value[1]) or any(map(_varies, value[2]))
    if name == "subpattern":
        return any(map(_varies, value[3]))
    return name in ("branch", "assert", "assert_not", "groupref", "groupref_exists")


def _musts(node: "Node", is_folded: bool) -> "list[Chars]":
    """The sets of which every match of the node holds a character."""
    name, value = _name(node), node[1]
    if name == "subpattern":
        is_folded = is_folded or bool(value[1] & re.IGNORECASE)
        return [must for one in value[3] for must in _musts(one, is_folded)]
    if name in _REPEATS and int(value[0]) > 0:
        return [must for one in value[2] for must in _musts(one, is_folded)]
    chars = _chars([node], is_folded)
    return [] if chars is None else [chars]


def _may_be_nothing(node: "Node") -> bool:
    return _name(node) in _REPEATS and int(node[1][0]) == 0


def _first(nodes: "list[Node]", is_folded: bool) -> "Chars | None":
    """Which characters may come first; None where that is not plain."""
    found: Chars = frozenset()
    for node in nodes:
        name, value = _name(node), node[1]
        if name == "subpattern":
            chars = _first(list(value[3]), is_folded or bool(value[1] & re.IGNORECASE))
            return None if chars is None or any(map(_may_be_nothing, value[3])) else found | chars
        chars = _first(list(value[2]), is_folded) if name in _REPEATS else _chars([node], is_folded)
        if chars is None:
            return None
        found |= chars
        if not _may_be_nothing(node):
            return found
    return found


def _chars(nodes: "list[Any]", is_folded: bool) -> "Chars | None":
    """Which characters the one node matches, those beyond ASCII as _OTHER; None where it is not one character."""
    if len(nodes) != 1:
        return None
    name, value = _name(nodes[0]), nodes[0][1]
    found: Chars | None = None
    if name == "literal":
        found = frozenset({min(value, _OTHER)})
    elif name == "not_literal":
        found = _ALL - {value}
    elif name == "any":
        found = _ALL
    elif name == "in":
        found = _of_set(value)
    elif name == "subpattern":
        return _chars(list(value[3]), is_folded or bool(value[1] & re.IGNORECASE))
    if found is None or not is_folded:
        return found
    return found | {ord(other) for code in found if code < _OTHER for other in (chr(code).lower(), chr(code).upper())}


def _of_set(items: "list[Any]") -> "Chars":
    found: set[int] = set()
    is_negated = False
    for item in items:
        name, value = _name(item), item[1]
        if name == "negate":
            is_negated = True
        elif name == "literal":
            found.add(min(value, _OTHER))
        elif name == "range":
            found.update(range(min(value[0], _OTHER), min(value[1], _OTHER) + 1))
        else:
            found |= _of_category(str(value).lower())
    if not is_negated:
        return frozenset(found)
    return (_ALL - found) | {_OTHER}  # one character beyond ASCII in the set is not all of them


def _of_category(name: str) -> "Chars":
    """`category_not_digit` and its kin, in ASCII."""
    expression = re.compile(_CATEGORIES[name.rsplit("_", 1)[-1]], re.ASCII)
    found = frozenset(code for code in range(_OTHER) if expression.match(chr(code)))
    return _ALL - found if "not_" in name else found


def _literal(parsed: Any) -> "tuple[str, bool]":
    """The longest literal that every match holds and JSON never escapes, and whether case counts; "" for none."""
    longest = max("".join(_spelt(list(parsed))).split("\0"), key=len)
    is_folded = bool(parsed.state.flags & re.IGNORECASE)
    return (longest.lower(), False) if is_folded else (longest, True)


def _spelt(nodes: "list[Node]") -> Iterator[str]:
    """The characters that every match has, in order, and NUL where others may stand between them."""
    for node in nodes:
        name, value = _name(node), node[1]
        if name == "literal":
            yield chr(value) if 32 <= value < 127 and chr(value) not in '"\\/' else "\0"
        elif name == "subpattern" and not value[1] & re.IGNORECASE:
            yield from _spelt(list(value[3]))
        elif name in _REPEATS and int(value[0]) == int(value[1]) <= 100:
            for _ in range(int(value[0])):
                yield from _spelt(list(value[2]))
        elif name == "assert" or (name in _REPEATS and int(value[0]) > 0):
            yield "\0"
            yield from _spelt(list(value[1] if name == "assert" else value[2]))
            yield "\0"
        elif name != "at":
            yield "\0"


def _name(node: "Node") -> str:
    return str(node[0]).lower()
