"""The text index of a day, as SQL that lives in the day's file: the only DDL of it, and what its words are made of.

Nothing of it is made when a day is: catch-up makes it (`text_index.py`), and a day without it is searched all the same.
A change of the rules of `hooks_text` is a higher `TEXT_VERSION`; what was made by another one is dropped and made anew.
What is text and what is none is said in docs/text.md; the shapes are those of docs/agents.md and docs/events.md.
"""

from typing import Any

from eyelet_ingest.errors import PartitionUnreadable

TEXT_VERSION = 1
# The first is where most text is: in FTS5 every other one costs two bytes for each word of a row.
TEXT_COLUMNS = ("output", "command", "path", "prompt", "answer", "error", "other")
_RULED = ("command", "path", "prompt", "answer", "output", "error", "other")  # 1 to 7 in the rules below
INDEX, VIEW, KEYS = "hooks_fts", "hooks_text", "eyelet_text_keys"
GONE, WIDE, TERMS = "eyelet_text_gone", "eyelet_text_wide", "eyelet_text_terms"
TRIGGERS = ("eyelet_text_put", "eyelet_text_changed", "eyelet_text_deleted")
SHADOWS = tuple(f"{INDEX}_{part}" for part in ("data", "idx", "docsize", "config"))
NAMES = (INDEX, *SHADOWS, VIEW, KEYS, GONE, WIDE, TERMS, *TRIGGERS)
WATERMARK, VERSION_KEY, MERGED_KEY, FINISHED_KEY = "text:arrived", "text:version", "text:merged", "text:finished"
BEFORE_ALL = -(2**63)  # the watermark of an index that holds nothing
TOKENIZE = "unicode61 remove_diacritics 2"

# Scripts that are written without spaces, or with few: unicode61 makes one word of a whole sentence. First and last of
# each block (https://www.unicode.org/Public/UNIDATA/Blocks.txt).
WIDE_BLOCKS = (
    (0x0E00, 0x0FFF),  # Thai, Lao, Tibetan
    (0x1000, 0x109F),  # Myanmar
    (0x1100, 0x11FF),  # Hangul Jamo
    (0x1780, 0x17FF),  # Khmer
    (0x1950, 0x1AAF),  # Tai Le, New Tai Lue, Buginese, Tai Tham
    (0x2E80, 0xA4CF),  # radicals, kana, bopomofo, Han, Yi
    (0xA960, 0xAADF),  # Hangul Jamo extended A, Javanese, Cham, Myanmar extended, Tai Viet
    (0xAC00, 0xD7FF),  # Hangul
    (0xF900, 0xFAFF),  # Han, compatibility
    (0xFF66, 0xFFDC),  # half-width kana and Hangul
    (0x1AFF0, 0x1B16F),  # kana, extended
    (0x20000, 0x3FFFF),  # Han, extensions
)


# What a name in a payload says of the text behind it: its column by number, or what stands below. Rows of a table,
# because whoever opens a day parses its views: as lists in the view they took a quarter of a millisecond.
NEVER, NO_TEXT, BY_ROLE, ARGUMENTS, CODE, NUMBER = -1, 0, 8, 9, 10, 11
_KEYS = (
    (1, "command cmd script argv commandLine command_line shell_command"),
    (
        2,
        "file_path filePath path notebook_path filename fileName file_name relative_path absolute_path dir directory "
        "dir_path folder workdir working_directory cwd new_cwd old_cwd url uri href target_file",
    ),
    (3, "prompt user_prompt userPrompt initial_prompt lastPrompt last_prompt customTitle"),
    (
        4,
        "last_assistant_message last_agent_message prompt_response thinking reasoning compact_summary summary aiTitle "
        "response_text completion",
    ),
    (
        5,
        "stdout output aggregated_output formatted_output fullOutput tool_output llmContent returnDisplay "
        "tool_response toolUseResult tool_result toolResult result resultDisplay textResultForLlm detailedContent",
    ),
    (
        6,
        "error err stderr error_message errorMessage error_details errorDetails error_type errorType exception "
        "traceback stack stacktrace stack_trace apiError failure failure_reason",
    ),
    # The contents of a file before it was edited: of another event's, or of the file's.
    (NEVER, "originalFile originalFileContents"),
    # Identifiers, and what is the same in every record; inside of what a tool was given or answered it is text.
    (
        NO_TEXT,
        "id uuid parentUuid tool_use_id toolUseId toolUseID toolCallId parentToolUseID call_id callID callId requestId "
        "messageId messageID message_id sessionID sessionId session_id parentID parent_id timestamp type role model "
        "service_tier inference_geo speed signature media_type mimeType version turn_id thread_id item_id response_id "
        "backupTime backupFileName thoughtSignature encrypted_content interactionId agentId agent_id phase stop_reason",
    ),
    (BY_ROLE, "content text message body input_text output_text refusal"),
    (ARGUMENTS, "arguments toolArgs tool_args"),
    (CODE, "exit_code exitCode exit code errno status_code statusCode error_code errorCode"),
    (NUMBER, "port number"),
)
# What an event says of itself at its top, and not of what happened: it has a column of its own, or says nothing.
_ENVELOPE = (
    "session_id sessionId sessionID session transcript_path agent_transcript_path cwd hook_event_name hookEventName "
    "permission_mode permissionMode tool_use_id toolUseId toolUseID parentToolUseID uuid parentUuid logicalParentUuid "
    "sourceToolAssistantUUID requestId request_id messageId message_id promptId prompt_id timestamp version userType "
    "gitBranch conversation_id conversationId generation_id turn_id thread_id cursor_version type role model id time "
    "agent_id agentId parentId parent_id ts epoch _raw hostname pid projectHash lastUpdated startTime"
)
# Where the same row may say the same; to the letter, it is text once.
_TWINS = {
    "newString": "$.tool_input.new_string",
    "oldString": "$.tool_input.old_string",
    "content": "$.tool_input.content",
    "filePath": "$.tool_input.file_path",
    "stdout": "$.message.content[0].content",
    "aggregated_output": "$.payload.stdout",
    "formatted_output": "$.payload.aggregated_output",
}


def key_rows() -> list[tuple[str, int | None, int | None, str | None]]:
    """The rows of `eyelet_text_keys`: name, 0 where it is no text at a payload's top, what it is elsewhere, twin."""
    kinds = {name: kind for kind, names in _KEYS for name in names.split()}
    tops = dict.fromkeys(_ENVELOPE.split(), NO_TEXT)
    names = sorted({*kinds, *tops, *_TWINS})
    return [(name, tops.get(name), kinds.get(name), _TWINS.get(name)) for name in names]


# A payload may be made to cost: of one that is larger, and of what lies deeper, all is `other`; only near the beginning
# is a twin looked for, and only of the first thousand parts of a message whether they are an error (each look walks).
BIG, DEEPEST, TWINS_UPTO = 1_000_000, 300, 20_000
# Base64 has no line shorter than that: a list of short names, a line each, or of hashes, is text.
BASE64_LINE = 59
# SQLite before 3.46 spells a path `$.tool_input`, later ones `$."tool_input"`: no pattern may tell them apart.
_KIND = f"""
    case
        when t.parent is null then iif(t.type = 'text', 7, 6)
        when r.top = {NO_TEXT} and t.path = '$' and (hooks.origin <> 'log' or t.type <> 'text') then null
        when t.type not in ('text', 'integer', 'real') then iif(t.key glob '*/*', 2, 7)
        when r.kind = {NEVER} and t.path not glob '*nput*'
            or t.id < {TWINS_UPTO} and t.atom = json_extract(hooks.data, r.twin) and t.path not glob '*nput*'
            or t.atom glob '[[]the same as /*]' and instr(hooks.meta, '"repeated"')
            or length(t.atom) > 200 and (
                t.atom glob 'data:*;base64,*' and instr(trim(t.atom), ' ') = 0
                or t.atom not glob '*[^A-Za-z0-9+/=_' || char(10, 13) || '-]*' and coalesce(r.kind, 7) > 2
                    and length(t.atom) > {BASE64_LINE} * (length(t.atom) - length(replace(t.atom, char(10), '')))
                    and (instr(t.atom, char(10)) = 0 or t.atom glob '*[^0-9a-fA-F' || char(10, 13) || ']*')
            ) then null
        when big.value or length(t.path) > {DEEPEST} then 7
        when r.kind between 1 and 7 then r.kind
        when r.kind = {CODE} or t.path glob '*.error' or t.path glob '*.err' then 6
        when r.kind = {NUMBER} then 7
        when t.path glob '*.command' or t.path glob '*.cmd' then 1
        when t.path glob '*.filenames' or t.path glob '*.paths' or t.path glob '*.files' then 2
        when r.kind = {ARGUMENTS} then iif(t.atom glob '*"c*m*d":*', 1, 7)
        when t.path glob '*nput*' or t.path glob '*rgs*' or t.path glob '*rguments*' or t.path glob '*.action*' then 7
        when t.key = 'content' and t.path glob '*.content[[]*]'
            then iif(t.path not glob '*[[]????*]' and json_extract(hooks.data, t.path || '.is_error'), 6, 5)
        when t.path glob '*esponse*' or t.path glob '*esult*' or t.path glob '*utput*' or t.path glob '*llmContent*'
            or t.path glob '*.content[[]*].content*' then 5
        when r.kind = {NO_TEXT} and hooks.origin <> 'log' then null
        when r.kind = {BY_ROLE} or typeof(t.key) = 'integer'
            then case
                when hooks.role = 'user' then 3
                when hooks.role = 'assistant' or hooks.hook_type glob '[aA]fterAgent*' then 4
                else 7
            end
        else 7
    end
"""
# What an agent asked a tool for may come as JSON in a text. Of other JSON in a text the escapes are undone, as `\nword`
# would else be another word: in what is JSON or, cut short, looks like it, for `[E] C:\new` is none. `\\` waits aside
# meanwhile, as a character that no text has (a noncharacter of Unicode). The row's own error, which stands in `meta`,
# is put in at the payload's root.
_TEXT = r"""
    nullif(coalesce(case
        when t.parent is null and t.type <> 'text' then json_extract(hooks.meta, '$.execution.error_message')
        when t.type not in ('text', 'integer', 'real') then null
        when t.atom not glob '[[{]*' then t.atom
        when r.kind = 9 and json_valid(t.atom)
            then (select group_concat(n.atom, char(10)) from json_tree(t.atom) as n where n.type in ('text', 'integer'))
        when instr(t.atom, '\') and (json_valid(t.atom) or t.atom glob '[[{]["{' || char(10, 13) || ']*') then
            replace(replace(replace(replace(replace(replace(replace(t.atom,
                '\\', char(64976)), '\n', char(10)), '\r', char(13)), '\t', char(9)), '\"', '"'), '\/', '/'),
                char(64976), '\')
            || iif(json_valid(t.atom) and instr(t.atom, '\u'), (
                select coalesce(char(10) || group_concat(n.atom, char(10)), '') from json_tree(t.atom) as n
                where n.type = 'text' and n.atom glob '*[^ -~]*'
            ), '')
        else t.atom
    end || iif(t.key glob '*[/ ]*', char(10) || t.key, ''), iif(t.key glob '*[/ ]*', t.key, '')), '')
"""
_LISTED = ", ".join(
    f"group_concat(said, char(10)) filter (where kind = {_RULED.index(name) + 1}) as {name}" for name in TEXT_COLUMNS
)
# A day whose `data` another program made no JSON of has rows without text, and all the same an index.
_SELECT = f"""
    select id, {_LISTED}
    from (
        select hooks.id, k.value as kind, {_TEXT} as said
        from hooks, json_each(length(hooks.data) > {BIG}) as big,
            json_tree(iif(json_valid(hooks.data), hooks.data, '""')) as t
            left join {KEYS} as r on r.key = t.key, json_each({_KIND}) as k
        where t.type = 'text' or t.parent is null or t.key glob '*[/ ]*'
            or t.type in ('integer', 'real')
                and (r.kind in ({CODE}, {NUMBER}) or t.path glob '*nput*' or hooks.origin = 'log')
    )
    group by id
"""  # noqa: S608  our own names
_UPTO = f"(select value from eyelet_partition where key = '{WATERMARK}')"  # noqa: S608  our own name


def _spelt(value: object) -> str:
    return "null" if value is None else f"'{value}'" if isinstance(value, str) else str(value)


# The same for a day that has no view, or another version's: `id` and the columns of text, every row of `hooks` once.
TEXT_SELECT = (
    f"with {KEYS}(key, top, kind, twin) as (values "
    + ", ".join(f"({', '.join(map(_spelt, row))})" for row in key_rows())
    + f") {_SELECT}"
)
DDL = (
    f"create table {KEYS} (key text primary key, top integer, kind integer, twin text) without rowid",
    f"create view {VIEW} as {_SELECT}",
    # The comment is what Datasette and sqlite-utils look for to find a table's index: detect_fts of both asks for
    # content="hooks" in sqlite_master (datasette/utils/__init__.py, sqlite_utils/db.py).
    f"""
    create virtual table {INDEX} using fts5 /* content="hooks" */ (
        {", ".join(TEXT_COLUMNS)}, content='{VIEW}', content_rowid='id', tokenize='{TOKENIZE}'
    )
    """,
    f"create table {GONE} (id integer primary key)",
    f"create table {WIDE} (id integer primary key)",
    # What changes a row that is in the index, by whatever program. The first is for `insert or replace`, which deletes
    # without calling the others, and for rows that claim to have arrived earlier.
    f"""
    create trigger {TRIGGERS[0]} before insert on hooks
    when new.arrived <= {_UPTO}
        or exists (select 1 from hooks where id = new.id or uid = new.uid or arrived = new.arrived)
    begin
        insert or ignore into {GONE} select id from hooks where id = new.id or uid = new.uid or arrived = new.arrived;
        insert or ignore into {GONE} select new.id where new.arrived <= {_UPTO};
    end
    """,  # noqa: S608  our own names
    f"""
    create trigger {TRIGGERS[1]} after update of id, arrived, hook_type, origin, role, data, meta on hooks
    when old.arrived <= {_UPTO} or new.arrived <= {_UPTO}
    begin
        insert or ignore into {GONE} values (old.id), (new.id);
    end
    """,  # noqa: S608  our own names
    f"""
    create trigger {TRIGGERS[2]} after delete on hooks when old.arrived <= {_UPTO}
    begin
        insert or ignore into {GONE} values (old.id);
    end
    """,  # noqa: S608  our own names
)
TERMS_DDL = f"create table {TERMS} (term text primary key) without rowid"
FILL_TERMS = (
    f"create virtual table temp.eyelet_text_vocabulary using fts5vocab('main', '{INDEX}', 'row')",
    f"insert or ignore into {TERMS} select term from temp.eyelet_text_vocabulary",  # noqa: S608  our own names
    "drop table temp.eyelet_text_vocabulary",
)


def create(conn: Any) -> None:
    """Make the empty index of a day, after whatever there was of it. Inside a transaction.

    PartitionUnreadable where another program's table has its name, as `sqlite-utils enable-fts` calls one on `hooks`.
    """
    drop(conn)
    if names := taken(conn):
        path = conn.execute("pragma database_list").fetchone()[2]
        how = "`sqlite-utils disable-fts` drops it" if INDEX in names else "drop it, or give it another name"
        hint = f"{how}; until then text is found by reading"
        raise PartitionUnreadable("index the text of", path, f"another program has made {min(names)} there", hint)
    for statement in DDL:
        conn.execute(statement)
    conn.executemany(f"insert into {KEYS} values (?, ?, ?, ?)", key_rows())  # noqa: S608  our own name
    keep = "insert or replace into eyelet_partition values (?, ?)"
    conn.executemany(keep, [(VERSION_KEY, TEXT_VERSION), (WATERMARK, BEFORE_ALL)])


def taken(conn: Any) -> set[str]:
    """Names of ours that are another program's here, its index with the tables under it, in small letters. They are let
    be: it may write to them, and what is in them is not ours. (What is called `eyelet_…` is ours.)"""
    sql = "select lower(name), type, coalesce(sql, '') from sqlite_master where lower(name) in (?, ?, ?, ?, ?, ?)"
    there = {name: (kind, said) for name, kind, said in conn.execute(sql, (INDEX, VIEW, *SHADOWS)).fetchall()}
    view, index = there.pop(VIEW, None), there.get(INDEX)
    found = set() if index is not None and VIEW in index[1] else set(there)
    return found | ({VIEW} if view is not None and (view[0] != "view" or KEYS not in view[1]) else set())


def drop(conn: Any) -> bool:
    """Take the index out of a day, whatever there is of it; False where there was nothing. Inside a transaction.

    A SQLite without FTS5 cannot drop the index itself, and empties the tables under it.
    """
    marks = ", ".join("?" * len(NAMES))
    there = dict(conn.execute(f"select name, type from sqlite_master where name in ({marks})", NAMES))  # noqa: S608
    conn.execute("delete from eyelet_partition where key glob 'text:*'")
    for name in taken(conn):
        there.pop(name, None)
    for name in (*TRIGGERS, INDEX, VIEW, KEYS, GONE, WIDE, TERMS):
        if name in there:
            try:
                conn.execute(f"drop {there[name]} {name}")
            except conn.OperationalError as bad:
                if "no such module" not in str(bad):
                    raise
                for shadow in SHADOWS:
                    conn.execute(f"delete from {shadow}")  # noqa: S608  our own names
    return bool(there)
