"""What a text says of fields (`tool:Bash -type:Stop is:error`) → conditions of a Filter, and the text that is left.

Fields and text must all hold: a field may stand by itself, behind a minus, or as alternatives of its own. What mixes
fields with text in alternatives is no Filter, and is refused with its place.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from eyelet_ingest.errors import BadInput
from eyelet_ingest.store import layout, text_query
from eyelet_ingest.store.select import NAMES, VALUES_MAX, Filter
from eyelet_ingest.store.text_query import And, BadQuery, Field, Node, Not, Or

STATUSES = ("ok", "error", "interrupted", "denied", "pending", "unknown")  # the last one of calls alone
IS = "is"
OF_CALLS = "only calls are unknown, by when an answer came; here events are asked for"
AS_CALLS = "ask for calls (rows=calls, eyelet calls), or for pending: their questions"


def split(where: Filter, statuses: Sequence[str] = STATUSES) -> Filter:
    """The same question with its fields as conditions, and as text only what is text. Of what it gives it gives the
    same again. BadQuery where the text cannot be meant, or asks for a field that the filter itself asks otherwise.
    `statuses` are those that there are of what is asked for."""
    if not where.text or where.exact:
        return where
    tree = text_query.parse(where.text, with_fields=True)
    if next(_fields(tree), None) is None:
        return where
    return _Splitting(where, statuses).whole(tree)


def no_such_status(status: str, statuses: Sequence[str]) -> BadInput:
    """Why there is none of this name where these are the ones there are."""
    if status in STATUSES:
        return BadInput("there is no status", repr(status), OF_CALLS, AS_CALLS)
    return BadInput("there is no status", repr(status[:60]), "", f"write one of {', '.join(statuses)}")


class _Splitting:
    def __init__(self, where: Filter, statuses: Sequence[str]) -> None:
        self.where, self.statuses, self.text = where, statuses, where.text
        self.wanted: dict[str, list[Field]] = {}  # what people call the field → its alternatives
        self.left_out: list[tuple[str, str]] = []
        self.rest: list[Node] = []

    def whole(self, tree: Node) -> Filter:
        for part in _parts(tree, And):
            self._take(part)
        changed: dict[str, Any] = {}
        for name, fields in self.wanted.items():
            if name == IS:
                changed["errors"] = True
            else:
                changed[NAMES[name]] = self._both(name, fields)
        rest = self.rest[0] if len(self.rest) == 1 else And(tuple(self.rest))
        text = text_query.written(rest) if self.rest else ""
        without = tuple(dict.fromkeys((*self.where.without, *self.left_out)))
        return replace(self.where, text=text, without=without, **changed)

    def _take(self, part: Node) -> None:
        """One of the things that must all hold."""
        first = next(_fields(part), None)
        if first is None:
            self.rest.append(part)
            return
        negated = isinstance(part, Not)
        fields = list(_parts(part.part if isinstance(part, Not) else part, Or))
        told = [one for one in fields if isinstance(one, Field)]
        if len(told) < len(fields) or (not negated and len({one.name for one in told}) > 1):
            hint = f"write {first.name}:(one OR two), and what else must hold beside it"
            reason = f"{first.name}: cannot be one of several alternatives with something else"
            raise self._bad(first, "negate it by itself" if negated else hint, reason)
        for one in told:
            self._check(one)
        if negated:
            self.left_out += [("errors", "1") if one.name == IS else (NAMES[one.name], one.value) for one in told]
            return
        if first.name in self.wanted and first.name != IS:
            hint = f"an event has one {first.name}: write {first.name}:(one OR two)"
            raise self._bad(first, hint, f"{first.name} is asked for twice")
        self.wanted[first.name] = told

    def _check(self, one: Field) -> None:
        """Values of which there are only few."""
        known = {IS: ("error",), "status": tuple(self.statuses)}.get(one.name)
        if known is None or one.value in known:
            return
        if one.name == IS and one.value in self.statuses:
            raise self._bad(one, f"write status:{one.value}", f"there is no is:{one.value}")
        if one.name == "status" and one.value in STATUSES:
            raise self._bad(one, AS_CALLS, OF_CALLS)
        from difflib import get_close_matches  # only who makes a mistake pays for it

        near = get_close_matches(one.value.lower(), known, n=1, cutoff=0.6)
        hint = f"did you mean {one.name}:{near[0]}?" if near else f"write one of {', '.join(known)}"
        raise self._bad(one, hint, f"there is no {one.name} {one.value[:40]}")

    def _both(self, name: str, fields: list[Field]) -> tuple[str, ...]:
        """What the text and the filter both ask for, of one field."""
        values = tuple(one.value for one in fields)
        asked: tuple[str, ...] = getattr(self.where, NAMES[name])
        if not asked:
            return values
        found = [narrow for one in values for other in asked if (narrow := _narrower(name, one, other)) is not None]
        if not found:
            hint = "leave out one of the two"
            raise self._bad(fields[0], hint, f"{name} is asked for here, and another one beside the text")
        return tuple(dict.fromkeys(found))[: VALUES_MAX + 1]

    def _bad(self, one: Field, hint: str, reason: str) -> BadQuery:
        return BadQuery(self.text, one.at, one.length, reason, hint)


def _fields(node: Node) -> Iterator[Field]:
    if isinstance(node, Field):
        yield node
    elif isinstance(node, Not):
        yield from _fields(node.part)
    elif isinstance(node, (And, Or)):
        for part in node.parts:
            yield from _fields(part)


def _parts(node: Node, joined: type[And] | type[Or]) -> Iterator[Node]:
    """What is joined so, brackets or not."""
    if isinstance(node, (And, Or)) and isinstance(node, joined):
        for part in node.parts:
            yield from _parts(part, joined)
    else:
        yield node


def _narrower(name: str, one: str, other: str) -> str | None:
    """The one of two values that finds what both find; None where nothing does, or that is no value."""
    if name == "context":
        return one if layout.safe_context(one) == layout.safe_context(other) else None
    if one == other or (name in _BELOW and _is_below(name, one, other)):
        return one
    return other if name in _BELOW and _is_below(name, other, one) else None


_BELOW = {"src": (".", "/"), "project": ("/", "\\")}


def _is_below(name: str, one: str, other: str) -> bool:
    """Whether all that `one` finds `other` finds too."""
    if name == "src" and other.endswith("*"):
        return one.removesuffix("*").startswith(other[:-1])
    if name == "project" and not ("/" in one and "/" in other):
        return False
    cut = other if name == "src" else other.rstrip("/")
    return one.removesuffix("*").startswith(tuple(cut + mark for mark in _BELOW[name]))
