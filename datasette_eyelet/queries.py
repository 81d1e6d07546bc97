"""The canned queries of a day, written once: names, texts, parameters and SQL; those over all days are in `ready.py`.

Datasette 0.65 asks for them with its hook `canned_queries` whenever it needs them (`canned`). 1.0 keeps them, with
what `describe` says of the day, in its internal database: `add_to` when a day is mounted, `remove_from` when it goes.

Every parameter may be missing: Datasette binds '' then, and the SQL falls back on its default.
"""

import json
from typing import Any

from datasette_eyelet import compat, describe
from datasette_eyelet.scope import scope_of
from eyelet_ingest.store import ready
from eyelet_ingest.store.ready import Query

_LIMIT = "limit case when cast(:limit as integer) > 0 then cast(:limit as integer) else {default} end"
_TIME = "strftime('%Y-%m-%d %H:%M:%f', hooks.timestamp, 'unixepoch') as time_utc"
# One line of what happened: the first field of the payload that says something, else its beginning.
_SAID = (
    "tool_input.command",
    "tool_input.file_path",
    "tool_input.pattern",
    "tool_input.url",
    "tool_input.query",
    "tool_input.description",
    "prompt",
    "message.content[0].text",
    "message.content",
    "message",
    "last_assistant_message",
    "summary",
    "reason",
    "source",
)
_WHAT = """substr(replace(replace(coalesce(
        {fields},
        hooks.data
    ), char(10), ' '), char(13), ' '), 1, 200) as what""".format(
    fields=",\n        ".join(f"json_extract(hooks.data, '$.{field}')" for field in _SAID)
)

# Range on the index (src, id): itself and what lies below its dots, '/' being the character after '.'. The range
# of one value ends at the value with a NUL behind; of a plain prefix at the last character there is.
_BY_PREFIX = f"""
with asked (src) as (
    select coalesce(nullif(:src, ''), '*')
),
ranges (low, high) as (
    select src, src || char(0) from asked where src not like '%*'
    union all
    select src || '.', src || '/' from asked where src not like '%*'
    union all
    select substr(src, 1, length(src) - 1), substr(src, 1, length(src) - 1) || char(1114111)
    from asked where src like '%*'
),
found (id) as (
    select hooks.id from ranges cross join hooks on hooks.src >= ranges.low and hooks.src < ranges.high
    order by hooks.id desc
    {_LIMIT.format(default=100)}
)
select
    hooks.id,
    {_TIME},
    hooks.src,
    hooks.hook_type,
    hooks.status,
    hooks.session_id,
    {_WHAT}
from found cross join hooks on hooks.id = found.id
order by found.id desc
"""  # noqa: S608  our own fragments; what is asked for is bound

_ERRORS = f"""
select
    hooks.id,
    {_TIME},
    hooks.error_code,
    hooks.tool_name,
    hooks.hook_type,
    hooks.session_id,
    json_extract(hooks.meta, '$.execution.error_message') as error_message,
    {_WHAT}
from hooks
where hooks.error = 1
order by hooks.id desc
{_LIMIT.format(default=100)}
"""  # noqa: S608  our own fragments

_SESSION = f"""
select
    hooks.id,
    {_TIME},
    hooks.hook_type,
    hooks.tool_name,
    hooks.status,
    hooks.duration_ms,
    hooks.tool_use_id,
    {_WHAT}
from hooks
where hooks.session_id = coalesce(
        nullif(:session_id, ''),
        (select latest.session_id from hooks latest where latest.session_id <> '' order by latest.id desc limit 1)
    )
    and hooks.id > cast(:after as integer)
order by hooks.id
{_LIMIT.format(default=1000)}
"""  # noqa: S608  our own fragments

_TOOLS = f"""
select
    tool_name,
    count(*) as events,
    count(case when error = 1 then 1 end) as error_events,
    count(distinct tool_use_id) as calls,
    count(distinct case when error = 1 then tool_use_id end) as failed_calls,
    round(avg(duration_ms), 1) as avg_duration_ms,
    max(duration_ms) as max_duration_ms
from hooks
where tool_name is not null
group by tool_name
order by calls desc, events desc, tool_name
{_LIMIT.format(default=100)}
"""  # noqa: S608  our own fragments

_SLOWEST = f"""
with found (id) as (
    select id from hooks
    where duration_ms is not null
    order by duration_ms desc, id desc
    {_LIMIT.format(default=100)}
)
select
    hooks.id,
    {_TIME},
    hooks.duration_ms,
    hooks.tool_name,
    hooks.status,
    hooks.src,
    hooks.session_id,
    {_WHAT}
from found cross join hooks on hooks.id = found.id
order by hooks.duration_ms desc, hooks.id desc
"""  # noqa: S608  our own fragments

# Both counts read an index alone: the narrowest there is, and that of the errors.
_HOURLY = """
with recursive hours (number, start_us) as (
    select 0, value from eyelet_partition where key = 'start_us'
    union all
    select number + 1, start_us + 3600000000 from hours where number < 23
),
counted (hour, events) as (
    select id / 3600000000, count(*) from hooks group by 1
),
failed (hour, error_events) as (
    select id / 3600000000, count(*) from hooks where error = 1 group by 1
)
select
    strftime('%Y-%m-%d %H:%M', hours.start_us / 1000000, 'unixepoch') as hour_utc,
    coalesce(counted.events, 0) as events,
    coalesce(failed.error_events, 0) as error_events
from hours
left join counted on counted.hour = hours.start_us / 3600000000
left join failed on failed.hour = hours.start_us / 3600000000
order by hours.number
"""

# The internal database of 1.0. Trusted: whoever may see the day may run them, whether or not other SQL; they only read.
# A query that a user stored under such a name is the user's.
_ADD_QUERY = """
insert into queries (database_name, name, sql, title, description, parameters, options, is_trusted, source)
values (?, ?, ?, ?, ?, ?, '{"hide_sql": true}', 1, 'plugin')
on conflict (database_name, name) do update set
    sql = excluded.sql,
    title = excluded.title,
    description = excluded.description,
    parameters = excluded.parameters,
    options = excluded.options
where queries.source = 'plugin'
"""
_REMOVE_QUERY = "delete from queries where database_name = ? and name = ? and source = 'plugin'"
_ADD_FACTS = (
    "insert or ignore into metadata_databases (database_name, key, value) values (?, ?, ?)",
    "insert or ignore into metadata_resources (database_name, resource_name, key, value) values (?, ?, ?, ?)",
    "insert or ignore into metadata_columns (database_name, resource_name, column_name, key, value) "
    "values (?, ?, ?, ?, ?)",
)
_REMOVE_FACTS = (
    "delete from metadata_databases where database_name = ? and key = ? and value = ?",
    "delete from metadata_resources where database_name = ? and resource_name = ? and key = ? and value = ?",
    "delete from metadata_columns where database_name = ? and resource_name = ? and column_name = ? and key = ? "
    "and value = ?",
)

QUERIES = (
    Query(
        "by_prefix",
        "By source",
        "The newest events of one src and of what lies below its dots: hero.proc finds hero.proc.worker and not "
        "hero.process. A star at the end makes it a plain prefix: hero.proc* finds both. Without src: every event. "
        "limit: how many, 100 unless given.",
        ("src", "limit"),
        _BY_PREFIX.strip(),
    ),
    Query(
        "errors",
        "Errors",
        "The newest events that failed, with what is known of the reason. limit: how many, 100 unless given.",
        ("limit",),
        _ERRORS.strip(),
    ),
    Query(
        "session",
        "One session",
        "What happened in a session on this day, in order. Without session_id: the session of the day's last event. "
        "after: the id of the last event already seen, to go on from there. limit: how many, 1000 unless given.",
        ("session_id", "after", "limit"),
        _SESSION.strip(),
    ),
    Query(
        "tools",
        "Calls of each tool",
        "Events and calls of each tool. One call may be several events, before and after it and in the transcript; "
        "calls are told apart by tool_use_id, and events without one are in no call. limit: how many tools, 100 "
        "unless given.",
        ("limit",),
        _TOOLS.strip(),
    ),
    Query(
        "slowest",
        "Slowest",
        "The events that took longest, of those whose payload says how long. limit: how many, 100 unless given.",
        ("limit",),
        _SLOWEST.strip(),
    ),
    Query(
        "hourly",
        "Hour by hour",
        "Events, and those that failed, in each hour of the day (UTC).",
        (),
        _HOURLY.strip(),
    ),
)


def queries_of(name: str) -> tuple[Query, ...]:
    """Those of the database of this name: of a day, or over days."""
    return QUERIES if scope_of(name) is None else ready.QUERIES


def canned(name: str) -> dict[str, dict[str, Any]]:
    """The queries as the hook `canned_queries` of Datasette 0.65 gives them; made anew, since Datasette adds to it."""
    return {
        query.name: {
            "sql": query.sql,
            "title": query.title,
            "description": query.description,
            "params": list(query.parameters),
            "hide_sql": True,
        }
        for query in queries_of(name)
    }


async def add_to(datasette: Any, name: str) -> None:
    """Enter the queries and the description of the day mounted as `name` in the internal database of Datasette 1.0,
    in one transaction; what a site says itself of this day stays. In 0.65 there is nothing to do."""
    await compat.write_internal(datasette, [(_ADD_QUERY, _rows(name)), *zip(_ADD_FACTS, _facts(name), strict=True)])


async def remove_from(datasette: Any, name: str) -> None:
    """Undo `add_to`, in one transaction. Nothing else is removed, and nothing where it was not called."""
    rows = [(name, query.name) for query in queries_of(name)]
    await compat.write_internal(datasette, [(_REMOVE_QUERY, rows), *zip(_REMOVE_FACTS, _facts(name), strict=True)])


def _rows(name: str) -> list[tuple[object, ...]]:
    return [
        (name, query.name, query.sql, query.title, query.description, json.dumps(query.parameters))
        for query in queries_of(name)
    ]


def _facts(name: str) -> tuple[list[tuple[object, ...]], ...]:
    """What `describe` says of the day, as rows of the internal tables of databases, of tables and of columns."""
    said = describe.database(name)
    tables = said["tables"]
    return (
        [(name, key, value) for key, value in said.items() if key != "tables"],
        [
            (name, table, key, value)
            for table, facts in tables.items()
            for key, value in facts.items()
            if key in describe.TEXTS
        ],
        [
            (name, table, column, "description", text)
            for table, facts in tables.items()
            for column, text in facts.get("columns", {}).items()
        ],
    )
