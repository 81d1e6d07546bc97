"""The rows of one session as a partition gives them: what a story needs of each, and no more of a payload than that."""

from functools import partial
from typing import Any, NamedTuple

from eyelet_ingest.store import select
from eyelet_ingest.store.catalog import Part
from eyelet_ingest.store.fanout import Lent
from eyelet_ingest.store.search import Search
from eyelet_ingest.store.witnesses import (
    COLUMNS,
    COLUMNS_OF_SEVERAL,
    ID_OF_ONE,
    INPUT,
    IS_OF_ONE_CALL,
    IS_OF_SEVERAL,
    IS_UNNAMED,
    Witness,
)

SAID_CHARS = 32_768  # of a payload that may say something: a prompt that is longer is told by its beginning
# Tools that are about one file, by their names in lower case: those that only look, and those that change it.
READS = ("read", "read_file", "view", "notebookread", "view_image")
WRITES = (
    *("edit", "multiedit", "write", "notebookedit", "write_file", "replace", "create", "str_replace", "insert"),
    *("apply_patch", "str_replace_editor", "str_replace_based_edit_tool", "search_replace", "edit_file"),
)
STARTERS = (
    "Task",
    "Agent",
    "task",
    "agent",
    "delegate_to_agent",
    "spawn_agent",
    "Subagent",
)  # tools that start a subagent

_FILES = (
    *("$.tool_input.file_path", "$.tool_input.notebook_path", "$.tool_input.path", "$.tool_input.filePath"),
    *("$.message.content[0].input.file_path", "$.message.content[1].input.file_path"),
    *("$.message.content[0].input.notebook_path", "$.toolCalls[0].args.file_path", "$.data.arguments.path"),
    *("$.state.input.filePath", "$.toolArgs.path"),
)
_CHILDREN = (
    "$.toolUseResult.agentId",
    "$.tool_response.agentId",
    "$.tool_response.agent_id",
    "$.state.metadata.sessionId",
)
_QUIET = ("progress", "file-history-snapshot", "queue-operation", "token_count", "function_call_output")
_ASKING = ("function_call", "custom_tool_call", "local_shell_call")


def _marks(names: tuple[str, ...]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _first_of(paths: tuple[str, ...]) -> str:
    return f"coalesce({', '.join(f'json_extract(data, {one!r})' for one in paths)})"


# What is read of a payload: nothing of what only machines read, nor of a call's question and answer, which have
# columns.
_SAID = f"""case
    when loglevel = 'debug' or hook_type in ({_marks(_QUIET)}) then null
    when lower(hook_type) glob '*permission*request*' then substr(data, 1, {SAID_CHARS})
    when origin = 'hook' and tool_name is not null and (tool_use_id is not null or {IS_UNNAMED}) then null
    when tool_use_id is not null and (role is not 'assistant' or hook_type in ({_marks(_ASKING)})) then null
    when tool_use_id is not null and json_extract(data, '$.message.content[0].type') = 'tool_use'
        and json_type(data, '$.message.content[1]') is null then null
    else substr(data, 1, {SAID_CHARS})
end"""
_FILE = f"""case
    when lower(tool_name) = 'apply_patch' and status <> 'error' then substr(data, 1, {SAID_CHARS})
    when lower(tool_name) in ({_marks((*READS, *WRITES))}) then {_first_of(_FILES)}
end"""
_CHILD = f"case when tool_name in ({_marks(STARTERS)}) then {_first_of(_CHILDREN)} end"
_COLUMNS = f"""{COLUMNS}, 1, role, loglevel, {IS_OF_ONE_CALL},
    case when {IS_UNNAMED} then {INPUT} end, {_SAID}, {_FILE}, {_CHILD}"""


class Told(NamedTuple):
    """One row: as a witness, and what else a story needs. `is_of_one`: its tool_use_id is its call; else it names
    several, or none. `given` is the input of a hook that has a call without an identifier, None for any other."""

    one: Witness
    role: object
    loglevel: object
    is_of_one: bool
    given: object
    said: object
    file: object
    child: object


class OfPart(NamedTuple):
    """What a partition has of the session: its rows in order, the calls that rows with several name, and whether there
    are more rows than were asked for."""

    rows: list[Told]
    several: list[Witness]
    is_cut: bool


def of_session(question: Search, most: int) -> Any:
    """What is asked of each partition: its first `most` rows of the session that `question` is about."""
    return partial(_rows, question=question, most=most)


def _rows(lent: Lent, part: Part, *, question: Search, most: int) -> OfPart:
    by_session = " indexed by hooks_session" if "hooks_session" in lent.indexes else ""
    in_range, params = question.in_range(part)
    # json_each has a column `id`, too.
    where = select.where_sql([*question.clauses, *(f"hooks.{clause}" for clause in in_range)])
    values = [*question.params, *params]
    sql = f"select {_COLUMNS} from hooks{by_session}{where} order by id limit ?"  # noqa: S608  our own, bound values
    found = [_told(row) for row in lent.conn.execute(sql, [*values, most + 1])]
    several: list[Witness] = []
    if found and "hooks_several" in lent.indexes:
        sql = f"""
            select {COLUMNS_OF_SEVERAL}, 1
            from hooks indexed by hooks_several, json_each(hooks.meta, '$.calls') as one
            {where} and {IS_OF_SEVERAL} and {ID_OF_ONE} is not null limit ?
        """  # noqa: S608  our own texts, bound values
        several = [Witness(*row) for row in lent.conn.execute(sql, [*values, 4 * most])]
    return OfPart(found[:most], several, len(found) > most)


def _told(row: tuple[Any, ...]) -> Told:
    width = len(Witness._fields)
    role, loglevel, is_of_one, *rest = row[width:]
    return Told(Witness(*row[:width]), role, loglevel, bool(is_of_one), *rest)
