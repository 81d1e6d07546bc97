"""Whether two connections answer a statement alike."""

import math
import re
from collections import Counter
from typing import Any

from eyelet_ingest.store import connect
from tests.extension.selects import Select

Rows = list[tuple[Any, ...]]
# A number that equals a column.
_NUMBER = r"cast\((?:[^()]|\([^()]*\))* as (?:integer|real|numeric)\)"
_EQUAL = re.compile(rf"({_NUMBER} (?:==?|is(?! not)) )(\w+\.\w+)|(\w+\.\w+)( (?:==?|is(?! not)) {_NUMBER})")


def as_an_ordinary_table_understands(sql: str) -> str:
    """The same statement, in which no number beside a column lets SQLite take the column for one value.

    It leaves such a column out of an order, a group, a partition. But as a number '100' and '1e2' are equal,
    and as texts two values: SQLite 3.40.1 and 3.53.4 give an ordinary table's rows in the wrong order then, and the
    virtual table's in the right one.
    """
    return _EQUAL.sub(lambda found: f"{found[1]}+{found[2]}" if found[1] else f"+{found[3]}{found[4]}", sql)


def difference(virtual: Any, plain: Any, one: Select) -> str:
    """What is wrong with the virtual table's answer; "" where it is as the ordinary one's."""
    mine, theirs = answer(virtual, one.sql), answer(plain, as_an_ordinary_table_understands(one.sql))
    if isinstance(mine, str) or isinstance(theirs, str):
        if isinstance(mine, str) and isinstance(theirs, str):
            return ""
        return f"{_short(mine)} and not {_short(theirs)}"
    if one.compared == "order":
        return "" if mine == theirs else f"{_first_difference(mine, theirs)}"
    counted = Counter(mine)
    if one.compared == "some":
        whole = answer(plain, as_an_ordinary_table_understands(one.whole))
        surplus = counted - Counter(whole)
        return (
            ""
            if len(mine) == len(theirs) and not surplus
            else f"{len(mine)} rows and not {len(theirs)}; not there: {_short(surplus)}"
        )
    expected = Counter(theirs)
    if counted == expected:
        return ""
    surplus, lack = _short(counted - expected), _short(expected - counted)
    return f"{len(mine)} rows and not {len(theirs)}; too many: {surplus}; too few: {lack}"


def answer(conn: Any, sql: str) -> Rows | str:
    """The rows, or SQLite's error."""
    try:
        return [tuple(map(_plain, row)) for row in conn.execute(sql)]
    except connect.driver().Error as bad:
        return str(bad)


def _plain(value: Any) -> Any:
    """One kind of value is told from another: text from blobs by Python's types, and infinity stays."""
    return "nan" if isinstance(value, float) and math.isnan(value) else value


def _first_difference(mine: Rows, theirs: Rows) -> str:
    for at, (one, other) in enumerate(zip(mine, theirs, strict=False)):
        if one != other:
            return f"row {at} of {len(mine)} is {_short(one)} and not {_short(other)} of {len(theirs)}"
    return f"{len(mine)} rows and not {len(theirs)}"


def _short(thing: object) -> str:
    text = repr(thing)
    return text if len(text) < 600 else text[:600] + "…"
