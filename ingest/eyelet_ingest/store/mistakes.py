"""What is wrong with a statement of SQL, where it is, and what may have been meant.

SQLite names the word and not its place (`sqlite3_error_offset` is newer than what we support, and Python does not give
it). A syntax error is at the last word of the shortest beginning that SQLite calls one: a shorter one is `incomplete
input`. https://www.sqlite.org/c3ref/errcode.html
"""

import difflib
import re
from collections.abc import Iterable
from itertools import chain
from typing import Any, NamedTuple

from eyelet_ingest.errors import BadInput
from eyelet_ingest.store.all_days import TEXT_INDEX

_TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*|/\*.*?(?:\*/|\Z))
    |(?P<text>[xX]?'(?:[^']|'')*'?)
    |(?P<name>"(?:[^"]|"")*"?|`(?:[^`]|``)*`?|\[[^\]]*\]?|[^\W\d][\w$]*)
    |(?P<parameter>[:@$#]\w+|\?\d*)
    |(?P<number>\d[\w.]*|\.\d[\w.]*)
    |(?P<sign><>|<=|>=|==|!=|\|\||->>|->|<<|>>|.)""",
    re.VERBOSE | re.DOTALL,
)
_SYNTAX = re.compile(r'^(?:near ".*": syntax error|unrecognized token: .*|incomplete input)$', re.DOTALL)
_UNKNOWN = re.compile(r"^no such (column|table|function|collation sequence|module): (.*)$", re.DOTALL)
_ALIAS = re.compile(r"^(ambiguous column name|misuse of aggregate|misuse of window function|unsafe use of)[^:]*: (.*)$")
_COLUMN = "texts stand in 'single quotes'; eyelet sql --tables lists the columns"
NAME_THEM = "name parameters, as :name, and give each with -p name VALUE"
LONGEST = 100_000  # characters of a statement in which a place is looked for


class Token(NamedTuple):
    """A word of the statement, where it begins, and what kind it is."""

    text: str
    at: int
    kind: str


def tokens(sql: str) -> list[Token]:
    """The words of a statement without space and comments."""
    found = ((one.group(), one.start(), str(one.lastgroup)) for one in _TOKEN.finditer(sql))
    return [Token(*one) for one in found if one[2] != "space"]


def first_word(sql: str) -> str:
    """The word with which the statement begins, in lower case, or ""."""
    words = tokens(sql[:LONGEST])
    return words[0].text.lower() if words else ""


def nearest(name: str, known: Iterable[str]) -> str:
    """The one of these names that was most likely meant, or ""."""
    by_lower = {one.lower(): one for one in known}
    found = difflib.get_close_matches(name.lower(), by_lower, 1, 0.6)
    return by_lower[found[0]] if found else ""


def explained(conn: Any, sql: str, reason: str) -> BadInput:
    """The error for what SQLite says while it prepares `sql`: the reason with its place, and what helps."""
    at = _place(conn, sql, reason)
    where = f" at {_position(sql, at)}" if at is not None else ""
    return BadInput("SQL", reason=reason + where, hint=_advice(conn, reason) or remedy(reason))


def missing_text_index(conn: Any, sql: str) -> str:
    """Why the statement cannot be asked where it asks for the text index and this connection has none over its days;
    "" where that is not so. SQLite would take the index of a day that is attached for that of all."""
    if TEXT_INDEX not in sql.lower():
        return ""
    asked = [one for one in tokens(sql) if one.kind == "name" and _bare(one.text) == TEXT_INDEX]
    if not asked or conn.execute("select 1 from main.sqlite_master where name = ?", (TEXT_INDEX,)).fetchone():
        return ""
    return f"{TEXT_INDEX} at {_position(sql, asked[0].at)} is there with the extension in C only"


def remedy(reason: str) -> str:
    """What helps against an error of SQLite's, or ""."""
    if "not authorized" in reason or "prohibited" in reason:
        return "it may only read: no pragma, no other file"
    if "one statement at a time" in reason:
        return "give one statement, without what follows its semicolon"
    if "has no name" in reason:
        return NAME_THEM
    if reason == "incomplete input":
        return "something is missing at its end: a name, a bracket, a quote?"
    if "malformed JSON" in reason:
        return "a payload that was no JSON object: ask json_valid(…) first"
    if "too many terms" in reason or "too large" in reason or "too big" in reason:
        return "ask for less at once"
    return ""


def _advice(conn: Any, reason: str) -> str:
    """What may have been meant by a name that is not there."""
    unknown = _UNKNOWN.match(reason)
    if not unknown:
        return ""
    kind, name = unknown[1], unknown[2].rpartition(".")[2]
    known = tables(conn)
    if kind == "table":
        near = nearest(name, known)
        return f"did you mean {near}?" if near else f"there are {', '.join(known)}"
    if kind == "column":
        near = nearest(name, chain.from_iterable(known.values()))
        return (
            f"did you mean {near}?" if near else "texts stand in 'single quotes'; eyelet sql --tables lists the columns"
        )
    if kind == "function":
        near = nearest(name, {row[0] for row in conn.execute("select name from pragma_function_list")})
        return f"did you mean {near}?" if near else "https://www.sqlite.org/lang_corefunc.html lists them"
    return ""


def tables(conn: Any) -> dict[str, list[str]]:
    """The tables and views over all days, and the columns of each; not what these are made of."""
    sql = "select name from main.sqlite_master where type in ('table', 'view') and sql is not null order by name"
    names = [name for (name,) in conn.execute(sql) if not name.startswith(("eyelet_", "sqlite_"))]
    columns = "select name from pragma_table_info(?, 'main')"
    return {name: [column for (column,) in conn.execute(columns, (name,))] for name in names}


def _place(conn: Any, sql: str, reason: str) -> int | None:
    """Where in the statement SQLite's reason belongs, as a number of characters; None where nobody can say."""
    if len(sql) > LONGEST:
        return None
    if _SYNTAX.match(reason):
        return None if reason == "incomplete input" else _syntax(conn, sql)
    named = _UNKNOWN.match(reason) or _ALIAS.match(reason)
    return _named(sql, named[2]) if named else None


def _syntax(conn: Any, sql: str) -> int | None:
    """Halving: which is the first word with which the beginning of the statement is no beginning any more."""
    words = tokens(sql)
    low, high = 0, len(words) - 1  # the first is at words[low] or later, at words[high] at the latest
    while low < high:
        middle = (low + high) // 2
        until = words[middle].at + len(words[middle].text)
        if _is_broken(conn, sql[:until]):
            high = middle
        else:
            low = middle + 1
    return words[low].at if words else None


def _is_broken(conn: Any, beginning: str) -> bool:
    try:
        conn.execute(f"explain {beginning}", {}).close()
    except (conn.Error, conn.Warning) as bad:
        return bool(_SYNTAX.match(str(bad))) and str(bad) != "incomplete input"
    return False


def _named(sql: str, name: str) -> int | None:
    """Where this name stands, which may have a table before it."""
    *before, last = name.lower().rstrip("()").split(".")
    words = tokens(sql)
    for number, word in enumerate(words):
        if word.kind not in ("name", "text") or _bare(word.text) != last:
            continue
        if not before:
            return word.at
        if number > 1 and words[number - 1].text == "." and _bare(words[number - 2].text) == before[-1]:
            return words[number - 2].at
    return None


def _bare(text: str) -> str:
    """A name without its quotes, in lower case."""
    return (text[1:-1] if text[:1] in ('"', "`", "[", "'") else text).lower()


def _position(sql: str, at: int) -> str:
    before = sql[:at]
    line, column = before.count("\n") + 1, at - before.rfind("\n")
    return f"line {line}, character {column}" if "\n" in sql.strip() else f"character {column}"
