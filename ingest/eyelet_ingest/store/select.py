"""Filter → (sql, params). Pure: opens nothing, knows no path. The one place where a filter becomes SQL."""

import json
from dataclasses import dataclass

from eyelet_ingest.errors import BadInput


@dataclass(frozen=True, slots=True)
class Filter:
    """What to look for. Empty means no condition; several values of one field are alternatives (OR).

    `since_us` and `until_us` are microseconds since 1970 UTC, half-open: since ≤ event < until.
    `contexts` are given names (made safe by the search). `src` values match the name itself and what lies
    below its dots; with a trailing `*` they are plain text prefixes. `text` is looked for as a substring of
    the payload, without regard to ASCII case.
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
    errors: bool = False
    text: str = ""

    def on_rows(self) -> bool:
        """Whether anything beyond time and context is asked for."""
        return bool(self.errors or self.text or any(getattr(self, name) for name in (*_EQUAL, "src")))


# Fields whose values are compared as they are; the names are columns of `hooks`.
_EQUAL = ("hook_type", "tool_name", "session_id", "status", "agent", "model", "git_branch")
TEXT_MAX_CHARS = 10_000
PATTERN_MAX_BYTES = 50_000  # SQLite refuses longer LIKE patterns
VALUES_MAX = 200  # alternatives of one field; SQLite's expressions end at a depth of 1,000
_AFTER_ALL = "\U0010ffff"


def conditions(where: Filter, *, by_time: bool = False) -> tuple[list[str], list[object]]:
    """The filter's conditions on a row of `hooks`, without time and context, each value bound.

    `by_time` keeps SQLite from using the index on src, so that rows are met in order of time.
    """
    clauses: list[str] = []
    params: list[object] = []
    for column in (*_EQUAL, "src"):
        if len(getattr(where, column)) > VALUES_MAX:
            raise BadInput("search", reason=f"more than {VALUES_MAX} values of {column}", hint="ask in parts")
    for column in _EQUAL:
        values = getattr(where, column)
        if values:
            clauses.append(f"{column} = ?" if len(values) == 1 else f"{column} in ({', '.join('?' * len(values))})")
            params += values
    if where.src:
        clauses.append("(" + " or ".join(_src_condition(value, params) for value in where.src) + ")")
        if by_time:
            clauses[-1] = clauses[-1].replace("src", "+src")
    if where.errors:
        clauses.append("error = 1")
    if where.text:
        patterns = _text_patterns(where.text)
        clauses.append("(" + " or ".join(["data like ? escape '!'"] * len(patterns)) + ")")
        params += patterns
    return clauses, params


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


def _src_condition(value: str, params: list[object]) -> str:
    """`hero.proc` is itself and what lies below it, never `hero.process`; `hero.pro*` is a plain prefix."""
    if value.endswith("*"):
        prefix = value[:-1]
        params += [prefix, prefix + _AFTER_ALL]
        return "(src >= ? and src < ?)"
    params += [value, value + ".", value + "/"]
    return "(src = ? or (src >= ? and src < ?))"


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
