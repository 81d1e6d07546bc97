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
    below its dots; with a trailing `*` they are plain text prefixes. `project_dir` values are folders, each with what
    lies below it; without a slash they are names, of any folder that is called so. `text` is a query (`text_query.py`),
    which may name fields (`text_filters.py`), or with `exact` a substring as it stands, of what an event says
    (`text_schema.py`).

    `without` are pairs of a field and a value: what the same field would find with it is left out, and what has no
    value of the field stays. Its fields are those of WITHOUT; the value of "errors" is "1".
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
    project_dir: tuple[str, ...] = ()
    loglevel: tuple[str, ...] = ()
    errors: bool = False
    text: str = ""
    exact: bool = False
    without: tuple[tuple[str, str], ...] = ()

    def within(self, day_us: tuple[int, int]) -> tuple[int, int]:
        """The part of the range that lies in these bounds: low ≤ id < high, empty where low is not less."""
        first, end = day_us
        low = first if self.since_us is None else max(first, self.since_us)
        return low, end if self.until_us is None else min(end, self.until_us)

    def on_rows(self) -> bool:
        """Whether anything beyond time and context is asked for."""
        left_out = any(field != "contexts" for field, _ in self.without)
        return bool(self.errors or self.text or left_out or any(getattr(self, name) for name in (*_EQUAL, *_TREES)))

    def left_out(self, field: str) -> tuple[str, ...]:
        """The values of this field that are left out."""
        return tuple(value for name, value in self.without if name == field)

    def minus(self) -> "tuple[Filter, Filter] | None":
        """Two filters that leave less out: what this one finds is what the first finds but for what the second does.
        None where it leaves nothing out, or of several fields, or asks for the same one."""
        columns = {field for field, _ in self.without if field != "contexts"}
        if len(columns) != 1:
            return None
        (name,) = columns
        if getattr(self, name):
            return None
        rest = tuple(pair for pair in self.without if pair[0] != name)
        taken: dict[str, Any] = {name: True if name == "errors" else tuple(dict.fromkeys(self.left_out(name)))}
        return replace(self, without=rest), replace(self, **taken, without=rest)

    def but(self, *fields: str) -> "Filter":
        """The filter without its conditions on these fields, and without what it leaves out of them."""
        changed: dict[str, Any] = {name: False if name == "errors" else () for name in fields}
        return replace(self, **changed, without=tuple(pair for pair in self.without if pair[0] not in fields))


# What people call a field, in texts and addresses → its field of Filter, all of which take several values.
NAMES = {
    "context": "contexts",
    "src": "src",
    "type": "hook_type",
    "tool": "tool_name",
    "session": "session_id",
    "status": "status",
    "error_code": "error_code",
    "branch": "git_branch",
    "agent": "agent",
    "model": "model",
    "project": "project_dir",
    "level": "loglevel",
}
# Fields whose values are compared as they are; the names are columns of `hooks`.
_EQUAL = ("hook_type", "tool_name", "session_id", "status", "agent", "model", "git_branch", "error_code", "loglevel")
_TREES = ("src", "project_dir")  # fields whose values stand for what lies below them, too
WITHOUT = ("contexts", *_EQUAL, *_TREES, "errors")
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
    for column in (*_EQUAL, *_TREES):
        if len(getattr(where, column)) > VALUES_MAX:
            raise BadInput("search", reason=f"more than {VALUES_MAX} values of {column}", hint="ask in parts")
    for column in _EQUAL:
        if values := getattr(where, column):
            clauses.append(_equal(column, values))
            params += values
    if where.src:
        clauses.append(_below(where.src, params))
    if where.project_dir:
        clauses.append(_projects(where.project_dir, params))
    if where.errors:
        clauses.append("error = 1")
    for column, left_out in _left_out(where).items():
        clauses.append(_but(column, left_out, params))
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


def _left_out(where: Filter) -> dict[str, tuple[str, ...]]:
    """What is left out, by column; contexts are no column. BadInput for a field that nothing can be left out of."""
    found: dict[str, list[str]] = {}
    for name, value in dict.fromkeys(where.without):
        if name not in WITHOUT:
            raise BadInput("search", reason=f"{name} is no field to leave out", hint=f"there are {', '.join(WITHOUT)}")
        if name != "contexts":
            found.setdefault(name, []).append(value)
    for name, values in found.items():
        if len(values) > VALUES_MAX:
            raise BadInput("search", reason=f"more than {VALUES_MAX} values of {name} left out", hint="ask in parts")
    return {name: tuple(values) for name, values in found.items()}


def _but(column: str, values: tuple[str, ...], params: list[object]) -> str:
    """Rows of other values, and of none."""
    if column == "errors":
        return "error is not 1"
    if column in _TREES:
        found = _below(values, params) if column == "src" else _projects(values, params)
        return f"not ifnull({found}, 0)"
    params += values
    if len(values) == 1:
        return f"{column} is not ?"
    return f"({column} is null or {column} not in ({', '.join('?' * len(values))}))"


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


def _projects(folders: tuple[str, ...], params: list[object]) -> str:
    return "(" + " or ".join(_project_condition(folder, params) for folder in folders) + ")"


def _project_condition(folder: str, params: list[object]) -> str:
    """`/home/me/eyelet` is the folder and what lies below it, `eyelet` every folder of that name: `/` is followed by
    `0`, and `\\` by `]`."""
    if "/" not in folder and "\\" not in folder:
        params.append(f"/{folder}/")
        return "instr('/' || replace(project_dir, '\\', '/') || '/', ?) > 0"
    cut = folder.rstrip("/\\") or folder[:1]
    below = cut if cut in ("/", "\\") else cut + "/"
    params += [cut, below, after_prefix(below), cut + "\\", cut + "]"]
    return "(project_dir = ? or (project_dir >= ? and project_dir < ?) or (project_dir >= ? and project_dir < ?))"


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
    for name in (*_TREES, *_EQUAL):
        if values := getattr(where, name):
            changed[name] = tuple(_utf8(value) for value in values)
    if where.without:
        changed["without"] = tuple(
            (name, value if name == "contexts" else _utf8(value)) for name, value in where.without
        )
    if where.text:
        changed["text"] = _utf8(where.text)
    return replace(where, **changed) if changed else where


def _utf8(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
