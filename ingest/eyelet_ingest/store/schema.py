"""The only DDL: the schema's steps, append-only, and what it means for a file to be of this version.

`pragma user_version` counts the steps a partition has taken. A step that has been released is never edited; a fresh
file takes all steps, an older one those it lacks, each in one transaction. Plain code: the hook imports this file. It
is longer than other files because a released step stays for ever.
"""

import time

from eyelet_ingest.errors import PartitionNewer, PartitionUnreadable
from eyelet_ingest.store.connect import is_passing, remedy, transaction

TYPE_CHECKING = False  # importing typing costs the hook more than its insert
if TYPE_CHECKING:
    from typing import Any

APPLICATION_ID = 0x45794C74  # "EyLt" in the header of every partition

COLUMNS = (
    "id",
    "uid",
    "arrived",
    "timestamp",
    "session_id",
    "hook_type",
    "tool_name",
    "tool_use_id",
    "status",
    "src",
    "loglevel",
    "error",
    "origin",
    "agent",
    "agent_id",
    "role",
    "model",
    "duration_ms",
    "project_dir",
    "hostname",
    "ip_address",
    "data",
    "meta",
)
DERIVED = ("error_code", "git_branch")
PROBE_AGAIN_MS = 20  # a program that makes a table anew may be between its two steps
# What every partition of this version answers; a table made anew by another program has not kept generated columns.
_OLDER_PROBES = (
    f"select {', '.join((*COLUMNS, *DERIVED))} from hooks limit 0",  # noqa: S608  our own names
    "select key, value from eyelet_partition limit 0",
)
_PROBES = (
    *_OLDER_PROBES,
    "select hour from eyelet_hours limit 0",
    "select hour from eyelet_counts limit 0",
)


def insert_of(names: "tuple[str, ...]", rows: int = 1) -> str:
    """The statement that inserts so many rows of these columns of ours."""
    one = f"({', '.join('?' * len(names))})"
    return f"insert into hooks ({', '.join(names)}) values {', '.join([one] * rows)}"  # noqa: S608  our own names


INSERT = insert_of(COLUMNS)

# rowid tables append the id to every index entry, so an index on (src) serves (src, id).
_STEP_1 = (
    """
    create table eyelet_partition (
        key text primary key,
        value
    ) without rowid
    """,
    """
    create table hooks (
        id integer primary key,
        uid blob unique,
        arrived integer,
        timestamp real not null default ((julianday('now') - 2440587.5) * 86400.0)
            constraint "timestamp is in seconds since 1970 UTC" check (typeof(timestamp) = 'real'),
        session_id text not null default '',
        hook_type text not null,
        tool_name text,
        tool_use_id text,
        status text default 'ok',
        src text not null default '',
        loglevel text default 'info',
        error integer default 0,
        origin text default 'log',
        agent text,
        agent_id text,
        role text,
        model text,
        duration_ms real,
        project_dir text,
        hostname text,
        ip_address text,
        data text not null default '{}' constraint "data is JSON" check (json_valid(data)),
        meta text not null default '{}' constraint "meta is JSON" check (json_valid(meta)),
        error_code text generated always as (json_extract(meta, '$.execution.error_code')) virtual,
        git_branch text generated always as (json_extract(meta, '$.git.branch')) virtual
    )
    """,
    "create unique index hooks_arrived on hooks (arrived)",
    "create index hooks_session on hooks (session_id)",
    "create index hooks_src on hooks (src)",
    "create index hooks_type on hooks (hook_type)",
    "create index hooks_tool on hooks (tool_name) where tool_name is not null",
    "create index hooks_tool_use on hooks (tool_use_id) where tool_use_id is not null",
    "create index hooks_error on hooks (error) where error = 1",
    "create index hooks_error_code on hooks (error_code) where error_code is not null",
    "create index hooks_branch on hooks (git_branch) where git_branch is not null",
    # A row made by hand has no uid: it gets one, its place in time, and its place in the order of arrival.
    """
    create trigger hooks_by_hand after insert on hooks when new.uid is null
    begin
        select raise(abort, 'timestamp lies outside the UTC day of this partition')
            where cast(round(new.timestamp * 1000000.0) as integer) not between
                (select value from eyelet_partition where key = 'start_us')
                and (select value from eyelet_partition where key = 'end_us') - 1;
        update hooks set
            uid = randomblob(16),
            arrived = max(
                cast((julianday('now') - 2440587.5) * 86400000000.0 as integer),
                coalesce((select max(arrived) from hooks), 0) + 1
            ),
            id = case
                when not exists (
                    select 1 from hooks taken
                    where taken.id = cast(round(new.timestamp * 1000000.0) as integer) and taken.id <> new.id
                ) then cast(round(new.timestamp * 1000000.0) as integer)
                else (
                    select taken.id + 1 from hooks taken
                    where taken.id >= cast(round(new.timestamp * 1000000.0) as integer)
                        and not exists (select 1 from hooks next where next.id = taken.id + 1 and next.id <> new.id)
                    order by taken.id limit 1
                )
            end
        where id = new.id;
    end
    """,
)
# A row with a uid of its own is made by hand all the same; one moved on at the end of its day stays in it; and of many
# with one time each goes on where the last one went (looking from the time on is quadratic: 1.6 s for 4,000 of them).
_STEP_2 = (
    "drop trigger if exists hooks_by_hand",
    """
    create trigger hooks_by_hand after insert on hooks when new.uid is null or new.arrived is null
    begin
        select raise(abort, 'timestamp lies outside the UTC day of this partition')
            where cast(round(new.timestamp * 1000000.0) as integer) not between
                (select value from eyelet_partition where key = 'start_us')
                and (select value from eyelet_partition where key = 'end_us') - 1;
        select raise(abort, 'uid is 16 bytes, or left out')
            where new.uid is not null and not (typeof(new.uid) = 'blob' and length(new.uid) = 16);
        update hooks set
            uid = coalesce(new.uid, randomblob(16)),
            arrived = max(
                cast((julianday('now') - 2440587.5) * 86400000000.0 as integer),
                coalesce((select max(arrived) from hooks), 0) + 1
            ),
            status = coalesce(new.status, 'ok'),
            loglevel = coalesce(new.loglevel, 'info'),
            error = coalesce(new.error, 0),
            origin = coalesce(new.origin, 'log'),
            id = case
                when not exists (
                    select 1 from hooks taken
                    where taken.id = cast(round(new.timestamp * 1000000.0) as integer) and taken.id <> new.id
                ) then cast(round(new.timestamp * 1000000.0) as integer)
                else coalesce(
                    (
                        select taken.id + 1 from hooks taken
                        where taken.id >= coalesce(
                                (
                                    select latest.id from hooks latest
                                    where latest.arrived = (select max(arrived) from hooks)
                                        and latest.timestamp = new.timestamp and latest.id <> new.id
                                ),
                                cast(round(new.timestamp * 1000000.0) as integer)
                            )
                            and taken.id < (select value from eyelet_partition where key = 'end_us') - 1
                            and not exists (select 1 from hooks next where next.id = taken.id + 1 and next.id <> new.id)
                        order by taken.id limit 1
                    ),
                    (
                        select taken.id - 1 from hooks taken
                        where taken.id <= cast(round(new.timestamp * 1000000.0) as integer)
                            and not exists (select 1 from hooks prev where prev.id = taken.id - 1 and prev.id <> new.id)
                        order by taken.id desc limit 1
                    )
                )
            end
        where id = new.id;
    end
    """,
)
# Statistics of finished hours, and what ends them: a row they have counted that is deleted, changed or replaced. The
# first trigger is for `insert or replace`, which deletes without calling the others, and for rows that claim to have
# arrived earlier. What arrives later is no concern of theirs: it is counted on top. Where there are no statistics
# (every day still being written) each trigger looks into one empty table.
_STEP_3 = (
    """
    create table eyelet_hours (
        hour integer primary key,
        arrived integer not null,
        events integer not null,
        errors integer not null,
        first_id integer,
        last_id integer
    )
    """,
    """
    create table eyelet_counts (
        field text not null,
        value text not null,
        hour integer not null,
        events integer not null,
        errors integer not null,
        last_id integer not null,
        primary key (field, value, hour)
    ) without rowid
    """,
    """
    create trigger hooks_counted_insert before insert on hooks
    when exists (select 1 from eyelet_hours) and (
        new.arrived <= (select max(arrived) from eyelet_hours)
        or exists (select 1 from hooks where id = new.id or uid = new.uid or arrived = new.arrived)
    )
    begin
        delete from eyelet_counts;
        delete from eyelet_hours;
    end
    """,
    """
    create trigger hooks_counted_update after update on hooks
    when old.arrived is not null and exists (select 1 from eyelet_hours)
    begin
        delete from eyelet_counts;
        delete from eyelet_hours;
    end
    """,
    """
    create trigger hooks_counted_delete after delete on hooks
    when exists (select 1 from eyelet_hours)
    begin
        delete from eyelet_counts;
        delete from eyelet_hours;
    end
    """,
)
# Statuses that are rare: nearly all events are ok or pending, and those cost an insert two comparisons. (As `in (…)` of
# three values the same index made inserts dearer by 6 to 10 %, more than one on all statuses.)
_STEP_4 = ("create index if not exists hooks_status on hooks (status) where status <> 'ok' and status <> 'pending'",)
# Calls: what several events of one call add up to. A record that holds several calls names them in `meta.calls`, and is
# found by the index; every other is a witness of the call in its `tool_use_id`. Where a payload has none, question and
# answer pair by session, tool and input: the n-th answer that has a question before it belongs to the n-th question.
# (`most` counts the answers that had none, each `alone`: they would push all later ones back.) Where a recording has no
# times (`timed` 0), its order of questions and answers says nothing either: n-th belongs to n-th. `store/calls.py` says
# the same of many days, and a test compares them. Windows rather than groups, and the third part in a query of its own,
# so that SQLite takes a condition on the session down to its index. Short, as each opening of a day parses it: 0.13 ms.
_STEP_5 = (
    """
    create index if not exists hooks_several on hooks (session_id)
    where origin <> 'hook' and json_type(meta, '$.calls') is not null
    """,
    """
    create view if not exists call_witnesses as
    select id, session_id, tool_use_id as call, tool_use_id, tool_name,
        case
            when status = 'pending' or role = 'assistant' then 'question'
            when lower(hook_type) glob '*permission*request*' then 'note'
            when origin = 'transcript' and hook_type in ('progress', 'attachment') then 'note'
            when lower(hook_type) glob '*tool_decision' and status = 'ok' then 'note'
            else 'answer'
        end as phase,
        status, error_code, duration_ms, origin, hook_type, agent, agent_id, model, project_dir,
        json_type(meta, '$.timestamp_from') is null as timed
    from hooks
    where tool_use_id is not null and (origin = 'hook' or json_type(meta, '$.calls[0].id') is not 'text')
    union all
    select hooks.id, hooks.session_id, json_extract(one.value, '$.id'), json_extract(one.value, '$.id'),
        json_extract(one.value, '$.tool'), json_extract(one.value, '$.phase'), json_extract(one.value, '$.status'),
        json_extract(one.value, '$.error_code'), json_extract(one.value, '$.duration_ms'),
        hooks.origin, hooks.hook_type, hooks.agent, hooks.agent_id, hooks.model, hooks.project_dir,
        json_type(hooks.meta, '$.timestamp_from') is null
    from hooks, json_each(hooks.meta, '$.calls') as one
    where hooks.origin <> 'hook' and json_type(hooks.meta, '$.calls[0].id') = 'text'
        and case one.type when 'object' then json_type(one.value, '$.id') end = 'text'
    union all
    select * from (
        select id, session_id, 'at:' || min(id) over (partition by session_id, tool_name, input, timed, alone, number),
            null, tool_name, iif(asks, 'question', 'answer'), status, error_code, duration_ms, origin, hook_type, agent,
            agent_id, model, project_dir, timed
        from (
            select *, iif(not asks and most > most_before, id, 0) as alone, iif(asks, asked, answered - most) as number
            from (
                select *, max(0, max(answered - asked) over upto) as most,
                    max(0, coalesce(max(answered - asked) over before, 0)) as most_before
                from (
                    select *, sum(asks) over upto as asked, sum(not asks) over upto as answered
                    from (
                        select *, status = 'pending' as asks, json_type(meta, '$.timestamp_from') is null as timed,
                            coalesce(
                                json_extract(data, '$.tool_input'), json_extract(data, '$.toolArgs'),
                                json_extract(data, '$.command'), ''
                            ) as input
                        from hooks
                        where tool_use_id is null and tool_name is not null and origin = 'hook' and (
                            status = 'pending' or lower(hook_type) glob 'post*' or lower(hook_type) glob 'after*'
                            or lower(hook_type) = 'permissiondenied'
                        )
                    )
                    window upto as (
                        partition by session_id, tool_name, input, timed order by not (timed or asks), id
                    )
                )
                window upto as (partition by session_id, tool_name, input, timed order by not (timed or asks), id),
                    before as (upto rows between unbounded preceding and 1 preceding)
            )
        )
    )
    """,
    """
    create view if not exists calls as
    select id, session_id, call, tool_use_id, tool_name, question_id, answer_id,
        case
            when how is not null then iif(how > 2, iif(how = 4, 'denied', 'interrupted'), iif(how = 2, 'error', 'ok'))
            when id < (julianday('now') - 2440587.5) * 86400000000.0 - 3600000000 then 'unknown'
            else 'pending'
        end as status,
        how is 2 as error, error_code,
        coalesce(said_ms, iif(answered >= asked, (answered - asked) / 1000.0, null)) as duration_ms,
        agent, model, events, iif(first = last, last, first || ',' || last) as witnesses
    from (
        select id, session_id, call, row_number() over (partition by session_id, call order by id desc) as nth,
            max(tool_use_id) over whole as tool_use_id, max(tool_name) over whole as tool_name,
            min(iif(phase = 'question', id, null)) over whole as question_id,
            max(iif(phase = 'answer', id, null)) over whole as answer_id,
            min(iif(phase = 'question' and timed, id, null)) over whole as asked,
            min(iif(phase = 'answer' and timed, id, null)) over whole as answered,
            max(case when phase = 'answer' then
                case status when 'denied' then 4 when 'interrupted' then 3 when 'error' then 2 else 1 end
            end) over whole as how,
            max(iif(phase = 'answer', error_code, null)) over whole as error_code,
            max(iif(phase = 'answer' and duration_ms between 0 and 1e12, duration_ms, null)) over whole as said_ms,
            max(agent) over whole as agent, max(model) over whole as model, count(*) over whole as events,
            min(origin) over whole as first, max(origin) over whole as last
        from call_witnesses
        window whole as (partition by session_id, call)
    )
    where nth = 1
    """,
)
STEPS: "tuple[tuple[str, ...], ...]" = (_STEP_1, _STEP_2, _STEP_3, _STEP_4, _STEP_5)
VERSION = len(STEPS)
# What must be there for statistics to be believed: without its trigger a change would not have ended them.
STATISTICS = ("eyelet_counts", "eyelet_hours", "hooks_counted_delete", "hooks_counted_insert", "hooks_counted_update")
VIEWS = ("call_witnesses", "calls")


def index_statements() -> "dict[str, str]":
    """The indexes that the schema makes, by name; not those that SQLite makes by itself."""
    words = [(statement.split(), statement) for step in STEPS for statement in step]
    made = [(of[of.index("on") - 1], sql) for of, sql in words if of[0] == "create" and "index" in of[1:3]]
    return dict(made)


def make(conn: "Any", version: int) -> None:
    """The first steps, up to this version, in a database of nobody's: what a day of that version looks like."""
    for step in STEPS[:version]:
        for statement in step:
            conn.execute(statement)


def remake(conn: "Any", path: str, lacking: "tuple[str, ...]") -> "list[str]":
    """Make those indexes, triggers and views of ours again that are gone or were made otherwise: the names of those
    that were. The caller holds the day's lock. What is a table is left alone (`rebuild`). PartitionUnreadable where
    SQLite refuses, and the file is as it was then.
    """
    made = {}
    for step in STEPS[: version_of(conn)]:
        for statement in step:
            words = statement.split()
            if words[0] == "create":
                kind, name = _kind_and_name(words)
                made[name] = kind, statement
    again = [name for name in made if name in lacking and made[name][0] != "table"]
    try:
        with transaction(conn):
            for name in again:
                kind, statement = made[name]
                conn.execute(f"drop {kind} if exists {name}")
                conn.execute(statement)
            if {made[name][0] for name in again} & {"trigger"}:  # without it a change would not have ended them
                conn.execute("delete from eyelet_counts")
                conn.execute("delete from eyelet_hours")
    except conn.DatabaseError as bad:
        if isinstance(bad, conn.OperationalError) and is_passing(str(bad)):
            raise
        raise PartitionUnreadable("mend", path, str(bad), remedy(path, bad)) from bad
    return again


def _kind_and_name(words: "list[str]") -> "tuple[str, str]":
    """Of `create [unique] KIND [if not exists] NAME …`."""
    rest = [word for word in words[1:8] if word not in ("unique", "if", "not", "exists")]
    return rest[0], rest[1]


def names() -> "frozenset[str]":
    """The tables, views, indexes and triggers that are ours: what the schema makes, and the text index."""
    from eyelet_ingest.store import text_schema

    made = ("eyelet_partition", "hooks", "hooks_by_hand", *STATISTICS, *VIEWS, *index_statements())
    return frozenset((*made, *text_schema.NAMES))


def names_of_others(conn: "Any") -> "set[str]":
    """The tables, views, indexes and triggers in this file that other programs made."""
    from eyelet_ingest.store import text_schema

    ours = names() - text_schema.taken(conn)
    there = (str(name) for (name,) in conn.execute("select name from sqlite_master"))
    return {name for name in there if name not in ours and not name.startswith("sqlite_")}


NOT_OURS = "it was not made by this software; move it away"


def version_of(conn: "Any") -> int:
    """How many steps the file has taken; 0 for one that is new and empty."""
    version: int = conn.execute("pragma user_version").fetchone()[0]
    return version


def bring_up(
    conn: "Any", path: str, context: str, given: str, bounds_us: "tuple[int, int]", inserting: bool = False
) -> None:
    """Take the steps the partition at `path` lacks. The caller holds the day's lock.

    `given` is the context's name as it was given, kept inside. A file of a newer version is never changed but by rows
    that are added to it (`inserting`), where it has every column of ours and its maker allows that (`insert_from`);
    else PartitionNewer. PartitionUnreadable for a database that is not ours or is damaged, or lacks what its version
    should have: the error names it, and what to run; nothing in it is changed then.
    """
    try:
        version = version_of(conn)
        if version < 0:
            raise PartitionUnreadable("write to", path, f"its user_version is {version}", NOT_OURS)
        if version == VERSION:
            _expect_whole(conn, path, _PROBES)
            return
        if version > VERSION:
            if not (inserting and _takes_our_rows(conn)):
                reason = f"its schema is version {version}, this software knows {VERSION}"
                raise PartitionNewer("write to", path, reason, "upgrade eyelet")
            return
        if version:
            _expect_whole(conn, path, _OLDER_PROBES)
        if not _take_steps(conn, path, context, given, bounds_us):
            bring_up(conn, path, context, given, bounds_us, inserting)
    except conn.DatabaseError as bad:
        if isinstance(bad, conn.OperationalError) and is_passing(str(bad)):
            raise
        raise PartitionUnreadable("write to", path, *diagnosis(conn, path, bad)) from bad


def _take_steps(conn: "Any", path: str, context: str, given: str, bounds_us: "tuple[int, int]") -> bool:
    """All the steps the file lacks, in one transaction: whoever is stopped inside leaves the file as it was.

    False where it lacks none any more: without flock another may have been first, and of a newer version.
    """
    with transaction(conn):
        version = version_of(conn)
        if version >= VERSION:
            return False
        if not version:
            _expect_free(conn, path)
        for step in STEPS[version:]:
            for statement in step:
                conn.execute(statement)
        if version == 0:
            given = given.encode("utf-8", "replace").decode()  # a name may hold bytes that are no UTF-8
            facts = {"context": context, "given": given, "start_us": bounds_us[0], "end_us": bounds_us[1]}
            conn.executemany("insert or ignore into eyelet_partition values (?, ?)", list(facts.items()))
            conn.execute(f"pragma application_id = {APPLICATION_ID}")
        conn.execute(f"pragma user_version = {VERSION}")
    return True


def _expect_free(conn: "Any", path: str) -> None:
    """That a file without a version is nobody's database that begins like ours."""
    if conn.execute("select count(*) from sqlite_master where name = 'hooks'").fetchone()[0]:
        raise PartitionUnreadable("write to", path, "its table `hooks` was not made by this software", "move it away")
    if conn.execute("pragma application_id").fetchone()[0] not in (0, APPLICATION_ID):
        raise PartitionUnreadable("write to", path, "it is the database of another program", "move it away")


def _expect_whole(conn: "Any", path: str, probes: "tuple[str, ...]") -> None:
    """That the tables and columns of its version are there; looked at twice, then PartitionUnreadable."""
    if not _is_whole(conn, probes):
        time.sleep(PROBE_AGAIN_MS / 1000)
        if not _is_whole(conn, probes):
            raise PartitionUnreadable("write to", path, *_changed(conn, path))


def _is_whole(conn: "Any", probes: "tuple[str, ...]") -> bool:
    try:
        for statement in probes:
            conn.execute(statement)
    except conn.OperationalError as bad:
        if "no such" not in str(bad):
            raise
        return False
    return True


def _takes_our_rows(conn: "Any") -> bool:
    """Whether a file of a newer version has a place for what we insert, and its maker did not forbid it."""
    if set(COLUMNS) - _columns(conn):
        return False
    sql = "select coalesce(max(cast(value as integer)), 0) from eyelet_partition where key = 'insert_from'"
    return bool(conn.execute(sql).fetchone()[0] <= VERSION)


def _columns(conn: "Any") -> "set[str]":
    return {row[1] for row in conn.execute("pragma table_xinfo(hooks)")}


def _changed(conn: "Any", path: str) -> "tuple[str, str]":
    """What another program took out of a partition, and what puts it right."""
    tables = {name for (name,) in conn.execute("select name from sqlite_master where type = 'table'")}
    if gone := [name for name in ("hooks", "eyelet_partition") if name not in tables]:
        return f"no such table: {', '.join(gone)}", "restore the day from a back-up, or move it away"
    lacking = [name for name in (*COLUMNS, *DERIVED) if name not in _columns(conn)]
    what = [f"its table `hooks` lacks {', '.join(lacking)}"] if lacking else []
    if version_of(conn) == VERSION:
        what += [f"the table `{name}` is gone" for name in STATISTICS[:2] if name not in tables]
    if not what:
        return "another program is changing it", "try again"
    reason = f"{'; '.join(what)}: it was changed by another program, as `sqlite-utils transform` does"
    return reason, f"put it right with: eyelet rebuild {path}"


def is_ready(conn: "Any") -> bool:
    """Whether the file holds anything: one whose maker was stopped before the first commit is empty, not broken."""
    return bool(version_of(conn) or conn.execute("select count(*) from sqlite_master").fetchone()[0])


def diagnosis(conn: "Any", path: str, bad: Exception) -> "tuple[str, str]":
    """Why reading failed and what helps, as (reason, hint)."""
    try:
        version = version_of(conn)
    except conn.DatabaseError:
        version = 0
    if version > VERSION:
        return f"its schema is version {version}, this software knows {VERSION} ({bad})", "upgrade eyelet"
    if version and "no such" in str(bad):
        return _changed(conn, path)
    if "no such" in str(bad) and not version:
        return str(bad), NOT_OURS
    if "already exists" in str(bad) or "already a" in str(bad):
        return f"{bad}, and was not made by this software", "rename or drop it, or move the file away"
    return str(bad), remedy(path, bad)


def add_columns(conn: "Any", columns: "list[tuple[str, str, bool]]") -> "list[str]":
    """Give the table the generated columns it lacks, and their indexes; the names of those that were added.

    Each is (name, definition, is it indexed), checked by `columns.Column`. What is there under a name stays as it is.
    The caller holds the day's lock. The definitions are kept in `eyelet_partition`, from where `rebuild` takes them.
    """
    added = []
    with transaction(conn):
        there = _columns(conn)
        for name, definition, is_indexed in columns:
            if name not in there:
                conn.execute(f"alter table hooks add column {definition}")
                keep = "insert or replace into eyelet_partition values (?, ?)"
                conn.execute(keep, (_COLUMN_KEY + name, definition))
                added.append(name)
            if is_indexed:
                sql = f"create index if not exists {PLUGIN_INDEX}{name} on hooks ({name}) where {name} is not null"
                conn.execute(sql)
    return added


PLUGIN_INDEX = "hooks_x_"  # how the name of an index of a plugin's column begins
_COLUMN_KEY = "column:"  # in eyelet_partition, before the name of a column that a plugin added


def rebuild(conn: "Any", path: str) -> int:
    """Make the table `hooks` as it has to be where another program changed it; returns how many rows it holds.

    Every row stays, and so do columns, indexes and triggers that are not ours. The caller holds the day's lock.
    PartitionUnreadable for a file that was not made by this software or holds rows that the table cannot take; the
    file is as it was then.
    """
    version = version_of(conn)
    if not 0 < version <= VERSION:
        raise PartitionUnreadable("rebuild", path, f"it is no day of a version up to {VERSION}", "move it away")
    conn.execute("pragma foreign_keys = off")
    conn.execute("pragma legacy_alter_table = on")  # what refers to `hooks` goes on doing so
    try:
        with transaction(conn):
            return _rebuilt(conn)
    except conn.DatabaseError as bad:
        if isinstance(bad, conn.OperationalError) and is_passing(str(bad)):
            raise
        raise PartitionUnreadable("rebuild", path, str(bad), remedy(path, bad)) from bad


def _rebuilt(conn: "Any") -> int:
    """Inside a transaction: the rows of `hooks` in a fresh table of that name, with what others added to it. The text
    index goes, and is made anew by catch-up."""
    from eyelet_ingest.store import text_schema

    text_schema.drop(conn)
    table = conn.execute("select type, name, sql from sqlite_master where tbl_name = 'hooks' and sql is not null")
    attached = [(kind, name, sql) for kind, name, sql in table if kind in ("index", "trigger")]
    there = {name: kind for _, name, kind, *_ in conn.execute("pragma table_info(hooks)")}
    conn.execute("alter table hooks rename to eyelet_rebuilding")
    for kind, name, _ in attached:
        conn.execute(f"drop {kind} {_quoted(name)}")
    for name in STATISTICS[:2]:
        conn.execute(f"drop table if exists {name}")
    for step in STEPS:
        for statement in step:
            if "create table eyelet_partition" not in statement:
                conn.execute(statement)
    ours = {name for (name,) in conn.execute("select name from sqlite_master where tbl_name = 'hooks'")}
    sql = "select substr(key, ?), value from eyelet_partition where substr(key, 1, ?) = ?"
    added = dict(conn.execute(sql, (len(_COLUMN_KEY) + 1, len(_COLUMN_KEY), _COLUMN_KEY)))
    for definition in added.values():
        conn.execute(f"alter table hooks add column {definition}")
    there = {name: kind for name, kind in there.items() if name not in added}
    others = [name for name in there if name not in (*COLUMNS, *DERIVED)]
    for name in others:
        conn.execute(f"alter table hooks add column {_quoted(name)} {_quoted(there[name]) if there[name] else ''}")
    names = ", ".join(_quoted(name) for name in there if name not in DERIVED)
    conn.execute(f"insert into hooks ({names}) select {names} from eyelet_rebuilding order by id")  # noqa: S608  quoted
    conn.execute("drop table eyelet_rebuilding")
    for _, name, sql in attached:
        if name not in ours:
            conn.execute(sql)
    conn.execute(f"pragma user_version = {VERSION}")
    rows: int = conn.execute("select count(*) from hooks").fetchone()[0]
    return rows


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'
