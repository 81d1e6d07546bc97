"""What there is over all days at once, as SQL: the relations that are asked of every day, and the views made of them.

A relation is one SELECT inside each day; over all days its rows carry the day's `context_name`. It is a virtual table
where the extension is, and the union of a few attached days where it is not: `across.py` makes either. The views
(`calls`, `counts`, `sessions`, `sources`) stand on relations alone, so they are the same both ways. Nothing here opens
anything; names and SQL are our own throughout.
"""

from collections.abc import Sequence
from typing import NamedTuple

from eyelet_ingest.store import schema, statistics, text_schema
from eyelet_ingest.store.layout import DAY_US

HOUR_US = statistics.HOUR_US
TEXT_INDEX = text_schema.INDEX
WEEK_US = 7 * DAY_US  # how far a call may be from its other half, as in `calls.py`


class Relation(NamedTuple):
    """What is asked of every day. In `day_sql`, `{day}` stands for "" or for the name of an attached day and a dot.

    `columns` are (name, declared type) in the order in which `day_sql` gives them. One called `id` is a time of the
    day in microseconds: days are pruned by it.
    """

    columns: tuple[tuple[str, str], ...]
    day_sql: str


_TYPES = {
    "id": "integer",
    "uid": "blob",
    "arrived": "integer",
    "timestamp": "real",
    "error": "integer",
    "duration_ms": "real",
}
HOOKS_COLUMNS = tuple((name, _TYPES.get(name, "text")) for name in (*schema.COLUMNS, *schema.DERIVED))
CALLS_COLUMNS = (
    ("id", "integer"),
    ("session_id", "text"),
    ("call", "text"),
    ("tool_use_id", "text"),
    ("tool_name", "text"),
    ("question_id", "integer"),
    ("answer_id", "integer"),
    ("status", "text"),
    ("error", "integer"),
    ("error_code", "text"),
    ("duration_ms", "real"),
    ("agent", "text"),
    ("model", "text"),
    ("events", "integer"),
    ("witnesses", "text"),
)
VALUES_COLUMNS = (
    ("id", "integer"),
    ("hour_us", "integer"),
    ("field", "text"),
    ("value", "text"),
    ("events", "integer"),
    ("errors", "integer"),
)


_HOUR = f"id / {HOUR_US} * {HOUR_US}"
# Counted days are finished ones, all of whose hours are known.
_IS_COUNTED = "(select count(*) from {day}eyelet_hours) = 24"
# Where no hour is counted, that is asked once and not of each row.
_IS_NEW = f"""case when exists (select 1 from {{day}}eyelet_hours) then not exists (
    select 1 from {{day}}eyelet_hours known
    where known.hour = hooks.id / {HOUR_US} % 24 and known.arrived >= hooks.arrived
) else 1 end"""  # noqa: S608  our own names and numbers
_EACH_HOUR = f"""
select last_id as id, last_{_HOUR} as hour_us, field, value, events, errors from {{day}}eyelet_counts
"""  # noqa: S608
_EACH_DAY = f"""
select max(last_id) as id, min(last_{_HOUR}) as from_us, field, value, sum(events) as events, sum(errors) as errors
from {{day}}eyelet_counts group by field, value
"""  # noqa: S608
# FIELD, FIELDS, BEGIN and HOUR are put in below. A range that begins with null has no row and is not looked into, where
# SQLite would try any other condition on every row.
_READ = f"""
select max(id), min({_HOUR}), 'FIELD', FIELD, count(*), coalesce(sum(error = 1), 0) from {{day}}hooks
where FIELD is not null and BEGIN >= case when {_IS_COUNTED} then null else BEGIN_AT end and {_IS_NEW}
group by FIELD HOUR
"""  # noqa: S608
_LATE = f"""
select max(hooks.id), min(hooks.{_HOUR}), one.key, one.value, count(*), coalesce(sum(error = 1), 0)
from {{day}}hooks cross join json_each(json_object(FIELDS)) one
where arrived > case when {_IS_COUNTED} then (select min(arrived) from {{day}}eyelet_hours) end and {_IS_NEW}
    and one.value is not null
group by one.key, one.value HOUR
"""  # noqa: S608
_INDEXED = ("src", "hook_type", "tool_name", "session_id", "git_branch", "error_code")


def _read(field: str) -> str:
    """The arm that reads this column's values in a day that is not counted: in order of its index, where it has one."""
    begin, at = (field, "''") if field in _INDEXED else ("id", "0")
    return _READ.replace("BEGIN_AT", at).replace("BEGIN", begin).replace("FIELD", field)


def _counted_sql(counted: str, by_hour: bool) -> str:
    """How often each value of the counted columns occurs: statistics where they hold, rows elsewhere. A value may have
    several rows, to be added up.

    A condition on `field` leaves one of the arms that read rows. Of a day that is counted only what arrived later is
    looked at, by the order of arrival. JSON has no place for bytes, which another program may have put into a column.
    """
    fields = ", ".join(f"'{name}', iif(typeof({name}) = 'blob', null, {name})" for name in statistics.FIELDS)
    hour = f", hooks.{_HOUR}" if by_hour else ""
    arms = [_read(name) for name in statistics.FIELDS]
    return " union all ".join(arm.replace("HOUR", hour) for arm in (counted, *arms, _LATE.replace("FIELDS", fields)))


_OF_FIELD = f"""
select max(last_id) as id, min(last_{_HOUR}) as from_us, value, sum(events) as events, sum(errors) as errors
from {{day}}eyelet_counts where field = 'FIELD' group by value
union all
select max(id), min({_HOUR}), FIELD, count(*), coalesce(sum(error = 1), 0) from {{day}}hooks
where FIELD >= case when {_IS_COUNTED} then null else '' end and {_IS_NEW} group by FIELD
union all
select max(id), min({_HOUR}), FIELD, count(*), coalesce(sum(error = 1), 0) from {{day}}hooks
where arrived > case when {_IS_COUNTED} then (select min(arrived) from {{day}}eyelet_hours) end and {_IS_NEW}
group by +FIELD
"""  # noqa: S608
OF_FIELD_COLUMNS = (
    ("id", "integer"),
    ("from_us", "integer"),
    ("value", "text"),
    ("events", "integer"),
    ("errors", "integer"),
)

# The same of a whole day, for who asks for no hour: a tenth of the rows leave the day.
TOTALS_COLUMNS = (
    ("id", "integer"),
    ("from_us", "integer"),
    ("field", "text"),
    ("value", "text"),
    ("events", "integer"),
    ("errors", "integer"),
)
RELATIONS = {
    "hooks": Relation(HOOKS_COLUMNS, f"select {', '.join(name for name, _ in HOOKS_COLUMNS)} from {{day}}hooks"),  # noqa: S608
    "eyelet_calls": Relation(
        CALLS_COLUMNS,
        f"select {', '.join(name for name, _ in CALLS_COLUMNS)} from {{day}}calls",  # noqa: S608
    ),
    "eyelet_values": Relation(VALUES_COLUMNS, _counted_sql(_EACH_HOUR, by_hour=True)),
    "eyelet_totals": Relation(TOTALS_COLUMNS, _counted_sql(_EACH_DAY, by_hour=False)),
    # One column's: what the views below ask of every day is understood there in a third of the time.
    "eyelet_srcs": Relation(OF_FIELD_COLUMNS, _OF_FIELD.replace("FIELD", "src")),
    "eyelet_sessions": Relation(OF_FIELD_COLUMNS, _OF_FIELD.replace("FIELD", "session_id")),
}

# A day knows its own events: a call over midnight is in two of them. One that lacks its answer is left out here where a
# later day has more of it, and one that lacks its question gets that of the week before.
_NEXT_DAY = f"(one.id / {DAY_US} + 1) * {DAY_US}"
_CALLS = f"""
select context_name, id, session_id, call, tool_use_id, tool_name,
    coalesce(question_id, asked) as question_id, answer_id, status, error, error_code,
    coalesce(duration_ms, (answer_id - asked) / 1000.0) as duration_ms, agent, model, events, witnesses
from (
    select one.*, case when one.question_id is null and one.tool_use_id is not null then (
            select before.question_id from eyelet_calls before
            where before.context_name = one.context_name and before.session_id = one.session_id
                and before.call = one.call and before.answer_id is null
                and before.id >= one.id - {WEEK_US} and before.id < one.id / {DAY_US} * {DAY_US}
            order by before.id desc limit 1
        ) end as asked
    from eyelet_calls one
    where case when one.answer_id is null and one.tool_use_id is not null then not exists (
            select 1 from eyelet_calls after
            where after.context_name = one.context_name and after.session_id = one.session_id
                and after.call = one.call and after.id >= {_NEXT_DAY} and after.id < {_NEXT_DAY} + {WEEK_US}
        ) else 1 end
)
"""  # noqa: S608  our own names and numbers

_COUNTS = "select context_name, hour_us, field, value, events, errors, id as last_id from eyelet_values"

_DAILY = f"""
select context_name, id / {DAY_US} * {DAY_US} as day_us, field, value, events, errors, id as last_id from eyelet_totals
"""  # noqa: S608

# `+value`: sorting what the days give is less than asking all of them at once, each in order.
_SOURCES = """
select context_name, value as src, sum(events) as events, sum(errors) as errors, max(id) as last_id
from eyelet_srcs group by +context_name, +value
"""

# Counted from statistics. What is looked up in rows costs only where it is asked for, and only the days of a session.
_OF_SESSION = (
    "hooks.context_name = told.context_name and hooks.session_id = told.session_id and hooks.id >= told.from_us"
)
_LATEST = (
    f"(select hooks.{{0}} from hooks where {_OF_SESSION} and hooks.id <= told.last_id and hooks.{{0}} is not null "  # noqa: S608
    "order by hooks.id desc limit 1) as {0}"
)
_SESSIONS = f"""
select told.context_name, told.session_id,
    (select min(hooks.id) from hooks where {_OF_SESSION} and hooks.id < told.from_us + {HOUR_US}) as first_id,
    told.last_id, told.events, told.errors,
    {_LATEST.format("agent")}, {_LATEST.format("model")}, {_LATEST.format("project_dir")}
from (
    select context_name, value as session_id, min(from_us) as from_us, max(id) as last_id, sum(events) as events,
        sum(errors) as errors
    from eyelet_sessions where value <> '' group by +context_name, +value
) told
"""  # noqa: S608  our own names and numbers

VIEWS = {
    "calls": _CALLS,
    "counts": _COUNTS,
    "daily_counts": _DAILY,
    "sessions": _SESSIONS,
    "sources": _SOURCES,
}
# The columns of the views, for stubs and for who describes them.
VIEW_COLUMNS: dict[str, tuple[tuple[str, str], ...]] = {
    "calls": (("context_name", "text"), *CALLS_COLUMNS),
    "counts": (
        *(("context_name", "text"), ("hour_us", "integer"), ("field", "text"), ("value", "text")),
        *(("events", "integer"), ("errors", "integer"), ("last_id", "integer")),
    ),
    "daily_counts": (
        *(("context_name", "text"), ("day_us", "integer"), ("field", "text"), ("value", "text")),
        *(("events", "integer"), ("errors", "integer"), ("last_id", "integer")),
    ),
    "sessions": (
        *(("context_name", "text"), ("session_id", "text"), ("first_id", "integer"), ("last_id", "integer")),
        *(("events", "integer"), ("errors", "integer"), ("agent", "text"), ("model", "text"), ("project_dir", "text")),
    ),
    "sources": (
        *(("context_name", "text"), ("src", "text"), ("events", "integer"), ("errors", "integer")),
        ("last_id", "integer"),
    ),
}


def views(temp: bool = False) -> list[str]:
    """The statements that make the views; `temp` ones where the relations are temporary views themselves."""
    return [f"create {'temp ' if temp else ''}view {name} as {sql.strip()}" for name, sql in VIEWS.items()]


def stub(name: str, is_of_roots: bool = False) -> str:
    """The statement that makes an empty table with the columns of a relation or view: what a catalogue reads where the
    rows come from a temporary view of the same name. Events of several roots say of which they are."""
    if name in VIEW_COLUMNS:
        columns: tuple[tuple[str, str], ...] = VIEW_COLUMNS[name]
    else:
        columns = (("context_name", "text"), *RELATIONS[name].columns)
    if is_of_roots:
        columns = (*columns, ("root", "text"))
    key = f", primary key (context_name, id{', root' if is_of_roots else ''})" if name == "hooks" else ""
    return f"create table {name} ({', '.join(f'{column} {kind}' for column, kind in columns)}{key})"


def virtual_table(name: str, roots: Sequence[str], contexts: Sequence[str], max_open: int = 0) -> str:
    """The statement that makes a relation a virtual table over every day of these roots (absolute paths), of these safe
    contexts alone where some are given. So many days stay open at most; as many as the extension likes where 0."""
    relation = RELATIONS[name]
    if name == "hooks":
        arguments = ["table='hooks'"]
    else:
        columns = ", ".join(f"{column} {kind}" for column, kind in relation.columns)
        arguments = [f"sql={quoted(relation.day_sql.format(day=''))}", f"columns={quoted(columns)}"]
    arguments += [f"root={quoted(root)}" for root in roots]
    arguments += [f"context={quoted(context)}" for context in contexts]
    if max_open:
        arguments.append(f"max_open={max_open:d}")
    return f"create virtual table {name} using eyelet_partitions({', '.join(arguments)})"


def text_index(roots: Sequence[str], contexts: Sequence[str]) -> str:
    """The statement that makes the text index over the same days, whose rowids are those of `hooks` on the same
    connection. It finds what no day's index holds yet, too. Datasette and sqlite-utils find it by `content="hooks"`."""
    arguments = ['content="hooks"', f"version={text_schema.TEXT_VERSION:d}"]
    arguments += [f"columns={quoted(', '.join(text_schema.TEXT_COLUMNS))}", f"text={quoted(text_schema.TEXT_SELECT)}"]
    arguments += [f"root={quoted(root)}" for root in roots]
    arguments += [f"context={quoted(context)}" for context in contexts]
    return f"create virtual table {TEXT_INDEX} using fts_eyelet({', '.join(arguments)})"


def script(extension: str, roots: Sequence[str], contexts: Sequence[str]) -> list[str]:
    """The lines that give a shell of SQLite (`sqlite3 -init FILE`) these relations and views."""
    tables = [*(virtual_table(name, roots, contexts) for name in RELATIONS), text_index(roots, contexts)]
    return [f".load {quoted(extension)}", *(f"{statement};" for statement in (*tables, *views()))]


def quoted(text: str) -> str:
    """`text` as a string of SQL."""
    doubled = text.replace("'", "''")
    return f"'{doubled}'"
