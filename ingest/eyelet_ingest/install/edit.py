"""Our entries put into a settings file's text and taken out of it again; every byte that is not ours stays.

All agents keep hooks alike: `hooks` → name of an event → array. What stands in the array is a handler, or a group that
holds handlers under `hooks`. An entry of ours is known by `ours`, which looks at a handler.
"""

import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from eyelet_ingest.install.jsonc import Item, Node, NotJson, parse

HOOKS = "hooks"
Ours = Callable[[Any], bool]

_LINE_REST = re.compile(r"[ \t]*(?:/\*[^\n]*?\*/[ \t]*)*(?://[^\n]*|/\*[^\n]*?\*/)")
_INDENTED = re.compile(r"\n([ \t]+)\S")


@dataclass(frozen=True, slots=True)
class Edited:
    """A text with our entries: what was put in, piece by piece in its order, and which containers stood there empty."""

    text: str
    pieces: tuple[str, ...]
    empty: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Style:
    newline: str
    step: str
    compact: bool


def add(text: str, wanted: Mapping[str, Any], beside: Mapping[str, Any]) -> Edited:
    """`text`, in which nothing is ours, with the entry `wanted` has for each event; `beside` are members that the
    file must have as well. NotJson where the text is none, or keeps no hooks where they should be."""
    top = checked(text)
    style = _style(text, top)
    if top is None:
        whole = _rendered({**beside, HOOKS: {}}, wanted, style, "")
        at = len(text)
        piece = ("" if not text or text.endswith("\n") else style.newline) + whole + style.newline
        return Edited(text + piece, (piece,), ())
    hooks = top.member(HOOKS)
    empty = [HOOKS] if hooks is not None and not hooks.items else []
    edits: list[tuple[int, str]] = []
    missing = dict(wanted)
    for event in wanted:
        array = hooks.member(event) if hooks is not None else None
        if array is not None:
            if array.kind != "array":
                raise NotJson(f"hooks.{event} is no array", array.start)
            empty += [] if array.items else [f"{HOOKS}.{event}"]
            edits.append(_append(text, array, style, lambda indent, e=event: [json.dumps(wanted[e])]))  # type: ignore[misc]
            del missing[event]
    more = {name: value for name, value in beside.items() if top.member(name) is None}
    if hooks is None:
        edits.append(_append(text, top, style, lambda indent: _members({**more, HOOKS: {}}, wanted, style, indent)))
    else:
        if missing:
            edits.append(_append(text, hooks, style, lambda indent: _events(missing, style, indent)))
        if more:
            edits.append(_append(text, top, style, lambda indent: _members(more, {}, style, indent)))
    edits.sort()
    for at, piece in reversed(edits):
        text = text[:at] + piece + text[at:]
    return Edited(text, tuple(piece for _, piece in edits), tuple(empty))


def remove(text: str, ours: Ours, pieces: Collection[str] = (), empty: Collection[str] = ()) -> str:
    """`text` without our entries, and without the containers they leave empty but those of `empty`.

    `pieces` is what was put in: where each stands there still, exactly that goes, so that nothing else moves.
    """
    exact, at = text, 0
    for piece in pieces:
        at = exact.find(piece, at)
        if at < 0:
            return _without(text, ours, empty)
        exact = exact[:at] + exact[at + len(piece) :]
    if not pieces or not found(text, ours) or not _differs_by_ours(exact, text, ours, pieces):
        return _without(text, ours, empty)
    return exact


def keeps(before: str, after: str, ours: Ours, beside: Collection[str]) -> bool:
    """Whether `after` says all that `before` says, our entries and the members of `beside` apart."""
    try:
        said, says = (_core(_stripped(_plain(text), ours)) for text in (before, after))
    except NotJson:
        return False
    return bool(said == {name: value for name, value in says.items() if name in said or name not in beside})


def _differs_by_ours(exact: str, text: str, ours: Ours, pieces: Collection[str]) -> bool:
    """Whether `exact` is `text` but for our entries, and what came with them."""
    try:
        top = checked(exact)
        left = top.plain() if top else {}
    except NotJson:
        return False
    expected = _core(_stripped(_plain(text), ours))
    for name in set(expected) - set(left):  # a member that came with us
        if any(f"{json.dumps(name)}:" in piece for piece in pieces):
            del expected[name]
    return bool(_core(left) == expected == _core(_stripped(left, ours)))


def renew(text: str, wanted: Mapping[str, Any], ours: Ours) -> str:
    """`text`, in which there are entries of ours: those put right where they stand, superfluous ones out, missing
    ones added."""
    for event in list(found(text, ours)):
        text = _renewed(text, event, wanted.get(event), ours)
    there = set(found(text, ours))
    return add(text, {event: entry for event, entry in wanted.items() if event not in there}, {}).text


def found(text: str, ours: Ours) -> dict[str, list[Any]]:
    """Our handlers in the text, by the event they are for."""
    top = checked(text)
    hooks = top.member(HOOKS) if top else None
    there: dict[str, list[Any]] = {}
    for item in hooks.items if hooks else ():
        for entry in item.node.items:
            mine = [handler for handler in handlers(entry.node.plain()) if ours(handler)]
            if mine:
                there.setdefault(str(item.key), []).extend(mine)
    return there


def handlers(entry: Any) -> list[Any]:
    """The handlers of an entry: a group's, or itself."""
    inner = entry.get(HOOKS) if isinstance(entry, dict) else None
    return inner if isinstance(inner, list) else [entry]


def checked(text: str) -> Node | None:
    """The text's tree, in which hooks are kept as agents keep them; None for an empty text. NotJson otherwise."""
    top = parse(text)
    if top is None:
        return None
    if top.kind != "object":
        raise NotJson("settings are an object, in braces", top.start)
    hooks = top.member(HOOKS)
    if hooks is not None and hooks.kind != "object":
        raise NotJson("hooks is no object", hooks.start)
    for item in hooks.items if hooks else ():
        # Others of its values, such as a switch, are nobody's events.
        if item.node.kind == "object":
            raise NotJson(f"hooks.{item.key} is no array", item.node.start)
    names = [item.key for item in hooks.items] if hooks else []
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None and hooks is not None:
        at = [item.start for item in hooks.items if item.key == twice][-1]
        raise NotJson(f"hooks.{twice} stands there twice", at)
    if sum(item.key == HOOKS for item in top.items) > 1:
        raise NotJson("hooks stands there twice", [item.start for item in top.items if item.key == HOOKS][-1])
    return top


def _renewed(text: str, event: str, entry: Any, ours: Ours) -> str:
    """The text with `entry` for the first of ours of this event, where it is not that already, and no others."""
    while True:
        top = checked(text)
        hooks = top.member(HOOKS) if top else None
        array = hooks.member(event) if hooks else None
        entries = array.items if array else []
        said = [handlers(one.node.plain()) for one in entries]
        whole = [at for at, there in enumerate(said) if there and all(map(ours, there))]
        parts = sum(any(map(ours, there)) for there in said)
        if not array or not parts:
            return text
        if entry is None or len(whole) != 1 or parts != 1:
            if entry is None:
                return _without(text, ours, (), only=event)
            return add(_without(text, ours, (HOOKS, f"{HOOKS}.{event}"), only=event), {event: entry}, {}).text
        node = entries[whole[0]].node
        if node.plain() == entry:
            return text
        text = text[: node.start] + json.dumps(entry) + text[node.end :]


def _without(text: str, ours: Ours, empty: Collection[str], only: str = "") -> str:
    """By the tree alone: one deletion after another, until none of ours is there."""
    while True:
        top = checked(text)
        hooks = top.member(HOOKS) if top else None
        if top is None or hooks is None:
            return text
        target = _next_of_ours(top, hooks, ours, only)
        if target is None:
            return text
        path, containers = target
        container, at = next((one, place) for one, place in containers if _stays(one, path.pop(), empty) or one is top)
        text = _deleted(text, container, at)


def _stays(container: Node, name: str, empty: Collection[str]) -> bool:
    """Whether the container is kept when one of its items goes."""
    return len(container.items) > 1 or name in empty


def _next_of_ours(top: Node, hooks: Node, ours: Ours, only: str) -> tuple[list[str], list[tuple[Node, int]]] | None:
    """Where something of ours is: containers from the innermost outwards, each with the item in it that would go if
    nothing else is in what it holds; and their names, which are popped alongside."""
    place = [at for at, item in enumerate(top.items) if item.key == HOOKS][-1]
    for event_at, event in enumerate(hooks.items):
        if only and event.key != only:
            continue
        for entry_at, entry in enumerate(event.node.items):
            outer = [(event.node, entry_at), (hooks, event_at), (top, place)]
            names = ["", HOOKS, f"{HOOKS}.{event.key}"]
            inner = entry.node.member(HOOKS) if entry.node.kind == "object" else None
            if inner is None or inner.kind != "array":
                if ours(entry.node.plain()):
                    return names, outer
                continue
            mine = [at for at, one in enumerate(inner.items) if ours(one.node.plain())]
            if mine:
                return [*names, "a group"], [(inner, mine[0]), *outer]
    return None


def _deleted(text: str, container: Node, at: int) -> str:
    """The text without the container's item `at`, its comma, and the space that set it apart."""
    items = container.items
    item = items[at]
    end = item.comma + 1 if item.comma >= 0 else item.node.end
    if len(items) == 1:
        left = text[container.start + 1 : item.start] + text[end : container.end - 1]
        return text[: container.start + 1] + ("" if not left.strip() else left) + text[container.end - 1 :]
    if at + 1 < len(items):
        while text[end] in " \t\r\n":
            end += 1
        return text[: item.start] + text[end:]
    start = item.start
    while text[start - 1] in " \t\r\n":
        start -= 1
    lost = text[start : item.start]
    before, rest = text[:start], text[end:]
    if "\n" in lost and not re.match(r"[ \t]*\r?\n", rest):
        before += "\n"  # what ends there may be a comment
    comma = items[at - 1].comma
    return before + rest if item.comma >= 0 else before[:comma] + before[comma + 1 :] + rest


def _append(text: str, node: Node, style: _Style, pieces: Callable[[str], list[str]]) -> tuple[int, str]:
    """Where and what to insert so that the container ends with `pieces`, which are made for the indentation given."""
    outer = _indent_of(text, node.start)
    inner = outer + style.step
    if not node.items:
        return _into_empty(text, node, style, outer, inner, pieces)
    last = node.items[-1]
    several_lines = "\n" in text[node.start : node.end]
    if several_lines and _begins_line(text, last):
        inner = _indent_of(text, last.start)
    apart = style.newline + inner if several_lines else " "
    written = ("," + apart).join(pieces(inner))
    at = last.comma + 1 if last.comma >= 0 else last.node.end
    comment = _LINE_REST.match(text, at)
    if comment and comment.end() < node.end:  # what is said of the last item stays with it
        at = comment.end()
        opening = apart if last.comma >= 0 else apart + ", "
    else:
        opening = apart if last.comma >= 0 else "," + apart
    return at, opening + written + ("," if last.comma >= 0 else "")


def _into_empty(
    text: str, node: Node, style: _Style, outer: str, inner: str, pieces: Callable[[str], list[str]]
) -> tuple[int, str]:
    inside = text[node.start + 1 : node.end - 1]
    apart = " " if style.compact else style.newline + inner
    written = ("," + apart).join(pieces(inner))
    if inside.strip():  # comments
        if "\n" not in inside:
            return node.end - 1, written
        at = node.end - 1 - (len(inside) - len(inside.rstrip(" \t")))
        return at, inner + written + style.newline
    if style.compact:
        return node.start + 1, written
    closing = "" if "\n" in inside else style.newline + outer
    return node.start + 1, style.newline + inner + written + closing


def _style(text: str, top: Node | None) -> _Style:
    newline = "\r\n" if "\r\n" in text else "\n"
    indented = _INDENTED.search(text, top.start) if top else None
    compact = top is not None and bool(top.items) and "\n" not in text[top.start : top.end]
    return _Style(newline, indented[1] if indented else "  ", compact)


def _events(wanted: Mapping[str, Any], style: _Style, indent: str) -> list[str]:
    """`"Event": [entry]` of each, an entry on a line of its own."""
    inner = style.newline + indent + style.step
    opening, closing = ("[", "]") if style.compact else (f"[{inner}", f"{style.newline}{indent}]")
    return [f"{json.dumps(event)}: {opening}{json.dumps(entry)}{closing}" for event, entry in wanted.items()]


def _members(values: Mapping[str, Any], wanted: Mapping[str, Any], style: _Style, indent: str) -> list[str]:
    """`"name": value` of each; the value of `hooks` holds what is wanted."""
    written = []
    for name, value in values.items():
        events = _events(wanted, style, indent + style.step) if name == HOOKS else []
        written.append(f"{json.dumps(name)}: {_block(events, style, indent) if events else json.dumps(value)}")
    return written


def _rendered(values: Mapping[str, Any], wanted: Mapping[str, Any], style: _Style, indent: str) -> str:
    return _block(_members(values, wanted, style, indent + style.step), style, indent)


def _block(members: list[str], style: _Style, indent: str) -> str:
    if style.compact or not members:
        return "{" + ", ".join(members) + "}"
    apart = style.newline + indent + style.step
    return "{" + apart + ("," + apart).join(members) + style.newline + indent + "}"


def _begins_line(text: str, item: Item) -> bool:
    return not text[text.rfind("\n", 0, item.start) + 1 : item.start].strip()


def _indent_of(text: str, at: int) -> str:
    line = text[text.rfind("\n", 0, at) + 1 :]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _plain(text: str) -> Any:
    top = parse(text)
    return top.plain() if top else None


def _stripped(settings: Any, ours: Ours) -> Any:
    """Settings without our handlers, and without the groups that hold nothing else."""
    hooks = settings.get(HOOKS) if isinstance(settings, dict) else None
    if not isinstance(hooks, dict):
        return settings
    left: dict[str, Any] = {}
    for event, entries in hooks.items():
        left[event] = entries if not isinstance(entries, list) else []
        for entry in entries if isinstance(entries, list) else ():
            inner = handlers(entry)
            others = [one for one in inner if not ours(one)]
            if len(others) == len(inner):
                left[event].append(entry)
            elif others:
                left[event].append({**entry, HOOKS: others})
    return {**settings, HOOKS: left}


def _core(settings: Any) -> Any:
    """Settings without hooks that say nothing: whether such an empty shell stood there before, the pieces know."""
    if not isinstance(settings, dict):
        return settings or {}
    core = {name: value for name, value in settings.items() if name != HOOKS}
    hooks = settings.get(HOOKS)
    events = {event: entries for event, entries in hooks.items() if entries != []} if isinstance(hooks, dict) else {}
    return {**core, HOOKS: events} if events else core
