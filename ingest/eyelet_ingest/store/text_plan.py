"""A query's tree as questions that a day can be asked: what its index can answer, and what it can rule out. Pure.

The index answers words, phrases and what is made of them. Of a substring it knows the words that stand whole in it, and
how the last one begins; where no word does, the day's list of words says which ones hold it. What cannot be right by
the payload as it is stored need not be read as text at all.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from eyelet_ingest.store.text_query import And, Field, Near, Node, Not, Or, Phrase, Substring, is_wide

NARROWING_MOST = 8  # words of a phrase, and phrases, that narrow a substring; what they cost is said in text_query.py
FRAGMENT_LEAST = 2  # characters of a word's part that is looked for among the day's words
GLOB_CHARS = 2_000  # of a pattern: SQLite refuses those above 50,000 bytes
PREFIX_LEAST = 2  # characters of a word's beginning that rules anything out
# Which words hold these characters, folded; None where that is not known, or they are too many to ask for.
Terms = Callable[[str], "list[str] | None"]
_RUN = re.compile("[0-9A-Za-z]+")
_NO_WORD = re.compile("[^0-9A-Za-z\x80-\U0010ffff]+")  # of ASCII, which no word has
# What JSON spells as it is, but for `\u0041`; `"`, `\` and `/` have a `\` before them, or may have.
_PLAIN = re.compile(r"[ !#-.0-\[\]-~]+")
_WIDE = re.compile("[^\\x00-\\x7f]+")
_SPECIAL = re.compile(r"[\[*?]")  # to GLOB
# Rows in which a letter may be spelt otherwise than as one of ASCII, and those whose error is not in the payload.
# (GLOB skips to the first character with the C library's help: 72 ms where instr() takes 130.)
_IN_META = "instr(meta, '\"error_message\"') > 0"
_OTHERWISE = f"length(data) <> length(cast(data as blob)) or data glob '*\\u*' or {_IN_META}"
_ESCAPED_ASCII = f"data glob '*\\u00[2-7]*' or {_IN_META}"
_ESCAPED = f"data glob '*\\u*' or {_IN_META}"


class Plan(NamedTuple):
    """What an index is asked: `match` in FTS5's language, implied by the query, None where the index rules nothing out.
    `exact`: what matches is the answer. `without`: what does not match is."""

    match: str | None
    exact: bool = False
    without: bool = False


class Rough(NamedTuple):
    """A condition on a row of `hooks` that every row of the answer meets."""

    sql: str
    params: list[object]


@dataclass(frozen=True, slots=True)
class AllOf:
    """What is needed together."""

    parts: "tuple[str | AllOf | OneOf, ...]"


@dataclass(frozen=True, slots=True)
class OneOf:
    """What is needed in the place of each other."""

    parts: "tuple[str | AllOf | OneOf, ...]"


Needed = str | AllOf | OneOf | None  # a word, folded; None where nothing is known to be needed


def expression(node: Node) -> str | None:
    """The same in FTS5's language, every word quoted; None where it has no way to say it."""
    if isinstance(node, Phrase):
        return _in(node.columns, f"{_quoted(node.text)}{' *' if node.prefix else ''}")
    if isinstance(node, Near):
        phrases = " ".join(f"{_quoted(one.text)}{' *' if one.prefix else ''}" for one in node.phrases)
        return _in(node.columns, f"NEAR({phrases}, {node.words})")
    if isinstance(node, Or):
        parts = [expression(part) for part in node.parts]
        return None if None in parts else f"({' OR '.join(filter(None, parts))})"
    if isinstance(node, And):
        wanted = [expression(part) for part in node.parts if not isinstance(part, Not)]
        others = [expression(part.part) for part in node.parts if isinstance(part, Not)]
        if not wanted or None in wanted or None in others:
            return None
        return _both(list(filter(None, wanted)), list(filter(None, others)))
    return None


def plan(node: Node, terms: Terms) -> Plan:
    """How an index is asked for the query; `terms` is the list of words of the day."""
    exact = expression(node)
    if exact is not None:
        return Plan(exact, exact=True)
    nots = node.parts if isinstance(node, And) else (node,)
    if all(isinstance(one, Not) for one in nots):
        others = [expression(one.part) for one in nots if isinstance(one, Not)]
        if None not in others:
            return Plan(" OR ".join(filter(None, others)), exact=True, without=True)
    return Plan(_narrowed(node, terms))


def rough(node: Node) -> Rough | None:
    """What the stored payload tells without being taken apart; None where it rules nothing out."""
    if isinstance(node, Phrase):
        return _rough_words(node.text)
    if isinstance(node, Near):
        return _together([_rough_words(one.text) for one in node.phrases])
    if isinstance(node, Substring):
        return _rough_substring(node.text, node.folded)
    if isinstance(node, And):
        return _together([rough(part) for part in node.parts])
    if isinstance(node, Or):
        parts = [rough(part) for part in node.parts]
        known = [part for part in parts if part is not None]
        if len(known) < len(parts):
            return None
        return Rough(f"({' or '.join(one.sql for one in known)})", [value for one in known for value in one.params])
    return None


def needed(node: Node) -> Needed:
    """The words without which a day's index has nothing of the query, as it spells them. Of letters that are not ASCII
    only the tokenizer knows how it spells them; of a word's beginning no list of words tells."""
    if isinstance(node, Phrase):
        return _all_of(_spelt(node.text, node.prefix))
    if isinstance(node, Near):
        return _all_of([word for one in node.phrases for word in _spelt(one.text, one.prefix)])
    if isinstance(node, Substring):
        phrases, _ = _words_in(node.text)
        return _all_of([word.lower() for words, begins in phrases for word in (words[:-1] if begins else words)])
    if isinstance(node, And):
        return _all_of([found for part in node.parts if (found := needed(part)) is not None])
    if isinstance(node, Or):
        parts = [found for part in node.parts if (found := needed(part)) is not None]
        return OneOf(tuple(parts)) if len(parts) == len(node.parts) else None
    return None


def needs_wide(node: Node) -> bool:
    """Whether only text with characters of scripts without spaces can match."""
    if isinstance(node, Substring):
        return is_wide(node.text)
    if isinstance(node, And):
        return any(map(needs_wide, node.parts))
    return isinstance(node, Or) and all(map(needs_wide, node.parts))


def positive(node: Node) -> Iterator[Phrase | Near | Substring]:
    """The leaves that an answer shows: those that are not negated."""
    if isinstance(node, (And, Or)):
        for part in node.parts:
            yield from positive(part)
    elif not isinstance(node, (Not, Field)):
        yield node


def _narrowed(node: Node, terms: Terms) -> str | None:
    exact = expression(node)
    if exact is not None:
        return exact
    if isinstance(node, Substring):
        return _substring(node, terms)
    if isinstance(node, Or):
        parts = [_narrowed(part, terms) for part in node.parts]
        return None if None in parts else f"({' OR '.join(filter(None, parts))})"
    if isinstance(node, And):
        wanted = [_narrowed(part, terms) for part in node.parts if not isinstance(part, Not)]
        others = [expression(part.part) for part in node.parts if isinstance(part, Not)]
        known = list(filter(None, wanted))
        return _both(known, list(filter(None, others))) if known else None
    return None


def _both(wanted: list[str], others: list[str]) -> str:
    found = f"({' AND '.join(wanted)})" if len(wanted) > 1 else wanted[0]
    return f"({found} NOT ({' OR '.join(others)}))" if others else found


def _spelt(text: str, prefix: bool) -> list[str]:
    """The words of a phrase that are of ASCII, but for the last of a prefix."""
    words = [word for word in _NO_WORD.split(text) if word]
    return [word.lower() for word in (words[:-1] if prefix else words) if word.isascii()]


def _all_of(parts: "Sequence[str | AllOf | OneOf]") -> Needed:
    return AllOf(tuple(dict.fromkeys(parts))) if parts else None


def _in(columns: tuple[str, ...] | None, found: str) -> str:
    return f"({{{' '.join(columns)}}} : {found})" if columns else found


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""').replace("\0", " ") + '"'


def _substring(node: Substring, terms: Terms) -> str | None:
    """What the words in a substring rule out."""
    phrases, fragments = _words_in(node.text)
    known = [one for one in phrases if len(one[0]) > 1 or not one[1] or len(one[0][0]) >= PREFIX_LEAST]
    if known:
        asked = [_asked(words, begins) for words, begins in known]
        asked = list(dict.fromkeys(asked))[:NARROWING_MOST]
        return _in(node.columns, asked[0] if len(asked) == 1 else f"({' AND '.join(asked)})")
    fragment = max((*fragments, *(words[0] for words, _ in phrases)), key=len, default="")
    found = terms(fragment.lower()) if len(fragment) >= FRAGMENT_LEAST else None
    if found is None:
        return None
    # Words that hold it there are none: one that no text holds says so.
    asked = [_quoted(one) for one in found] or ['"' + "\ue000" * 3 + '"']
    return _in(node.columns, f"({' OR '.join(asked)})")


def _words_in(text: str) -> tuple[list[tuple[list[str], bool]], list[str]]:
    """The phrases that stand whole in a substring, each with whether a word only begins like its last one; and parts
    of words. A word is whole where a sign of ASCII stands on both sides of it; other signs may be letters, or marks on
    them, to the tokenizer."""
    phrases: list[tuple[list[str], bool]] = []
    fragments: list[str] = []
    end = -1
    for run in _RUN.finditer(text):
        starts = run.start() > 0 and text[run.start() - 1].isascii()
        ends = run.end() < len(text) and text[run.end()].isascii()
        begins = starts and run.end() == len(text)
        if starts and (ends or begins):
            if end < 0 or not text[end : run.start()].isascii():
                phrases.append(([], False))
            words, _ = phrases[-1]
            words.append(run.group())
            phrases[-1] = words, begins
            end = run.end()
        else:
            fragments.append(run.group())
            end = -1
    return phrases, fragments


def _asked(words: list[str], begins: bool) -> str:
    """A phrase of so many words at most: it only narrows."""
    if len(words) > NARROWING_MOST:
        words, begins = words[:NARROWING_MOST], False
    return _quoted(" ".join(words)) + (" *" if begins else "")


def _rough_words(text: str) -> Rough | None:
    """The longest run of letters and digits of ASCII. LIKE knows the case of ASCII alone, accents are folded too."""
    run = max(_RUN.findall(text), key=len, default="")
    return Rough(f"(data like ? or {_OTHERWISE})", [f"%{run}%"]) if run else None


def _rough_substring(text: str, folded: bool) -> Rough | None:
    wide = max(_WIDE.findall(text), key=len, default="")
    if folded and not wide and _RUN.search(text):
        return _rough_words(text)
    run = "" if folded and wide else max(_PLAIN.findall(text), key=len, default="")
    if len(run) > 1 or run == text:
        return Rough(f"(data glob ? or {_ESCAPED_ASCII})", [_globbed(run)])
    return Rough(f"(data glob ? or {_ESCAPED})", [_globbed(wide)]) if wide else None


def _globbed(text: str) -> str:
    """The pattern of what holds this; no longer than SQLite takes one."""
    return "*" + _SPECIAL.sub(r"[\g<0>]", text[:GLOB_CHARS]) + "*"


def _together(parts: "list[Rough | None]") -> Rough | None:
    known = [part for part in parts if part is not None]
    if not known:
        return None
    return Rough(" and ".join(one.sql for one in known), [value for one in known for value in one.params])
