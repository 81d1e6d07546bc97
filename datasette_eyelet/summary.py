"""What happened, in one line: the command, the file, the prompt. Pure; takes payloads that are cut."""

from collections.abc import Iterable, Mapping

from datasette_eyelet.json_text import Path, leaves

MAX_LEAVES = 400

# A tool's input says what it does under one of these names; the first that is there counts.
_INPUT_KEYS = (
    "command",
    "cmd",
    "file_path",
    "notebook_path",
    "pattern",
    "url",
    "query",
    "description",
    "skill",
    "question",
    "path",
    "prompt",
    "content",
)

# What an event without a tool is about, in order of preference. `prompt` of UserPromptSubmit, `message` of
# Notification, `last_assistant_message` of Stop, … (docs/search.md has the table).
_EVENT_KEYS = (
    "prompt",
    "last_assistant_message",
    "error_details",
    "error",
    "message",
    "msg",
    "task_subject",
    "compact_summary",
    "summary",
    "lastPrompt",
    "aiTitle",
    "customTitle",
    "prUrl",
    "content",
    "text",
    "reason",
    "file_path",
    "new_cwd",
    "directory",
    "worktree_path",
    "to_model",
    "command",
    "source",
    "trigger",
    "subtype",
    "operation",
    "agent_type",
    "name",
)

# Members that every event has and that say nothing about this one.
_COMMON = frozenset(
    (
        "session_id",
        "sessionId",
        "transcript_path",
        "agent_transcript_path",
        "cwd",
        "hook_event_name",
        "hookEventName",
        "permission_mode",
        "prompt_id",
        "promptId",
        "uuid",
        "parentUuid",
        "logicalParentUuid",
        "timestamp",
        "version",
        "gitBranch",
        "isSidechain",
        "userType",
        "type",
        "agent_id",
        "agentId",
        "requestId",
        "tool_use_id",
        "tool_name",
        "isMeta",
        "slug",
        "entrypoint",
        "messageId",
        "stop_hook_active",
        "isSnapshotUpdate",
    )
)

# What a list inside a tool's input is about: the first todo, the first question.
_NESTED_KEYS = ("content", "question", "title", "text")

_BLOCKS = ("text", "thinking", "content")


def summarise(data: str) -> str:
    """The gist of the payload whose JSON text, perhaps cut, is `data`: as long as it is, empty where it has none."""
    found: dict[Path, str] = {}
    for count, (path, value) in enumerate(leaves(data)):
        if count == MAX_LEAVES:
            break
        found.setdefault(path, value)
    if ("_raw",) in found and ("_why",) in found:
        return f"not readable as JSON: {found['_why',]}"
    return _of_tool(found) or _of_message(found) or _of_event(found) or _members(found, ())


def _of_tool(found: Mapping[Path, str]) -> str:
    """The tool's input, and after a failure the error."""
    said = _input(found, ("tool_input",)) or _input(found, ("toolArgs",))
    if not said:
        return ""
    error = found.get(("error",), "").strip()
    return f"{said} → {error}" if error else said


def _of_message(found: Mapping[Path, str]) -> str:
    """A transcript record's message: its text, else the tools it calls, else the results it brings."""
    whole = found.get(("message", "content"))
    if whole is not None:
        return whole
    inside = [path for path in found if path[:2] == ("message", "content") and len(path) > 3]
    for name in _BLOCKS:
        for path in inside:
            if len(path) == 4 and path[3] == name and found[path].strip():
                return found[path]
    for path in inside:
        if path[3:] == ("name",):
            return f"{found[path]} {_input(found, (*path[:3], 'input'))}".strip()
    for path in inside:
        if path[3] == "content" and path[-1] == "text" and found[path].strip():
            return found[path]
    return ""


def _of_event(found: Mapping[Path, str]) -> str:
    if ("command_name",) in found:
        return f"/{found['command_name',]} {found.get(('command_args',), '')}".strip()
    for inside in ((), ("payload",), ("data",), ("attachment",)):
        for key in _EVENT_KEYS:
            value = found.get((*inside, key), "")
            if value.strip() and value != "null":
                return value
    return ""


def _input(found: Mapping[Path, str], where: Path) -> str:
    for key in _INPUT_KEYS:
        value = found.get((*where, key), "")
        if value.strip():
            return value
    inside = (path for path in found if path[: len(where)] == where and path[-1] in _NESTED_KEYS)
    for path in inside:
        return found[path]
    return _members(found, where)


def _members(found: Mapping[Path, str], where: Path) -> str:
    """`name=value` of the members below `where` that are not common to all events."""
    below = ((path, value) for path, value in found.items() if path[: len(where)] == where and len(path) > len(where))
    return _joined(
        (".".join(str(part) for part in path[len(where) :]), value)
        for path, value in below
        if where or not (path[0] == "message" or path[0] in _COMMON or path[-1] in _COMMON)
    )


def _joined(members: Iterable[tuple[str, str]]) -> str:
    return " ".join(f"{name}={value}" for (name, value), _ in zip(members, range(8), strict=False))
