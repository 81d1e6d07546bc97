"""One statement of somebody's own over all days: it may read, and nothing else; its mistakes are named by their place.

The connection is ours (`across.py`). SQLite asks `_authorizer` what a statement would do while it is prepared: reading,
functions and the pragmas that describe tables are allowed, everything else (writing, attaching, settings) is not.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from eyelet_ingest.errors import BadInput, EyeletError
from eyelet_ingest.store import mistakes
from eyelet_ingest.store.connect import driver

BATCH = 50  # rows at a time: each may be a payload of a megabyte
STEPS = 1_000  # of SQLite's program between two looks at the clock
_PRAGMAS = frozenset(
    (
        "table_info",
        "table_xinfo",
        "table_list",
        "index_list",
        "index_info",
        "index_xinfo",
        "function_list",
        "module_list",
    )
)
_NO_FUNCTIONS = frozenset(("load_extension", "fts3_tokenizer"))


class Plan(NamedTuple):
    """One line of SQLite's plan; `depth` is how far below others it stands."""

    depth: int
    text: str


class Statement:
    """A statement that was understood, to be run once.

    BadInput where it cannot be: what is wrong, where, and what may have been meant. `values` are bound by name;
    `lenient` binds '' to a name without a value, as Datasette does, where it is a mistake otherwise. `timeout_s` counts
    from the first row that is asked for.
    """

    def __init__(
        self,
        conn: Any,
        sql: str,
        values: Mapping[str, object],
        *,
        lenient: bool = False,
        timeout_s: float | None = None,
    ) -> None:
        self._conn, self._sql, self._timeout_s = conn, sql, timeout_s
        self._bound = _Bound(values, lenient)
        self._until_s: float | None = None
        if reason := mistakes.missing_text_index(conn, sql):
            hint = "`eyelet query search --text` finds words without it; docs/extension.md says how to build it"
            raise BadInput("SQL", reason=reason, hint=hint)
        _make_known(conn)
        conn.set_authorizer(_authorizer)
        conn.set_progress_handler(self._is_late, STEPS)
        self._check()
        self._cursor: Any = None

    @property
    def columns(self) -> list[str]:
        """The names of the columns, each once: a second `id` is called `id_2`. Runs it up to the first row."""
        return distinct([column[0] for column in self._run().description or ()])

    def rows(self) -> Iterator[tuple[object, ...]]:
        """Its rows, as SQLite finds them. EyeletError where it fails on the way, or takes longer than it may."""
        cursor = self._run()
        while True:
            with _explained(self):
                rows = cursor.fetchmany(BATCH)
            if not rows:
                return
            yield from rows

    def plan(self) -> list[Plan]:
        """How SQLite goes about it, without running it."""
        depths = {0: -1}
        lines = []
        for number, parent, _, text in self._conn.execute(f"explain query plan {self._sql}", self._bound):
            depths[number] = depths.get(parent, -1) + 1
            lines.append(Plan(depths[number], text))
        return lines

    def _run(self) -> Any:
        if self._cursor is None:
            self._until_s = None if self._timeout_s is None else time.monotonic() + self._timeout_s
            with _explained(self):
                self._cursor = self._conn.execute(self._sql, self._bound)
        return self._cursor

    def _check(self) -> None:
        """Prepares it. SQLite's own `explain` of a statement is refused as one that shows a program, not rows."""
        if "\0" in self._sql:
            raise BadInput("SQL", reason="it holds a character with the number 0", hint="write char(0)")
        if mistakes.first_word(self._sql) not in ("select", "with", "values"):
            word = mistakes.first_word(self._sql)
            what = f"it begins with {word!r}" if word else "there is no statement"
            raise BadInput(
                "SQL", reason=what, hint="write one that begins with select, with or values; nothing else runs here"
            )
        try:
            self._conn.execute(f"explain {self._sql}", self._bound).close()
        except _errors() as bad:
            raise mistakes.explained(self._conn, self._sql, str(bad)) from bad
        self._bound.check()

    def _is_late(self) -> bool:
        return self._until_s is not None and time.monotonic() > self._until_s


class _explained:
    """`with _explained(statement):` SQLite's error in the block as one of ours."""

    def __init__(self, statement: Statement) -> None:
        self._statement = statement

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, bad: BaseException | None, trace: object) -> None:
        if bad is None or not isinstance(bad, _errors()):
            return
        if str(bad) == "interrupted":
            if not self._statement._is_late():
                raise KeyboardInterrupt from bad  # Python could not raise it inside SQLite
            hint = "ask for less, by time or with limit, or give it longer"
            raise EyeletError("SQL", reason=f"stopped after {self._statement._timeout_s:g} s", hint=hint) from bad
        raise EyeletError("SQL", reason=str(bad), hint=mistakes.remedy(str(bad))) from bad


class _Bound(dict[str, object]):
    """The values of a statement's parameters, and which were asked for."""

    def __init__(self, values: Mapping[str, object], lenient: bool) -> None:
        super().__init__(values)
        self._lenient = lenient
        self._used: set[str] = set()
        self._missing: list[str] = []

    def __getitem__(self, name: str) -> object:
        self._used.add(name)
        return super().__getitem__(name)

    def __missing__(self, name: str) -> object:
        if not self._lenient and name not in self._missing:
            self._missing.append(name)
        return ""

    def check(self) -> None:
        """BadInput where a parameter has no value, or a value no parameter."""
        if unnamed := [name for name in self._missing if not name.isidentifier()]:
            raise BadInput("SQL", reason=f"the parameter ?{unnamed[0]} has no name", hint=mistakes.NAME_THEM)
        if self._missing:
            names = ", ".join(f":{name}" for name in self._missing)
            raise BadInput("SQL", reason=f"no value for {names}", hint=f"give it with -p {self._missing[0]} VALUE")
        if unused := [name for name in self if name not in self._used]:
            near = mistakes.nearest(unused[0], self._used)
            known = f"it has {', '.join(f':{name}' for name in sorted(self._used))}" if self._used else "it has none"
            hint = f"did you mean {near}?" if near else known
            raise BadInput("SQL", reason=f"the statement has no parameter :{unused[0]}", hint=hint)


def distinct(names: list[str]) -> list[str]:
    """The same names, each once: what comes again gets a number."""
    taken: set[str] = set()
    given = []
    for name in names:
        one, number = name, 1
        while one in taken:
            number += 1
            one = f"{name}_{number}"
        taken.add(one)
        given.append(one)
    return given


def _make_known(conn: Any) -> None:
    """The functions that are tables: an older SQLite declares each when it is first asked for, and asks whether it may
    make that table."""
    for name in ("json_each", "json_tree", *(f"pragma_{pragma}" for pragma in _PRAGMAS)):
        with suppress(*_errors()):  # one that this SQLite does not have
            conn.execute(f"select 1 from {name} limit 0").close()  # noqa: S608  our own names


def _errors() -> tuple[type[BaseException], ...]:
    return (driver().Error, driver().Warning)


def _authorizer(action: int, first: str | None, second: str | None, database: str | None, via: str | None) -> int:
    chosen = driver()
    if action in (chosen.SQLITE_SELECT, chosen.SQLITE_READ, chosen.SQLITE_RECURSIVE):
        return int(chosen.SQLITE_OK)
    if action == chosen.SQLITE_FUNCTION and str(second).lower() not in _NO_FUNCTIONS:
        return int(chosen.SQLITE_OK)
    if action == chosen.SQLITE_PRAGMA and str(first).lower() in _PRAGMAS:
        return int(chosen.SQLITE_OK)
    return int(chosen.SQLITE_DENY)
