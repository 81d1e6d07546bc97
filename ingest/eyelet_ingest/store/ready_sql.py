"""The SQL of the ready queries (`ready.py`), put together from fragments of our own; what is asked for is bound.

It is longer than other files because every query is read beside the fragments it is made of.
"""

from eyelet_ingest.store.layout import DAY_US
from eyelet_ingest.store.statistics import HOUR_US


def moment(name: str, otherwise: str = "null") -> str:
    """The parameter as microseconds since 1970 UTC: 7d, 6h, 2026-03-20, 2026-03-20 14:05, today, yesterday."""
    # A time is one only where SQLite can read it: else NULL, and what follows counts.
    return f"""coalesce(
        case
            when :{name} glob '[0-9]*[smhdw]' then cast((julianday('now') - 2440587.5) * 86400000000 as integer)
                - cast(:{name} as integer) * case substr(:{name}, -1)
                    when 's' then 1000000 when 'm' then 60000000 when 'h' then {HOUR_US} when 'd' then {DAY_US}
                    else {7 * DAY_US}
                end
            when :{name} = 'today' then strftime('%s', 'now', 'start of day') * 1000000
            when :{name} = 'yesterday' then strftime('%s', 'now', 'start of day', '-1 day') * 1000000
            when :{name} glob '[0-9][0-9][0-9][0-9]-[0-9]*' then strftime('%s', :{name}) * 1000000
        end,
        {otherwise}
    )"""


_NEWEST = "(select id from hooks order by id desc limit 1)"


def _since(days: int) -> str:
    """From when on: `since`, else so many days before the newest event; from the beginning where `days` is 0."""
    return moment("since", f"{_NEWEST} - {days * DAY_US}" if days else "0")


# Before this; a whole day is included.
_UNTIL = f"({moment('until', str(1 << 53))} + case when length(:until) = 10 then {DAY_US} else 0 end)"


def _within(days: int, column: str = "hooks.id") -> str:
    return f"{column} >= {_since(days)} and {column} < {_UNTIL}"


_LIMIT = "limit case when cast(:limit as integer) > 0 then cast(:limit as integer) else {} end"
_TIME = "strftime('%Y-%m-%d %H:%M:%f', {} / 1000000.0, 'unixepoch') as {}"
_TIME_UTC = _TIME.format("hooks.id", "time_utc")
# One line of what happened: the first field of the payload that says something, else its beginning.
_SAID = (
    *("tool_input.command", "tool_input.file_path", "tool_input.pattern", "tool_input.url", "tool_input.query"),
    *(
        "tool_input.description",
        "tool_input",
        "prompt",
        "message.content[0].text",
        "message.content[0].input",
        "message.content",
    ),
    *("message", "last_assistant_message", "summary", "reason", "source"),
)


def _of_data(*fields: str) -> str:
    """The first of these fields of the payload that is there; nothing of what is no JSON, as others may write."""
    taken = ", ".join(f"json_extract(hooks.data, '$.{field}')" for field in fields)
    return f"case when json_valid(hooks.data) then coalesce({taken}, null) end"


def _line(text: str) -> str:
    return f"substr(replace(replace({text}, char(10), ' '), char(13), ' '), 1, 200)"


_WHAT = f"{_line(f'coalesce({_of_data(*_SAID)}, hooks.data)')} as what"
_EVENT = f"hooks.context_name, hooks.id, {_TIME_UTC}"

# What a tool was asked, as a hook, a transcript's record or a rollout's item has it.
_INPUT = """case when json_valid(hooks.data) then coalesce(
            json_extract(hooks.data, '$.tool_input'),
            (
                select json_extract(block.value, '$.input') from json_each(hooks.data, '$.message.content') block
                where case block.type when 'object' then json_extract(block.value, '$.id') end = hooks.tool_use_id
            ),
            json_extract(hooks.data, '$.toolArgs'),
            json_extract(hooks.data, '$.payload.arguments'),
            json_extract(hooks.data, '$.command'),
            json_extract(hooks.data, '$.file_path')
        ) end"""


def _of_input(*fields: str) -> str:
    """The first of these fields of a tool's input, else the input where that is a text."""
    taken = ", ".join(f"json_extract(input, '$.{field}')" for field in fields)
    return f"case when json_valid(input) and json_type(input) = 'object' then coalesce({taken}, null) else input end"


_CALL = "coalesce(nullif(hooks.session_id, '') || ' ' || hooks.tool_use_id, hooks.context_name || ' ' || hooks.id)"


# A limit that is none: SQLite then works a subquery out before what is around it, whose sorter has short texts to hold
# instead of payloads (three times as quick).
_APART = "limit -1"
# A record that asks.
_ASKS = "(hooks.status = 'pending' or hooks.role is 'assistant')"
# Of a recording without times events stand a microsecond apart: so short a time from question to answer tells nothing.
_SHORTEST_US = 1_000


def _calls_of(tools: str, days: int, subject: str) -> str:
    """A row for each call of these tools, whoever witnessed it; `subject` is what is wanted of its `input`."""
    return f"""of_events as (
    select {_CALL} as call, hooks.context_name, hooks.session_id, hooks.tool_name, hooks.id,
        hooks.error = 1 as failed, hooks.status = 'denied' as denied, {_INPUT} as input
    from hooks
    where {tools} and (hooks.tool_use_id is not null or hooks.status = 'pending') and {_within(days)}
    {_APART}
),
of_calls as (
    select call, max(session_id) as session_id, max(tool_name) as tool_name, max(id) as id, max(failed) as failed,
        max(denied) as denied, max(subject) as subject
    from (select *, {subject} as subject from of_events where input is not null or failed or denied {_APART})
    group by call
)"""  # noqa: S608  our own fragments


_TIMED_CALLS = f"""of_events as (
    select {_CALL} as call, hooks.context_name, hooks.session_id, hooks.tool_name, hooks.id, hooks.error = 1 as failed,
        {_ASKS} as asks, case when hooks.duration_ms between 0 and 1e12 then hooks.duration_ms end as said_ms
    from hooks
    where hooks.tool_name is not null and (hooks.tool_use_id is not null or hooks.status = 'pending') and {_within(7)}
    {_APART}
),
of_calls as (
    select max(context_name) as context_name, max(session_id) as session_id, max(tool_name) as tool_name, max(id) as id,
        min(id) as asked_id, max(failed) as failed, coalesce(
            max(case when not asks then said_ms end),
            case when min(case when not asks then id end) >= min(case when asks then id end) + {_SHORTEST_US}
                then (min(case when not asks then id end) - min(case when asks then id end)) / 1000.0 end
        ) as duration_ms
    from of_events group by call
)"""  # noqa: S608  our own fragments


_SHELLS = (
    *("Bash", "bash", "shell", "Shell", "exec_command", "shell_command", "local_shell", "run_shell_command"),
    *("run_terminal_cmd", "powershell"),
)
_EDITORS = (
    *("Edit", "MultiEdit", "Write", "NotebookEdit", "edit", "write", "create", "replace", "write_file", "edit_file"),
    *("search_replace", "str_replace_editor", "StrReplace"),
)


def _among(tools: tuple[str, ...]) -> str:
    return "hooks.tool_name in ({})".format(", ".join(f"'{tool}'" for tool in tools))


def _below(name: str) -> str:
    """Where the values begin that a parameter means: it, and with a star at its end all that begins so."""
    return f"substr(:{name}, 1, length(:{name}) - (:{name} glob '*[*]'))"


def _end(name: str, otherwise: str) -> str:
    """What stands behind the last of them: of a plain prefix, and of nothing, the last character there is."""
    return f"case when :{name} = '' or :{name} glob '*[*]' then char(1114111) else {otherwise} end"


# A range of the index on src: itself and what lies below its dots, '/' being the character after '.'. What is between
# (hero.proc-x) falls to the second condition. Ids alone first: a day may have to sort them.
BY_PREFIX = f"""
with found as (
    select hooks.context_name, hooks.id
    from hooks
    where hooks.src >= {_below("src")} and hooks.src < {_below("src")} || {_end("src", "'/'")}
        and (:src = '' or :src glob '*[*]' or hooks.src = :src or hooks.src >= :src || '.')
        and {_within(0)}
    order by hooks.id desc
    {_LIMIT.format(100)}
)
select {_EVENT}, hooks.src, hooks.hook_type, hooks.status, hooks.session_id, {_WHAT}
from found cross join hooks on hooks.context_name = found.context_name and hooks.id = found.id
order by hooks.id desc
"""  # noqa: S608  our own fragments; what is asked for is bound

ERRORS = f"""
select {_EVENT}, hooks.error_code, hooks.tool_name, hooks.hook_type, hooks.session_id,
    case when json_valid(hooks.meta) then json_extract(hooks.meta, '$.execution.error_message') end as error_message,
    {_WHAT}
from hooks
where hooks.error = 1 and {_within(0)}
order by hooks.id desc
{_LIMIT.format(100)}
"""  # noqa: S608

ERROR_CODES = f"""
with coded as (
    select value as error_code, sum(events) as events, sum(errors) as error_events, max(last_id) as last_id
    from counts where field = 'error_code' and {_within(30, "last_id")} group by +value
),
failed as (
    select coalesce(sum(errors), 0) as error_events, max(case when errors > 0 then last_id end) as last_id
    from counts where field = 'hook_type' and {_within(30, "last_id")}
)
select error_code, events, error_events, {_TIME.format("last_id", "last_utc")}
from (
    select error_code, events, error_events, last_id from coded
    union all
    select '(no code)', error_events - (select coalesce(sum(error_events), 0) from coded),
        error_events - (select coalesce(sum(error_events), 0) from coded), null
    from failed
)
where events > 0
order by events desc, error_code
{_LIMIT.format(100)}
"""  # noqa: S608

SESSION = f"""
select {_EVENT}, hooks.hook_type, hooks.tool_name, hooks.status, hooks.duration_ms, hooks.agent_id, hooks.tool_use_id,
    {_WHAT}
from hooks
where hooks.session_id = coalesce(
        nullif(:session_id, ''),
        (
            select session_id
            from (select session_id, id from hooks where session_id > '' order by id desc limit 1)
        )
    )
    and hooks.id > cast(:after as integer)
order by hooks.id
{_LIMIT.format(1000)}
"""  # noqa: S608

_OF_SESSION = (
    "hooks.context_name = told.context_name and hooks.session_id = told.session_id and hooks.id >= told.from_us"
)


def _latest(column: str) -> str:
    """What the session's events said last in this column, looked for in the days that it has in the range."""
    return f"""(
        select hooks.{column} from hooks where {_OF_SESSION} and hooks.id <= told.last_id and hooks.{column} is not null
        order by hooks.id desc limit 1
    )"""  # noqa: S608  our own names


SESSIONS = f"""
with told as (
    select context_name, value as session_id, min(hour_us) as from_us, max(last_id) as last_id, sum(events) as events,
        sum(errors) as error_events
    from counts where field = 'session_id' and value > '' and {_within(30, "last_id")} group by +context_name, +value
)
select context_name, session_id,
    strftime('%Y-%m-%d %H:%M:%f', (
        select min(hooks.id) from hooks where {_OF_SESSION} and hooks.id < told.from_us + {HOUR_US}
    ) / 1000000.0, 'unixepoch') as first_utc,
    {_TIME.format("last_id", "last_utc")}, events, error_events, {_latest("agent")} as agent,
    {_latest("model")} as model, {_latest("project_dir")} as project_dir, last_id
from told
where case when :project = '' then 1
    else substr({_latest("project_dir")} || '/', 1, length(rtrim(:project, '/')) + 1) = rtrim(:project, '/') || '/' end
order by last_id desc
{_LIMIT.format(100)}
"""  # noqa: S608

TOOLS = f"""
with {_TIMED_CALLS},
timed as (
    select tool_name, failed, duration_ms, count(duration_ms) over (partition by tool_name) as known,
        row_number() over (partition by tool_name order by duration_ms is null, duration_ms) as place
    from of_calls
)
select tool_name, count(*) as calls, sum(failed) as failed_calls,
    round(100.0 * sum(failed) / count(*), 1) as failed_percent,
    round(min(case when place >= 0.5 * known then duration_ms end), 1) as p50_ms,
    round(min(case when place >= 0.95 * known then duration_ms end), 1) as p95_ms,
    round(max(duration_ms), 1) as max_ms
from timed
group by tool_name
order by calls desc, tool_name
{_LIMIT.format(100)}
"""  # noqa: S608

SLOWEST = f"""
with {_TIMED_CALLS},
found as (
    select * from of_calls where duration_ms is not null order by duration_ms desc, id desc
    {_LIMIT.format(100)}
)
select context_name, id, {_TIME.format("id", "time_utc")}, round(duration_ms, 1) as duration_ms, tool_name, failed,
    (select error_code from hooks where hooks.context_name = found.context_name and hooks.id = found.id) as error_code,
    session_id,
    (
        select {_WHAT} from hooks
        where hooks.context_name = found.context_name and hooks.id = found.asked_id
    ) as what
from found
order by found.duration_ms desc, id desc
"""  # noqa: S608

HOURLY = f"""
select strftime('%Y-%m-%d %H:%M', hour_us / 1000000, 'unixepoch') as hour_utc, sum(events) as events,
    sum(errors) as error_events
from counts
where field = 'hook_type' and {_within(2, "last_id")}
group by +hour_us
order by hour_us desc
{_LIMIT.format(1000)}
"""  # noqa: S608

_FILE = _of_input("file_path", "notebook_path", "path", "filePath", "target_file", "absolute_path")
FILES = f"""
with {_calls_of(_among(_EDITORS), 7, _FILE)}
select subject as file, count(*) as calls, sum(failed) as failed_calls, count(distinct session_id) as sessions,
    {_TIME.format("max(id)", "last_utc")}
from of_calls
where subject is not null
group by subject
order by calls desc, file
{_LIMIT.format(100)}
"""  # noqa: S608

COMMANDS = f"""
with {_calls_of(_among(_SHELLS), 7, _line(_of_input("command", "cmd")))}
select subject as command, count(*) as calls, sum(failed) as failed_calls, count(distinct session_id) as sessions,
    {_TIME.format("max(id)", "last_utc")}
from of_calls
where subject is not null
group by subject
order by calls desc, command
{_LIMIT.format(100)}
"""  # noqa: S608

_PROMPT_TYPES = ("UserPromptSubmit", "userPromptSubmitted", "beforeSubmitPrompt", "BeforeAgent")
# A transcript knows prompts, too; where a hook saw one in that minute, it is the same.
PROMPTS = f"""
select {_EVENT}, hooks.session_id, hooks.project_dir,
    {_of_data("prompt", "message.content[0].text", "message.content", "text", "content")} as prompt
from hooks
where hooks.hook_type in ({", ".join(f"'{name}'" for name in (*_PROMPT_TYPES, "user"))})
    and hooks.tool_use_id is null and hooks.status = 'ok'
    and case when hooks.hook_type = 'user' then
        json_valid(hooks.data) and json_extract(hooks.data, '$.isMeta') is not 1
        and coalesce(json_extract(hooks.data, '$.message.content[0].type'), 'text') = 'text'
        and not exists (
            select 1 from hooks seen
            where seen.session_id = hooks.session_id and seen.hook_type in ('UserPromptSubmit')
                and seen.context_name = hooks.context_name
                and seen.id between hooks.id - 60000000 and hooks.id + 60000000
        )
    else 1 end
    and (:session_id = '' or hooks.session_id = :session_id)
    and {_within(0)}
order by hooks.id desc
{_LIMIT.format(100)}
"""  # noqa: S608

DENIALS = f"""
select {_EVENT}, hooks.tool_name, hooks.hook_type, hooks.session_id,
    {_line(_of_data("reason", "tool_response", "message.content[0].content", "toolDenialKind"))} as reason, {_WHAT}
from hooks
where hooks.status = 'denied' and {_within(0)}
order by hooks.id desc
{_LIMIT.format(100)}
"""  # noqa: S608

MCP_SERVERS = f"""
select substr(value, 6, instr(substr(value, 6), '__') - 1) as server, count(distinct value) as tools,
    sum(events) as events, sum(errors) as error_events, {_TIME.format("max(last_id)", "last_utc")}
from counts
where field = 'tool_name' and value >= 'mcp__' and value < 'mcp_`' and instr(substr(value, 6), '__') > 1
    and {_within(30, "last_id")}
group by server
order by events desc, server
{_LIMIT.format(100)}
"""  # noqa: S608

SUBAGENTS = f"""
select hooks.context_name, hooks.session_id, hooks.agent_id,
    max({_of_data("agent_type", "subagent_type")}) as agent_type,
    count(*) as events, sum(hooks.error = 1) as error_events, count(distinct hooks.tool_use_id) as calls,
    {_TIME.format("min(hooks.id)", "first_utc")}, {_TIME.format("max(hooks.id)", "last_utc")},
    round((max(hooks.id) - min(hooks.id)) / 1000000.0, 1) as seconds, max(hooks.id) as last_id
from hooks
where hooks.agent_id is not null and {_within(7)}
group by hooks.context_name, hooks.session_id, hooks.agent_id
order by last_id desc
{_LIMIT.format(100)}
"""  # noqa: S608

# `day` and the day before it, hour by hour so that a day that is not over is compared with as much of the other.
COMPARE = f"""
with chosen as materialized (
    select {moment("day", _NEWEST)} / {DAY_US} * {DAY_US} as day_us
),
told as materialized (
    select field, value, events, errors, hour_us,
        case when hour_us >= (select day_us from chosen) then 1 else 0 end as is_day
    from counts
    where field in ('hook_type', 'tool_name', 'session_id')
        and last_id >= (select day_us from chosen) - {DAY_US} and last_id < (select day_us from chosen) + {DAY_US}
),
until as (select max(hour_us) - {DAY_US} as hour_us from told where is_day),
lines (place, what, amount, is_day, hour_us) as (
    select 0, 'events', events, is_day, hour_us from told where field = 'hook_type'
    union all
    select 1, 'errors', errors, is_day, hour_us from told where field = 'hook_type'
    union all
    select 2, 'prompts', events, is_day, hour_us from told where field = 'hook_type' and value in ('UserPromptSubmit')
    union all
    select 4, value, events, is_day, hour_us from told where field = 'tool_name'
    union all
    select 3, 'sessions', 1, is_day, min(hour_us) from told
    where field = 'session_id' and value > '' group by value, is_day
)
select what,
    sum(case when is_day then amount else 0 end) as that_day,
    sum(case when not is_day and hour_us <= (select hour_us from until) then amount else 0 end) as day_before_by_then,
    sum(case when not is_day then amount else 0 end) as day_before
from lines
group by place, what
order by place, that_day desc, day_before desc, what
{_LIMIT.format(100)}
"""  # noqa: S608

_RULED = f"hooks.tool_name >= {_below('tool')} and hooks.tool_name < {_below('tool')} || {_end('tool', 'char(0)')}"
_RULED = _RULED.replace(":tool", "coalesce(nullif(:tool, ''), 'Bash')")
_SPOKEN = _of_input(
    *("command", "cmd", "file_path", "notebook_path", "path", "url", "query", "pattern", "skill"),
    *("description", "prompt"),
)
# The commands of a text, each between two ends of lines: what stands behind &&, ||, ;, | or an end, quoted or not.
_PARTS = "subject"
for _between in ("'&&'", "'|'", "';'", "char(13)"):
    _PARTS = f"replace({_PARTS}, {_between}, char(10))"
_PARTS = f"char(10) || {_PARTS} || char(10)"
for _ in range(3):
    _PARTS = f"replace({_PARTS}, char(10) || ' ', char(10))"
# `git push:*` is that command alone or with something behind it, as agents' rules have it; else * is anything.
_RULE = "char(10) || substr(:pattern, 1, length(:pattern) - 2)"
WOULD_DENY = f"""
with {_calls_of(_RULED, 30, f"coalesce({_SPOKEN}, input)")}
select tool_name, {_line("subject")} as what, count(*) as calls, count(distinct session_id) as sessions,
    sum(denied) as denied_then, {_TIME.format("min(id)", "first_utc")}, {_TIME.format("max(id)", "last_utc")},
    max(id) as last_id
from of_calls
where subject is not null and case
        when :pattern = '' then 1
        when :pattern glob '*:[*]' then instr({_PARTS}, {_RULE} || ' ') or instr({_PARTS}, {_RULE} || char(10))
        else subject glob replace(replace(:pattern, '[', '[[]'), '?', '[?]')
    end
group by 1, 2
order by calls desc, last_id desc
{_LIMIT.format(100)}
"""  # noqa: S608
