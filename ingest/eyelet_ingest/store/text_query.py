"""The language in which text is looked for: what people type → a tree, or what is wrong with it, and where.

    git push            both words, anywhere in the event        "git push"      one behind the other
    conf*               words that begin like this               ="git push -f"  exactly these characters
    a OR b   a AND b    either, both                             NOT a   -a      what does not have it
    NEAR(a b, 5)        with at most 5 words between them        error:a  error:(a OR b)   in one column
    ( … )               belongs together                          tool:Bash  -type:Stop  tool:(a OR b)  is:error

AND, OR, NOT and NEAR are written large. NOT binds closer than AND, AND (which may be left out) closer than OR. What is
pasted is text: `--flag`, `a/b.py`, `main()`, `https://…`, `std::x`, `12:30`. The tree is pure: it knows no SQL and no
file. What it says of fields `text_filters.py` makes conditions of. FTS5's own language is never spoken to users: its
mistakes have no place, and it takes `a-b` for a mistake.
https://www.sqlite.org/fts5.html#full_text_query_syntax
"""

import re
from collections import Counter
from dataclasses import dataclass, field

from eyelet_ingest.errors import BadInput
from eyelet_ingest.store.select import NAMES
from eyelet_ingest.store.text_schema import TEXT_COLUMNS, WIDE_BLOCKS

TEXT_MAX_CHARS = 10_000
LEAVES_MAX = 100  # words, phrases and substrings of one query
DEPTH_MAX = 12  # of brackets: FTS5's parser holds 100 things open, and each bracket may leave six
NEAR_WORDS = 10  # between the words of NEAR where it does not say, as in FTS5
NEAR_MOST = 10_000
# FTS5 walks all places of a word in an event once for each time it is asked for, and no deadline stops it: a word that
# stands there a million times took it minutes.
NEAR_PHRASES, REPEATS_MAX = 8, 20
_WORDS = re.compile("[^\\W_]+|[\U0001f000-\U0010ffff]+")


class BadQuery(BadInput):
    """A query that cannot be meant: `at` is the character of `text` where it goes wrong, counted from 0, and `length`
    how many are meant, 0 for a place between two."""

    def __init__(self, text: str, at: int, length: int, reason: str, hint: str) -> None:
        self.text, self.at, self.length = text, at, length
        super().__init__("cannot read the search text", "", f"{reason} at character {at + 1}", hint)


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words one behind the other: a word, or what stands between quotes. `prefix`: the last one only begins like this.
    `columns`: where it must be; None for anywhere."""

    text: str
    prefix: bool = False
    columns: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Near:
    """Phrases in any order with at most `words` others between the first and the last."""

    phrases: tuple[Phrase, ...]
    words: int
    columns: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Substring:
    """Exactly these characters; with `folded` the case of A–Z does not count."""

    text: str
    folded: bool = False
    columns: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """An event whose field `name` (of FIELDS) has this value; where in the text that is said."""

    name: str
    value: str
    at: int = field(default=0, compare=False)
    length: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class And:
    parts: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Or:
    parts: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    part: "Node"


Node = Phrase | Near | Substring | Field | And | Or | Not


def parse(text: str, *, with_fields: bool = False) -> Node:
    """The tree of a query; BadQuery where it cannot be meant. Without fields, one that is named is a mistake."""
    if len(text) > TEXT_MAX_CHARS:
        reason = f"the text has {len(text)} characters, {TEXT_MAX_CHARS} are the most: it goes too far"
        raise BadQuery(text, TEXT_MAX_CHARS, len(text) - TEXT_MAX_CHARS, reason, "shorten it")
    return _Parser(text, with_fields).whole()


def exactly(text: str) -> Node:
    """The tree of one substring as it stands; BadQuery where it is too long or empty."""
    if not text or len(text) > TEXT_MAX_CHARS:
        reason = f"the text has {len(text)} characters, {TEXT_MAX_CHARS} are the most: it goes wrong"
        raise BadQuery(
            text, min(len(text), TEXT_MAX_CHARS), 0, reason, "shorten it" if text else "say what to look for"
        )
    return Substring(text)


def written(node: Node) -> str:
    """A text that `parse` makes this tree of; it names no more brackets than the one that it came from."""
    if isinstance(node, Field):
        return f"{node.name}:{_between_quotes(node.value)}"
    if isinstance(node, Not):
        return "-" + _grouped(node.part, And, Or)
    if isinstance(node, And):
        return " ".join(_grouped(part, And, Or) for part in node.parts)
    if isinstance(node, Or):
        return " OR ".join(_grouped(part, Or) for part in node.parts)
    column = f"{node.columns[0]}:" if node.columns else ""
    if isinstance(node, Near):
        phrases = " ".join(_between_quotes(one.text) + "*" * one.prefix for one in node.phrases)
        return f"{column}NEAR({phrases}, {node.words})"
    if isinstance(node, Phrase):
        return f"{column}{_between_quotes(node.text)}{'*' * node.prefix}"
    return f"{column}{'' if node.folded else '='}{_between_quotes(node.text)}"


def _grouped(node: Node, *kinds: type) -> str:
    return f"({written(node)})" if isinstance(node, kinds) else written(node)


def _between_quotes(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def is_wide(text: str) -> bool:
    """Whether any of it is of a script without spaces: the tokenizer takes a whole clause of them for one word, so a
    word within is looked for as a substring."""
    return not text.isascii() and any(any(low <= ord(char) <= high for low, high in WIDE_BLOCKS) for char in text)


def word(text: str, prefix: bool, columns: tuple[str, ...] | None) -> Node:
    """The leaf of a word or phrase: what the tokenizer would not find in it is a substring."""
    if is_wide(text) or not any(map(str.isalnum, text)):
        return Substring(text, True, columns)
    return Phrase(text, prefix, columns)


class _Parser:
    """Reads a text from left to right. `at` is the next character."""

    def __init__(self, text: str, with_fields: bool) -> None:
        self.text, self.at, self.leaves, self.depth = text, 0, 0, 0
        self.with_fields = with_fields

    def whole(self) -> Node:
        self._skip()
        if self._ended():
            raise self._bad(self.at, 0, "there is nothing to look for", "write a word")
        found = self._either(None)
        if not self._ended():
            raise self._bad(self.at, 1, "no bracket is open that this one closes", f"leave it out, or {_AS_TEXT}")
        return found

    def _either(self, columns: tuple[str, ...] | None) -> Node:
        """Parts joined by OR, up to a closing bracket or the end."""
        parts = [self._all(columns, "")]
        while at_least := self._keyword("OR"):
            parts.append(self._all(columns, at_least))
        parts = list(dict.fromkeys(parts))
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _all(self, columns: tuple[str, ...] | None, before: str) -> Node:
        """Parts joined by AND or nothing; `before` is the word that asks for one."""
        parts: list[Node] = []
        while True:
            start = self.at
            if joined := self._keyword("AND"):
                if not parts:
                    raise self._bad(start, 3, "AND has nothing before it", _SMALL)
                before = joined
            if self._ended() or self.text[self.at] == ")" or self._sees("OR"):
                if before or not parts:
                    raise self._lacking(before)
                parts = list(dict.fromkeys(parts))
                return parts[0] if len(parts) == 1 else And(tuple(parts))
            if joined and self._sees("AND"):
                raise self._bad(self.at, 3, "AND stands twice", "write it once")
            parts.append(self._one(columns))
            before = ""
            self._skip()

    def _lacking(self, before: str) -> BadQuery:
        if before:
            return self._bad(self.at, 0, f"{before} has nothing behind it", _SMALL)
        if self._sees("OR"):
            return self._bad(self.at, 2, "OR has nothing before it", _SMALL)
        return self._bad(self.at, 0, "there is nothing between the brackets", f"write a word there, or {_AS_TEXT}")

    def _one(self, columns: tuple[str, ...] | None) -> Node:
        """A word, phrase, group, column or what is negated."""
        text, start = self.text, self.at
        if self._keyword("NOT"):
            if self._ended() or text[self.at] == ")" or any(map(self._sees, ("AND", "OR"))):
                raise self._bad(self.at, 0, "NOT has nothing behind it", _SMALL)
            return self._deeper(start, columns, negated=True)
        if text[start] == "-" and self._negates(start):
            self.at += 1
            return self._deeper(start, columns, negated=True)
        if text[start] == "(":
            self.at += 1
            return self._group(start, columns)
        if text.startswith("NEAR(", start):
            return self._near(start, columns)
        return self._leaf(columns)

    def _negates(self, at: int) -> bool:
        """`-word`; but `--flag` and `-` alone are text."""
        following = self.text[at + 1 : at + 2]
        return bool(following) and not following.isspace() and following not in "-)" and following.isprintable()

    def _deeper(self, start: int, columns: tuple[str, ...] | None, *, negated: bool) -> Node:
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise self._bad(start, 1, f"more than {DEPTH_MAX} brackets or negations lie in each other", "ask in parts")
        found = self._one(columns) if negated else self._either(columns)
        self.depth -= 1
        if not negated:
            return found
        return found.part if isinstance(found, Not) else Not(found)

    def _group(self, start: int, columns: tuple[str, ...] | None) -> Node:
        self._skip()
        found = self._deeper(start, columns, negated=False)
        if self._ended():
            raise self._bad(start, 1, "the bracket is not closed", f"close it, or {_AS_TEXT}")
        self.at += 1
        return found

    def _near(self, start: int, columns: tuple[str, ...] | None) -> Node:
        self.at += len("NEAR(")
        phrases: list[Phrase] = []
        words = NEAR_WORDS
        while True:
            self._skip()
            if self._ended():
                raise self._bad(start, 5, "the bracket of NEAR is not closed", "write NEAR(one two, 5)")
            if self.text[self.at] == ")":
                self.at += 1
                break
            if self.text[self.at] == ",":
                words = self._near_words()
                continue
            at = self.at
            leaf = self._quoted_or_word(columns, ends=",")
            if not isinstance(leaf, Phrase):
                reason = "NEAR knows words and phrases only"
                raise self._bad(at, self.at - at, reason, "of scripts without spaces, and of signs, it cannot tell")
            phrases.append(leaf)
        if len(phrases) < 2:
            raise self._bad(start, self.at - start, "NEAR needs two words or phrases", "write NEAR(one two, 5)")
        if len(phrases) > NEAR_PHRASES:
            reason = f"NEAR knows {NEAR_PHRASES} words and phrases at most"
            raise self._bad(start, self.at - start, reason, "ask in parts")
        self._bounded(" ".join(one.text for one in phrases), start)
        return Near(tuple(phrases), words, columns)

    def _near_words(self) -> int:
        self.at += 1
        self._skip()
        start = self.at
        while not self._ended() and self.text[self.at].isascii() and self.text[self.at].isdigit():
            self.at += 1
        digits = self.text[start : self.at]
        self._skip()
        if not digits or len(digits) > 6 or int(digits) > NEAR_MOST or self._ended() or self.text[self.at] != ")":
            reason = f"NEAR needs a number up to {NEAR_MOST:,} behind its comma, and a bracket behind that"
            raise self._bad(start, len(digits), reason, "write NEAR(one two, 5)")
        return int(digits)

    def _leaf(self, columns: tuple[str, ...] | None) -> Node:
        """A word or phrase, in the column that stands before it."""
        named = self._name()
        if named is None:
            return self._quoted_or_word(columns)
        name, start = named
        if name in FIELDS:
            return self._field(name, start, columns)
        if name not in TEXT_COLUMNS:
            raise self._bad(start, len(name) + 1, f"there is no field {name}", _nearest(name))
        if columns is not None and name not in columns:
            reason = f"what is in {columns[0]} is not in {name}"
            raise self._bad(start, len(name) + 1, reason, "leave one of the two out")
        if self.text[self.at] == "(":
            at, self.at = self.at, self.at + 1
            return self._group(at, (name,))
        if self.text.startswith("NEAR(", self.at):
            return self._near(self.at, (name,))
        return self._quoted_or_word((name,))

    def _field(self, name: str, start: int, columns: tuple[str, ...] | None) -> Node:
        if columns is not None:
            reason = f"{name} is no part of the text in {columns[0]}"
            raise self._bad(start, len(name) + 1, reason, "write it before or behind the brackets")
        if not self.with_fields:
            hint = f'to find it as it stands, write it between quotes: "{name}:…"'
            raise self._bad(start, len(name) + 1, f"{name}: asks for a field, where only text can be asked for", hint)
        if self.text[self.at] == "(":
            return self._values(name, self.at)
        return self._value(name, start)

    def _value(self, name: str, start: int) -> Field:
        """A value, between quotes or up to a space."""
        self.leaves += 1
        if self.leaves > LEAVES_MAX:
            raise self._bad(self.at, 1, f"there are more than {LEAVES_MAX} words and values", "ask in parts")
        value = self._quoted() if self.text[self.at] == '"' else self._word("")
        return Field(name, value, start, self.at - start)

    def _values(self, name: str, opened: int) -> Node:
        """`(a OR b)` behind the name of a field."""
        found: list[Node] = []
        while not found or self._keyword("OR"):
            if not found:
                self.at += 1
                self._skip()
            if not self._ended() and (self.text[self.at] == ")" or self._sees("OR")):
                hint = f'write {name}:(one OR two); "OR" itself between quotes'
                raise self._bad(self.at, 0, f"there is no value of {name}", hint)
            if not self._ended():
                found.append(self._value(name, self.at))
                self._skip()
            if self._ended():
                raise self._bad(opened, 1, "the bracket is not closed", f"write {name}:(one OR two)")
        if self.text[self.at] != ")":
            reason = f"two values of {name} stand side by side"
            raise self._bad(self.at, 0, reason, f"write {name}:(one OR two), and a value with spaces between quotes")
        self.at += 1
        found = list(dict.fromkeys(found))
        return found[0] if len(found) == 1 else Or(tuple(found))

    def _name(self) -> tuple[str, int] | None:
        """`name:` with something behind it, which is then next; None where the colon is only text."""
        text, start, end = self.text, self.at, self.at
        while end < len(text) and (text[end].islower() or text[end] == "_") and text[end].isascii():
            end += 1
        name, value = text[start:end], text[end + 1 : end + 2]
        if not name or text[end : end + 1] != ":" or not value or value.isspace():
            return None
        if value in ":/\\)*,;" and value not in _MAY_BEGIN.get(name, ""):
            return None
        if name not in TEXT_COLUMNS and name not in FIELDS and value.isdigit():
            return None  # localhost:8080
        self.at = end + 1
        return name, start

    def _quoted_or_word(self, columns: tuple[str, ...] | None, ends: str = "") -> Node:
        self.leaves += 1
        if self.leaves > LEAVES_MAX:
            raise self._bad(self.at, 1, f"there are more than {LEAVES_MAX} words", "ask in parts")
        if self.text.startswith('="', self.at):
            self.at += 1
            return Substring(self._quoted(), False, columns)
        start = self.at
        if self.text[self.at] == '"':
            text = self._quoted()
            prefix = self.text.startswith("*", self.at)
            self.at += prefix
            self._bounded(text, start)
            return word(text, prefix and text[-1].isalnum(), columns)
        text = self._word(ends)
        self._bounded(text, start)
        prefix = len(text) > 1 and text.endswith("*") and text[-2].isalnum()
        return word(text[:-1] if prefix else text, prefix, columns)

    def _bounded(self, text: str, start: int) -> None:
        """No word may stand too often in what is asked for as one."""
        counted = Counter(_WORDS.findall(text.lower()) if len(text) > REPEATS_MAX and not is_wide(text) else ())
        for often, times in counted.most_common(1):
            if times <= REPEATS_MAX:
                return
            reason = f"{often[:40]} stands more than {REPEATS_MAX} times in one phrase, which begins"
            raise self._bad(start, self.at - start, reason, f"shorten it, or {_AS_TEXT}")

    def _quoted(self) -> str:
        """What stands between quotes; two quotes in it are one."""
        start, text = self.at, self.text
        at = start + 1
        while True:
            at = text.find('"', at)
            if at < 0:
                raise self._bad(
                    start, 1, "the quote is not closed", 'write one more "; a quote within is written twice'
                )
            if text[at + 1 : at + 2] != '"':
                break
            at += 2
        self.at = at + 1
        found = text[start + 1 : at].replace('""', '"')
        if not found.strip():
            raise self._bad(start, self.at - start, "there is nothing between the quotes", "write what to look for")
        return found

    def _word(self, ends: str) -> str:
        """Up to a space, a quote or a bracket of the query; one that follows a letter is the text's, as in `main()`."""
        text, start, opened = self.text, self.at, 0
        while self.at < len(text):
            char = text[self.at]
            if char.isspace() or char == '"' or char in ends or char == "\0":
                break
            if char == "(":
                if self.at == start:
                    break
                opened += 1
            elif char == ")":
                if not opened:
                    break
                opened -= 1
            self.at += 1
        return text[start : self.at]

    def _keyword(self, name: str) -> str:
        if not self._sees(name):
            return ""
        self.at += len(name)
        self._skip()
        return name

    def _sees(self, name: str) -> bool:
        """Whether this word of the language is next, by itself."""
        end = self.at + len(name)
        if not self.text.startswith(name, self.at):
            return False
        following = self.text[end : end + 1]
        return not following or following.isspace() or following in '()"'

    def _skip(self) -> None:
        while not self._ended() and (self.text[self.at].isspace() or self.text[self.at] == "\0"):
            self.at += 1

    def _ended(self) -> bool:
        return self.at >= len(self.text)

    def _bad(self, at: int, length: int, reason: str, hint: str) -> BadQuery:
        return BadQuery(self.text, at, length, reason, hint)


FIELDS = (*NAMES, "is")
_MAY_BEGIN = {"project": "/\\", "src": "*"}  # a value of these, where otherwise the colon is the text's own
# What others, and our own columns and flags, call a field.
_OTHERWISE = {
    **{column: name for name, column in NAMES.items()},
    "hook": "type",
    "event": "type",
    "source": "src",
    "repo": "project",
    "dir": "project",
    "code": "error_code",
    "loglevel": "level",
    "text": "other",
}


def _nearest(name: str) -> str:
    """What may have been meant by a name that is none."""
    from difflib import get_close_matches  # only who makes a mistake pays for it

    known = (*FIELDS, *TEXT_COLUMNS)
    near = [_OTHERWISE[name]] if name in _OTHERWISE else get_close_matches(name, known, n=1, cutoff=0.6)
    there = f"did you mean {near[0]}?" if near else f"there are {', '.join(FIELDS)}, and {', '.join(TEXT_COLUMNS)}"
    return f'{there}; to find it as it stands, write it between quotes: "{name}:…"'


_SMALL = "to find the word itself, write it small or between quotes"
_AS_TEXT = 'to find it as it stands, write ="…"'
