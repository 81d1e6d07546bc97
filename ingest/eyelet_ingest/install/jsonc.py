"""JSON with comments and trailing commas, as a tree that knows where in its text everything stands."""

from dataclasses import dataclass, field
from json import JSONDecodeError, JSONDecoder
from typing import Any

DEEPEST = 100
MOST_DIGITS = 300
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None}
_NUMBER = frozenset("+-.0123456789eE")
_STRINGS = JSONDecoder()
_SPACE = " \t\r\n\ufeff"


class NotJson(Exception):
    """The text is no JSON, comments allowed: `reason`, and the character `at` which it shows."""

    def __init__(self, reason: str, at: int) -> None:
        super().__init__(reason)
        self.reason, self.at = reason, at


@dataclass(slots=True)
class Node:
    """A value: `text[start:end]` is it. `items` are an array's, `members` an object's, in their order."""

    kind: str  # object, array or scalar
    start: int
    end: int = 0
    value: Any = None  # a scalar's
    items: list["Item"] = field(default_factory=list)

    def member(self, name: str) -> "Node | None":
        """The value of an object's member; of two of one name the later, as the agents have it."""
        found = [item.node for item in self.items if item.key == name]
        return found[-1] if found else None

    def plain(self) -> Any:
        """The value as Python has it."""
        if self.kind == "object":
            return {str(item.key): item.node.plain() for item in self.items}
        if self.kind == "array":
            return [item.node.plain() for item in self.items]
        return self.value


@dataclass(slots=True)
class Item:
    """What stands in a container: from `start` (of its name, if it has one) to the end of its value; where the comma
    behind it is, or -1."""

    start: int
    node: Node
    key: str | None = None
    comma: int = -1


def parse(text: str) -> Node | None:
    """The one value of the text; None where it holds nothing but space and comments. NotJson for what is neither."""
    reader = _Reader(text)
    reader.space()
    if reader.at == len(text):
        return None
    node = reader.value(DEEPEST)
    reader.space()
    if reader.at != len(text):
        raise NotJson("there is something behind the end", reader.at)
    return node


def line_of(text: str, at: int) -> int:
    """The line of a character, from 1."""
    return text.count("\n", 0, at) + 1


class _Reader:
    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def space(self) -> None:
        """Pass over space and comments."""
        text = self.text
        while self.at < len(text):
            if text[self.at] in _SPACE:
                self.at += 1
            elif text.startswith("//", self.at):
                end = text.find("\n", self.at)
                self.at = len(text) if end < 0 else end
            elif text.startswith("/*", self.at):
                end = text.find("*/", self.at + 2)
                if end < 0:
                    raise NotJson("a comment without end", self.at)
                self.at = end + 2
            else:
                return

    def value(self, deepest: int) -> Node:
        start = self.at
        if not deepest:
            raise NotJson("it nests too deep", start)
        char = self.text[start : start + 1]
        if char == "{" or char == "[":
            return self._container(start, char, deepest)
        if char == '"':
            return Node("scalar", start, value=self._string(), end=self.at)
        for word, value in _WORDS.items():
            if self.text.startswith(word, start):
                self.at += len(word)
                return Node("scalar", start, self.at, value)
        return self._number(start)

    def _container(self, start: int, opening: str, deepest: int) -> Node:
        node = Node("object" if opening == "{" else "array", start)
        closing = "}" if opening == "{" else "]"
        self.at += 1
        self.space()
        while not self.text.startswith(closing, self.at):
            if node.items and node.items[-1].comma < 0:
                raise NotJson(f"a comma or {closing} is missing", self.at)
            node.items.append(self._item(opening == "{", deepest))
            self.space()
            if self.text.startswith(",", self.at):
                node.items[-1].comma = self.at
                self.at += 1
                self.space()
            if self.at >= len(self.text):
                raise NotJson(f"{closing} is missing", start)
        self.at += 1
        node.end = self.at
        return node

    def _item(self, named: bool, deepest: int) -> Item:
        start, key = self.at, None
        if named:
            if not self.text.startswith('"', self.at):
                raise NotJson("a name in double quotes is missing", self.at)
            key = self._string()
            self.space()
            if not self.text.startswith(":", self.at):
                raise NotJson("a colon is missing", self.at)
            self.at += 1
            self.space()
        return Item(start, self.value(deepest - 1), key)

    def _string(self) -> str:
        try:
            value, self.at = _STRINGS.raw_decode(self.text, self.at)
        except JSONDecodeError as bad:
            raise NotJson(bad.msg[:1].lower() + bad.msg[1:].removesuffix(" at"), bad.pos) from bad
        return str(value)

    def _number(self, start: int) -> Node:
        end = start
        while end < len(self.text) and self.text[end] in _NUMBER:
            end += 1
        try:
            float(self.text[start:end])
        except ValueError:
            raise NotJson("there is no value here", start) from None
        self.at = end
        written = self.text[start:end]
        whole = written.lstrip("-").isdigit() and len(written) < MOST_DIGITS
        return Node("scalar", start, end, int(written) if whole else float(written))
