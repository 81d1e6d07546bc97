"""Filter → (sql, params). Pure: opens nothing, knows no path. The one place where a filter becomes SQL."""

import json
from dataclasses import dataclass, replace
from typing import Any

from eyelet_ingest.errors import BadInput


@dataclass(frozen=True, slots=True)
class Filter:
    """What to look for. Empty means no condition; several values of one field are alternatives (OR).

    `since_us` and `until_us` are microseconds since 1970 UTC, half-open: since ≤ event < until.
    `contexts` are given names (made safe by the search). `src` values match the name itself and what lies
    below its dots; with a trailing `*` they are plain text prefixes. `text` is a query (`text_query.py`), or with
    `exact` a substring as it stands, of what an event says (`text_schema.py`).
    """

    since_us: int | None = None
    until_us: int | None = None
    contexts: tuple[str, ...] = ()
    src: tuple[str, ...] = ()
    hook_type: tuple[str, ...] = ()
    tool_name: tuple[str, ...] = ()
    session_id: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    agent: tuple[str, ...] = ()
    model: tuple[str, ...] = ()
    git_branch: tuple[str, ...] = ()
    error_code: tuple[str, ...] = ()
    errors: bool = False
    text: str = ""
    exact: bool = False

    def within(self, day_us: tuple[int, int]) -> tuple[int, int]:
        """The part of the range that lies in these bounds: low ≤ id < high, empty where low is not less."""
        first, end = day_us
        low = first if self.since_us is None else max(first, self.since_us)
        return low, end if self.until_us is None else min(end, self.until_us)

    def on_rows(self) -> bool:
        """Whether anything beyond time and context is asked for."""
        return bool(self.errors or self.text or any(getattr(self, name) for name in (*_EQUAL, "src")))


# Fields whose values are compared as they are; the names are columns of `hooks`.
_EQUAL = ("hook_type", "tool_name", "session_id", "status", "agent", "model", "git_branch", "error_code")
TEXT_MAX_CHARS = 10_000
PATTERN_MAX_BYTES = 50_000  # SQLite refuses longer LIKE patterns
VALUES_MAX = 200  # alternatives of one field; SQLite's expressions end at a depth of 1,000
TIME_MOST_US = 2**60  # beyond every day there can be; sums with it still fit into an integer of SQLite's


@dataclass(frozen=True, slots=True)
class Way:
    """An index that finds the rows of one condition. `in_order`: it gives them in order of time, without sorting."""

    index: str
    clause: str
    params: list[object]
    in_order: bool


# Column → its index. The rarer a value of the column usually is, the earlier the column: of equals the first is taken.
_INDEXES = {
    "session_id": "hooks_session",
    "error_code": "hooks_error_code",
    "status": "hooks_status",
    "git_branch": "hooks_branch",
    "tool_name": "hooks_tool",
    "hook_type": "hooks_type",
}
# What the index on status holds, as the schema says it: SQLite uses it where the question says so too.
_COMMON_STATUSES = frozenset(("ok", "pending"))
_RARE = "status <> 'ok' and status <> 'pending'"


def conditions(where: Filter) -> tuple[list[str], list[object]]:
    """The filter's conditions on a row of `hooks`, without time and context, each value bound.

    The text is taken for a substring of the payload as it is stored, without regard to the case of A–Z: so does who
    deletes or redacts by it, and asks no index. What a search finds by it `text_search.py` says.
    """
    clauses: list[str] = []
    params: list[object] = []
    for column in (*_EQUAL, "src"):
        if len(getattr(where, column)) > VALUES_MAX:
            raise BadInput("search", reason=f"more than {VALUES_MAX} values of {column}", hint="ask in parts")
    for column in _EQUAL:
        if values := getattr(where, column):
            clauses.append(_equal(column, values))
            params += values
    if where.src:
        clauses.append(_below(where.src, params))
    if where.errors:
        clauses.append("error = 1")
    if where.text:
        patterns = _text_patterns(where.text)
        clauses.append("(" + " or ".join(["data like ? escape '!'"] * len(patterns)) + ")")
        params += patterns
    return clauses, params


def ways(where: Filter) -> list[Way]:
    """The indexes that could find what the filter asks for, one for each of its conditions that has one."""
    found = [
        Way(index, _equal(column, values), list(values), len(values) == 1)
        for column, index in _INDEXES.items()
        if (values := getattr(where, column)) and (column != "status" or _are_rare(values))
    ]
    if where.errors:
        found.insert(0, Way("hooks_error", "error = 1", [], True))
    if where.src:
        params: list[object] = []
        found.insert(0, Way("hooks_src", _below(where.src, params), params, False))
    return found


def id_range(low: int | None, high: int | None) -> tuple[list[str], list[object]]:
    """Conditions for low ≤ id < high."""
    clauses: list[str] = []
    params: list[object] = []
    if low is not None:
        clauses.append("id >= ?")
        params.append(low)
    if high is not None:
        clauses.append("id < ?")
        params.append(high)
    return clauses, params


def where_sql(clauses: list[str]) -> str:
    return f" where {' and '.join(clauses)}" if clauses else ""


def _equal(column: str, values: tuple[str, ...]) -> str:
    clause = f"{column} = ?" if len(values) == 1 else f"{column} in ({', '.join('?' * len(values))})"
    return f"{_RARE} and {clause}" if column == "status" and _are_rare(values) else clause


def _are_rare(statuses: tuple[str, ...]) -> bool:
    return not _COMMON_STATUSES.intersection(statuses)


def _below(names: tuple[str, ...], params: list[object]) -> str:
    return "(" + " or ".join(_src_condition(name, params) for name in names) + ")"


def _src_condition(value: str, params: list[object]) -> str:
    """`hero.proc` is itself and what lies below it, never `hero.process`; `hero.pro*` is a plain prefix."""
    if value.endswith("*"):
        prefix = value[:-1]
        params += [prefix, after_prefix(prefix)]
        return "(src >= ? and src < ?)"
    params += [value, value + ".", value + "/"]
    return "(src = ? or (src >= ? and src < ?))"


def after_prefix(prefix: str) -> str | bytes:
    """What is greater than every text that begins like this, and not greater than any other: the next of its length,
    or, where there is none, the least blob, as SQLite puts blobs behind all text."""
    for at in range(len(prefix) - 1, -1, -1):
        code = ord(prefix[at])
        if code < 0x10FFFF:
            following = code + 1 if code != 0xD7FF else 0xE000  # between them lie surrogates, which no text holds
            return prefix[:at] + chr(following)
    return b""


def _text_patterns(text: str) -> list[str]:
    """LIKE patterns for the ways JSON may spell `text`: as it is, or with other than ASCII escaped."""
    if len(text) > TEXT_MAX_CHARS:
        raise BadInput("search", reason=f"the text has {len(text)} characters, {TEXT_MAX_CHARS} are the most")
    spelt = dict.fromkeys((json.dumps(text, ensure_ascii=False)[1:-1], json.dumps(text)[1:-1]))
    patterns = ["%" + one.replace("!", "!!").replace("%", "!%").replace("_", "!_") + "%" for one in spelt]
    if max(len(pattern.encode("utf-8", "replace")) for pattern in patterns) > PATTERN_MAX_BYTES:
        raise BadInput(
            "search", reason=f"the text needs more than {PATTERN_MAX_BYTES} bytes as JSON", hint="shorten it"
        )
    return patterns


def bindable(where: Filter) -> Filter:
    """The filter as SQLite can be asked: every text as UTF-8 can hold it, since a command line may hand over bytes that
    are none, and times as integers can hold them. Contexts stay: they are names of folders, and never bound."""
    changed: dict[str, Any] = {}
    for name in ("since_us", "until_us"):
        at_us = getattr(where, name)
        if at_us is not None and abs(at_us) > TIME_MOST_US:
            changed[name] = TIME_MOST_US if at_us > 0 else -TIME_MOST_US
    for name in ("src", *_EQUAL):
        if values := getattr(where, name):
            changed[name] = tuple(_utf8(value) for value in values)
    if where.text:
        changed["text"] = _utf8(where.text)
    return replace(where, **changed) if changed else where


def _utf8(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
