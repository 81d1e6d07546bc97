"""Generated SELECTs over the table `hooks`, each with what may be expected of its rows.

Where chance comes from is the caller's: a seeded generator for thousands of them, Hypothesis where a failure should be
made small. No statement depends on what SQLite leaves open: bare columns of a group, the order of ties, when an
expression that fails is worked out.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from tests.extension import days

T = TypeVar("T")
Below = Callable[[int], int]

COMPARISONS = ("=", "==", "<", "<=", ">", ">=", "<>", "!=", "is", "is not")
COLLATIONS = ("binary", "nocase", "rtrim")
ODD_LITERALS = (
    *("null", "0", "1", "-1", "1.5", "''", "'abc'", "x''", "x'00'", "'10'", "'1'", "2.0", "9223372036854775807"),
    *("-9223372036854775808", "9223372036854775808", "-9223372036854775809", "1e308", "-1e308", "9e999", "-9e999"),
    *("'é'", "'\U0001f600'", "cast(x'ff' as text)", "zeroblob(2)", "char(0)", "true", "'null'", "-0.0"),
)
PATTERNS = (
    *("s1%", "S%", "%", "", "s_", "a.b%", "claude.posttooluse.bash%", "claude%git", "%.git", "CLAUDE%", "a\\%c", "é%"),
    *("s1", "10%", "9%", "exit:%", "alpha", "b%", "\U0001f600%", "Bash", "[x]", "_"),
)
GLOBS = (
    *("s1*", "S*", "*", "", "s?", "a.b*", "claude.posttooluse.bash*", "*git", "[a-c]*", "[[]x]", "[^s]*", "é*", "a.b"),
    *("claude.posttooluse.bash", "?ash", "Bash*", "1*", "[*]", "s1[ ]"),
)


@dataclass(frozen=True)
class About:
    """What is asked: a table with the columns `context_name` and `id`; which are numbers, which are asked most."""

    table: str
    columns: tuple[str, ...]
    numbers: tuple[str, ...]
    often: tuple[str, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(one for one in self.columns if one not in self.numbers and one not in ("uid", "data", "meta"))


HOOKS = About(
    "hooks",
    days.COLUMNS,
    ("id", "arrived", "timestamp", "error", "duration_ms"),
    ("session_id", "src", "hook_type", "tool_name", "tool_use_id", "error", "error_code", "git_branch", "status"),
)


@dataclass(frozen=True)
class Select:
    """A statement, and how its rows compare: "rows" in any order, "order" exactly, "some" so many of those without a
    limit, which `whole` gives."""

    sql: str
    compared: str
    whole: str = ""


class Selects:
    """Makes statements. `below(n)` gives a number from 0 to n - 1; `samples` SQL literals of each column's values."""

    def __init__(self, below: Below, samples: Mapping[str, Sequence[str]], of: About = HOOKS) -> None:
        self.below, self.samples, self.of = below, samples, of

    def select(self) -> Select:
        kinds = (self._plain, self._plain, self._plain, self._grouped, self._compound, self._distinct)
        if self.of is HOOKS:
            kinds += (self._joined, self._windowed, self._wrapped, self._page)
        return self.pick(kinds)()

    def pick(self, some: Sequence[T]) -> T:
        return some[self.below(len(some))]

    def is_so(self, percent: int) -> bool:
        return self.below(100) < percent

    # What a row is asked.

    def predicate(self, name: str = "a", depth: int = 2) -> str:
        if depth and self.is_so(45):
            left, right = self.predicate(name, depth - 1), self.predicate(name, depth - 1)
            return self.pick(
                (f"({left} and {right})", f"({left} or {right})", f"not ({left})", f"({left} and {right})")
            )
        kinds = (self._compared, self._compared, self._time, self._time, self._among, self._like, self._null)
        return self.pick(
            (*kinds, self._between, self._row_value, self._expression, self._collated, self._nested, self._typed)
        )(name)

    def column(self, name: str) -> tuple[str, str]:
        """A column as SQL, and its name; more often one that has an index."""
        of = self.pick((self.of.often, self.of.often, self.of.columns, self.of.numbers))
        column = self.pick(of)
        return f"{name}.{column}", column

    def literal(self, column: str) -> str:
        if self.is_so(20):
            return self.pick(ODD_LITERALS)
        value = self.pick(self.samples[column])
        # Datasette binds what stands in an address as text.
        return f"'{value}'" if column in self.of.numbers and "'" not in value and self.is_so(25) else value

    def _compared(self, name: str) -> str:
        at, column = self.column(name)
        operator = "=" if self.is_so(35) else self.pick(COMPARISONS)
        value = self.literal(column)
        return f"{value} {operator} {at}" if self.is_so(15) else f"{at} {operator} {value}"

    def _time(self, name: str) -> str:
        """A range as pages ask for one, in microseconds or in seconds, often at the edge of a day."""
        column = self.pick(("id", "timestamp" if "timestamp" in self.of.columns else "id"))
        one, two = sorted((self._moment(), self._moment()))
        if column == "timestamp":
            one, two = one / 1e6, two / 1e6  # type: ignore[assignment]
        low, high = self.pick((">=", ">")), self.pick(("<", "<="))
        tail = f" and {name}.{column} {high} {two!r}" if self.is_so(70) else ""
        return f"({name}.{column} {low} {one!r}{tail})"

    def _moment(self) -> int:
        year, day = self.pick(days.DAYS)
        start, end = days.PartitionKey("x", year, day).bounds_us
        return self.pick(
            (start, start - 1, end - 1, end, end + 1, start + (end - start) // 2, start + self.below(9) * 10**10)
        )

    def _among(self, name: str) -> str:
        at, column = self.column(name)
        values = ", ".join(self.literal(column) for _ in range(self.below(5)))
        if self.is_so(20):
            values = f"select c.{column} from {self.of.table} c where {self.predicate('c', 0)}"
        return f"{at} {self.pick(('in', 'in', 'not in'))} ({values})"

    def _like(self, name: str) -> str:
        at = f"{name}.{self.pick(self.of.texts if self.is_so(85) else self.of.columns)}"
        no = self.pick(("", "", "not "))
        if self.is_so(50):
            return f"{at} {no}glob {_quoted(self.pick(GLOBS))}"
        escape = " escape '\\'" if self.is_so(25) else ""
        return f"{at} {no}like {_quoted(self.pick(PATTERNS))}{escape}"

    def _null(self, name: str) -> str:
        at, _ = self.column(name)
        return f"{at} {self.pick(('is null', 'is not null', 'notnull', 'is true', 'is not false'))}"

    def _between(self, name: str) -> str:
        at, column = self.column(name)
        return f"{at} {self.pick(('', 'not '))}between {self.literal(column)} and {self.literal(column)}"

    def _row_value(self, name: str) -> str:
        """As keyset paging asks, and lists of keys."""
        keys = [(self.literal("context_name"), self.literal("id")) for _ in range(1 + self.below(3))]
        if self.is_so(50):
            return f"({name}.context_name, {name}.id) {self.pick(('>', '<', '>=', '=', 'is'))} ({', '.join(keys[0])})"
        return f"({name}.context_name, {name}.id) in (values {', '.join(f'({one}, {two})' for one, two in keys)})"

    def _expression(self, name: str) -> str:
        at, column = self.column(name)
        expression = self.pick(
            ("length({})", "lower({})", "substr({}, 1, 3)", "+{}", "{} || ''", "typeof({})", "hex({})")
        )
        value = self.pick(("'text'", "'integer'", "'null'", "2", self.literal(column)))
        also = f"{name}.id % {2 + self.below(7)} = {self.below(3)}"
        return also if self.is_so(25) else f"{expression.format(at)} {self.pick(('=', '<', '>'))} {value}"

    def _collated(self, name: str) -> str:
        at, column = self.column(name)
        collation = self.pick(COLLATIONS)
        if self.is_so(30):
            return f"{at} collate {collation} in ({self.literal(column)}, {self.literal(column)})"
        return f"{at} {self.pick(COMPARISONS)} {self.literal(column)} collate {collation}"

    def _typed(self, name: str) -> str:
        """Beside a value that has an affinity of its own: a column, a cast, a subquery."""
        at, column = self.column(name)
        other = self.pick(self.of.columns)
        kind = self.pick(("integer", "text", "real", "numeric", "blob"))
        value = self.pick(
            (
                f"{name}.{other}",
                f"cast({self.literal(column)} as {kind})",
                f"cast({self.pick(('100', '1', '300', '12.25', '2'))} as {kind})",
                f"(select max(c.{other}) from {self.of.table} c where {self._compared('c')})",
            )
        )
        operator = self.pick(("=", "=", *COMPARISONS))
        return f"{value} {operator} {at}" if self.is_so(30) else f"{at} {operator} {value}"

    def _nested(self, name: str) -> str:
        if name >= "g":  # a cube of the rows is enough
            return self._compared(name)
        inner = chr(ord(name) + 3)  # a → d → g
        condition = self.predicate(inner, 0)
        if self.is_so(40):
            which = self.pick(("min", "max"))
            value = f"(select {which}({inner}.id) from {self.of.table} {inner} where {condition})"
            return f"{name}.id {self.pick(('<', '=', '>='))} {value}"
        link = f"{inner}.context_name = {name}.context_name and {inner}.id {self.pick(('>', '<', '='))} {name}.id"
        return f"{self.pick(('', 'not '))}exists (select 1 from {self.of.table} {inner} where {link} and {condition})"

    # Whole statements.

    def _columns(self, name: str = "a") -> str:
        if self.is_so(15):
            return f"{name}.*"
        some = [self.column(name)[0] for _ in range(1 + self.below(4))]
        if self.is_so(30):
            some.append(f"typeof({self.column(name)[0]})")
        return ", ".join(some)

    def _where(self, name: str = "a") -> str:
        return f" where {self.predicate(name)}" if self.is_so(85) else ""

    def _order(self, *names: str) -> str:
        """An order without ties."""
        terms = []
        if self.is_so(75):
            for _ in range(self.below(3)):
                at, _ = self.column(names[0])
                collation = f" collate {self.pick(COLLATIONS)}" if self.is_so(15) else ""
                terms.append(f"{at}{collation}{self.pick(('', ' asc', ' desc', ' desc nulls last', ' nulls last'))}")
        way = self.pick(("", " desc"))
        other = self.pick(("", " desc")) if self.is_so(25) else way
        for name in names:
            last = [f"{name}.id{way}", f"{name}.context_name{other}"]
            terms += last if self.is_so(60) else last[::-1]
            if self.of is not HOOKS:  # it has no key
                terms += [f"{name}.{column}" for column in self.of.columns]
        return f" order by {', '.join(terms)}"

    def _limit(self) -> str:
        limit = self.pick(("0", "1", "2", "7", "100", "-1", "1000000", "9223372036854775807"))
        offset = f" offset {self.pick(('0', '1', '5', '90', '-3', '100000', '9223372036854775807'))}"
        return f" limit {limit}" + (offset if self.is_so(50) else "")

    def _plain(self) -> Select:
        sql = f"select {self._columns()} from {self.of.table} a{self._where()}"
        if self.is_so(55):
            return Select(sql + self._order("a") + (self._limit() if self.is_so(60) else ""), "order")
        if self.is_so(25):
            return Select(sql + self._limit(), "some", sql)
        return Select(sql, "rows")

    def _page(self) -> Select:
        """As a table page of Datasette asks: filters, keyset, newest or by key."""
        order = self.pick(
            ("a.context_name, a.id", "a.id desc, a.context_name desc", "a.timestamp desc, a.context_name, a.id")
        )
        where = " and ".join(self.predicate("a", 0) for _ in range(1 + self.below(3)))
        return Select(f"select a.* from hooks a where {where} order by {order} limit {1 + self.below(101)}", "order")

    def _joined(self) -> Select:
        kind = self.pick(("join", "join", "left join"))
        link = self.pick(
            (
                "b.context_name = a.context_name and b.id = a.id",
                "b.session_id = a.session_id and b.context_name = a.context_name",
                "b.tool_use_id = a.tool_use_id and b.id > a.id",
                "b.id between a.id and a.id + 2",
                "b.id = a.id",
                f"b.{self.pick(self.of.often)} = a.{self.pick(self.of.numbers)}",
                f"b.{self.pick(self.of.numbers)} {self.pick(('=', '<'))} a.{self.pick(self.of.often)}",
            )
        )
        few = f"(select * from hooks where {self.pick(('error = 1', 'id % 11 = 0', 'tool_name is null'))})"
        left = few if self.is_so(70) else "hooks"
        sql = f"select {self._columns('a')}, {self._columns('b')} from {left} a {kind} hooks b on {link}"
        sql += f" where {self.predicate('a', 1)}" + (f" and {self.predicate('b', 1)}" if self.is_so(50) else "")
        if self.is_so(40):
            return Select(sql + self._order("a", "b") + (self._limit() if self.is_so(60) else ""), "order")
        return Select(sql, "rows")

    def _grouped(self) -> Select:
        keys = [self.column("a")[0] for _ in range(self.below(3))]
        if self.is_so(25):
            keys.append("a.id / 86400000000")
        pool = [
            *("count(*)", f"count({self.column('a')[0]})", f"count(distinct {self.column('a')[0]})"),
            *(f"min({self.column('a')[0]})", f"max({self.column('a')[0]})", "sum(length(a.src))", "avg(a.error = 1)"),
            f"count(*) filter (where {self.predicate('a', 0)})",
        ]
        what = [*keys, *(self.pick(pool) for _ in range(1 + self.below(3)))]
        sql = f"select {', '.join(what)} from {self.of.table} a{self._where()}"
        if keys:
            sql += f" group by {', '.join(keys)}"
            sql += f" having count(*) > {self.below(4)}" if self.is_so(30) else ""
        if not self.is_so(50):
            return Select(sql, "rows")
        order = ", ".join(f"{at + 1}{self.pick(('', ' desc'))}" for at in range(len(what)))
        return Select(f"{sql} order by {order}" + (self._limit() if self.is_so(50) else ""), "order")

    def _distinct(self) -> Select:
        some = [self.column("a")[0] for _ in range(1 + self.below(2))]
        sql = f"select distinct {', '.join(some)} from {self.of.table} a{self._where()}"
        order = ", ".join(str(at + 1) for at in range(len(some)))
        return Select(f"{sql} order by {order}", "order") if self.is_so(50) else Select(sql, "rows")

    def _compound(self) -> Select:
        columns = [self.pick(self.of.columns) for _ in range(1 + self.below(3))]
        chosen = {name: ", ".join(f"{name}.{column}" for column in columns) for name in "abc"}
        parts = [
            f"select {chosen[name]} from {self.of.table} {name} where {self.predicate(name, 1)}"
            for name in ("a", "b", "c")[: 2 + self.below(2)]
        ]
        sql = parts[0]
        for part in parts[1:]:
            sql += f" {self.pick(('union', 'union all', 'intersect', 'except'))} {part}"
        order = ", ".join(str(at + 1) for at in range(len(columns)))
        return Select(f"{sql} order by {order}", "order") if self.is_so(60) else Select(sql, "rows")

    def _windowed(self) -> Select:
        part = self.pick(("a.session_id", "a.tool_name", "a.context_name", "a.error"))
        order = self.pick(("a.id, a.context_name", "a.context_name desc, a.id desc", "a.src, a.id, a.context_name"))
        function = self.pick(
            (
                *("row_number()", "lag(a.id, 1)", "lead(a.src)", "first_value(a.id)", "count(*)", "max(a.timestamp)"),
                *("sum(length(a.src))", "ntile(3)", "nth_value(a.tool_name, 2)"),
            )
        )
        frame = self.pick(
            ("", " rows between 2 preceding and current row", " rows between unbounded preceding and 1 following")
        )
        frame = frame if not function.startswith(("row_number", "lag", "lead", "ntile")) else ""
        over = f"{function} over (partition by {part} order by {order}{frame})"
        return Select(f"select a.context_name, a.id, {over} from hooks a{self._where()}", "rows")

    def _wrapped(self) -> Select:
        """Subqueries in from, CTEs, recursion, lists of values."""
        limited = f"select a.* from hooks a{self._where()}{self._order('a')} limit {1 + self.below(60)}"
        at, column = self.column("b")
        values = ", ".join(f"({self.literal(column)})" for _ in range(3))
        matching = self.predicate("b", 0)
        return self.pick(
            (
                Select(
                    f"select count(*), min(b.id), max(b.id) from ({limited}) b where {self.predicate('b', 1)}", "rows"
                ),
                Select(f"with b as ({limited}) select b.*, d.id from b left join b d on d.id = b.id + 1", "rows"),
                Select(
                    f"with b as materialized ({limited}) select {at}, count(*) from b group by 1 order by 1, 2", "order"
                ),
                Select(
                    f"with v(x) as (values {values}) "
                    f"select v.x, b.context_name, b.id from v join hooks b on {at} {self.pick(('=', 'is', '>'))} v.x",
                    "rows",
                ),
                Select(
                    "with recursive n(i) as (select 0 union all select i + 1 from n where i < 4) "
                    f"select n.i, count(b.id) from n left join hooks b on b.error = n.i and {matching} group by 1",
                    "rows",
                ),
                Select(
                    f"select (select count(*) from hooks d where d.session_id = b.session_id) from ({limited}) b",
                    "rows",
                ),
            )
        )


def seeded(seed: int) -> Below:
    return random.Random(seed).randrange


def samples_of(plain: Any, of: About = HOOKS, most: int = 40) -> dict[str, list[str]]:
    """Literals of every column's values in the ordinary table."""
    found: dict[str, list[str]] = {}
    for column in of.columns:
        sql = (
            f"select iif(typeof({column}) = 'text', 'cast(x''' || hex({column}) || ''' as text)', quote({column})), "
            f"iif(typeof({column}) = 'text', quote({column}), '') from {of.table} "
            f"where length({column}) < 200 or {column} is null "
            f"group by {column} order by hex({column}) limit {most}"
        )
        # Text with odd bytes as its bytes; the rest readable.
        found[column] = [two if two.isprintable() and two.isascii() and two else one for one, two in plain.execute(sql)]
    assert all(found.values())
    return found


def _quoted(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"'{doubled}'"
