"""What a search for text has to find, once more in plain Python: no FTS5, no SQL, no parser of ours.

A question is drawn as what people type together with what it means. The rules for words are those of Unicode and of
SQLite's tokenizer unicode61 with remove_diacritics 2 (https://www.sqlite.org/fts5.html#unicode61_tokenizer); that they
are its rules `test_text_words.py` shows, character by character.
"""

import json
import unicodedata
from collections.abc import Callable
from itertools import product
from typing import Any

from hypothesis import strategies as st

COLUMNS = ("command", "path", "prompt", "answer", "output", "error", "other")
Said = dict[str, str]  # column → text
Means = Callable[[Said], bool]
Question = tuple[str, Means]

# The marks that belong to the letter before them: sqlite3Fts5UnicodeIsdiacritic, ext/fts5/fts5_unicode2.c of SQLite.
_MARKS = 0x08029FDF | 0x000361F8 << 32


def is_mark(char: str) -> bool:
    return 0x300 <= ord(char) <= 0x331 and bool(_MARKS >> (ord(char) - 0x300) & 1)


def is_letter(char: str) -> bool:
    category = unicodedata.category(char)
    return category[0] in "LN" or category == "Co"


def fold(char: str) -> str:
    """A letter without its case; one of ASCII with an accent without that."""
    low = char.casefold() if len(char.casefold()) == 1 else char.lower()
    base, *marks = unicodedata.normalize("NFD", low)
    is_accented = marks and base.isascii() and base.isalpha() and all(map(unicodedata.combining, marks))
    return base if is_accented else low


def words(text: str) -> list[str]:
    found, word = [], ""
    for char in text + " ":
        if is_letter(char):
            word += fold(char)
        elif is_mark(char) and word:
            continue
        elif word:
            found.append(word)
            word = ""
    return found


def starts(text: str, phrase: list[str], prefix: bool) -> list[int]:
    """Where the phrase begins in the text, counted in words."""
    there = words(text)
    size = len(phrase)

    def is_at(at: int) -> bool:
        some = there[at : at + size]
        if not prefix:
            return some == phrase
        return len(some) == size and some[:-1] == phrase[:-1] and some[-1].startswith(phrase[-1])

    return [at for at in range(len(there) - size + 1) if is_at(at)]


def lowered(text: str) -> str:
    return "".join(char.lower() if char.isascii() else char for char in text)


def payload(said: Said) -> tuple[str, dict[str, Any]]:
    """`data` and `meta` of an event that says so, column by column."""
    data: dict[str, Any] = {"tool_input": {}, "tool_response": {}}
    places = {
        "command": (data["tool_input"], "command"),
        "path": (data["tool_input"], "file_path"),
        "prompt": (data, "prompt"),
        "answer": (data, "last_assistant_message"),
        "output": (data["tool_response"], "stdout"),
        "other": (data, "remark"),
    }
    for column, text in said.items():
        if column in places:
            folder, name = places[column]
            folder[name] = text
    meta = {"execution": {"error_message": said["error"]}} if "error" in said else {}
    return json.dumps(data, ensure_ascii=False), meta


# What is said, and asked for: few pieces, so that they meet.
PLAIN = [
    "git",
    "Push",
    "foo_bar",
    "fooBar",
    "E11000",
    "a/b.py",
    "flag",
    "naïve",
    "CAFE",
    "café",
    "cafe\u0301",
    "STRASSE",
]
ODD = [
    "100%",
    "x'y",
    "a-b",
    "\u202eabc\u202c",
    "😀",
    "ſize",
    "\u212a",
    "İ",
    "ß",
    "\ue000q",
    "e\u0331\u0301x",
    "\u0301git",
    "؟",
]
WIDE = ["検索", "日本語の検索テキスト", "ไทย", "한국어", "カタカナ", "ab検索"]
SIGNS = ["=>", "--", "%", "::", "_", "…"]
BREAKS = [" ", "  ", "_", "/", "\n", "-", ".", "", "\t", "\\", '"', "\x02", "\x03", "\0", "\u0301"]


@st.composite
def texts(draw: st.DrawFn) -> str:
    pieces = draw(st.lists(st.sampled_from([*PLAIN, *PLAIN, *ODD, *WIDE, *SIGNS]), min_size=1, max_size=5))
    text = "".join(piece + draw(st.sampled_from(BREAKS)) for piece in pieces)
    return text if text.strip() else "git"


SAID = st.dictionaries(st.sampled_from(COLUMNS), texts(), max_size=4)


def _anywhere(columns: tuple[str, ...] | None, holds: Callable[[str], bool]) -> Means:
    return lambda said: any(holds(text) for column, text in said.items() if columns is None or column in columns)


@st.composite
def _words(draw: st.DrawFn, columns: tuple[str, ...] | None) -> Question:
    word = draw(st.sampled_from([*PLAIN, "foo", "gi", "caf", "b.py", "git-push", "x'y", "100%", "e\u0331\u0301x"]))
    prefix = draw(st.booleans()) and word[-1].isalnum()
    wanted = words(word)
    asked = word + "*" if prefix else word
    return asked, _anywhere(columns, lambda text: bool(starts(text, wanted, prefix)))


@st.composite
def _phrase(draw: st.DrawFn, columns: tuple[str, ...] | None) -> Question:
    text = " ".join(draw(st.lists(st.sampled_from([*PLAIN, "foo"]), min_size=1, max_size=3)))
    prefix = draw(st.booleans()) and text[-1].isalnum()
    wanted = words(text)
    asked = f'"{text}"' + ("*" if prefix else "")
    return asked, _anywhere(columns, lambda said: bool(starts(said, wanted, prefix)))


@st.composite
def _near(draw: st.DrawFn, columns: tuple[str, ...] | None) -> Question:
    phrases = draw(st.lists(st.sampled_from(["git", "push", "foo", "bar", "cafe", "b.py"]), min_size=2, max_size=3))
    most = draw(st.integers(0, 4))
    wanted = [words(phrase) for phrase in phrases]

    def holds(text: str) -> bool:
        places = [starts(text, phrase, False) for phrase in wanted]
        sizes = [len(phrase) for phrase in wanted]
        return any(
            all(at + size + most >= max(some) for at, size in zip(some, sizes, strict=True))
            for some in product(*places)
        )

    return f"NEAR({' '.join(phrases)}, {most})", _anywhere(columns, holds)


@st.composite
def _substring(draw: st.DrawFn, columns: tuple[str, ...] | None) -> Question:
    text = draw(texts())
    low = draw(st.integers(0, len(text) - 1))
    wanted = text[low : low + draw(st.integers(1, 12))]
    if not wanted.strip():
        wanted = "git"
    asked = '="' + wanted.replace('"', '""') + '"'
    return asked, _anywhere(columns, lambda said: wanted in said)


@st.composite
def _folded(draw: st.DrawFn, columns: tuple[str, ...] | None) -> Question:
    wanted = draw(st.sampled_from([*WIDE, "検", "本語", "AB検索", "=>", "%", "::"]))
    return wanted, _anywhere(columns, lambda said: lowered(wanted) in lowered(said))


@st.composite
def _leaf(draw: st.DrawFn) -> Question:
    column = draw(st.none() | st.none() | st.sampled_from(COLUMNS))
    columns = None if column is None else (column,)
    kinds = [_words, _words, _phrase, _near, _substring, _folded]
    asked, means = draw(st.one_of(*(kind(columns) for kind in kinds)))
    if column is None or (asked[0] in "=:%" and not asked.startswith('="')):
        return asked, means if column is None else _unnamed(asked)
    return f"{column}:{asked}", means


def _unnamed(asked: str) -> Means:
    return _anywhere(None, lambda said: lowered(asked) in lowered(said))


@st.composite
def _joined(draw: st.DrawFn, parts: st.SearchStrategy[Question]) -> Question:
    some = draw(st.lists(parts, min_size=2, max_size=3))
    both = draw(st.booleans())
    joint = draw(st.sampled_from([" AND ", " "])) if both else " OR "
    every = all if both else any
    return joint.join(f"({asked})" for asked, _ in some), lambda said: every(means(said) for _, means in some)


@st.composite
def _not(draw: st.DrawFn, parts: st.SearchStrategy[Question]) -> Question:
    asked, means = draw(parts)
    return draw(st.sampled_from(["-", "NOT "])) + f"({asked})", lambda said: not means(said)


QUESTIONS: st.SearchStrategy[Question] = st.recursive(
    _leaf(), lambda parts: st.one_of(_joined(parts), _not(parts)), max_leaves=4
)
