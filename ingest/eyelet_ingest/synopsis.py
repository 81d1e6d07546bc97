"""One line of what happened, for lists: the command, the file and what changed in it, the prompt, the answer. Pure.

Takes rows as the search gives them, also with `data` cut off in the middle: then the beginning that is there
is read, and no lines are counted. The line is recorded text and as hostile as that: whoever shows it escapes it.
"""

from collections.abc import Iterator, Mapping
from itertools import chain, islice

from eyelet_ingest import cut_json

LENGTH = 200
DEPTH = 20
LINE_BREAK = " ⏎ "

# The fields of a tool's input that say most, the best first. Other tools: those of _ANY_INPUT, else the first text.
_TOOL_INPUT = {
    "Bash": ("command",),
    "BashOutput": ("bash_id", "shell_id"),
    "KillShell": ("shell_id",),
    "Read": ("file_path",),
    "Edit": ("file_path",),
    "MultiEdit": ("file_path",),
    "Write": ("file_path",),
    "NotebookEdit": ("notebook_path",),
    "Glob": ("pattern",),
    "Grep": ("pattern",),
    "LS": ("path",),
    "Task": ("description", "prompt"),
    "Agent": ("description", "prompt"),
    "WebFetch": ("url",),
    "WebSearch": ("query",),
    "ToolSearch": ("query",),
    "Skill": ("skill", "command"),
    "SlashCommand": ("command",),
}
_ANY_INPUT = ("command", "file_path", "filePath", "absolute_path", "target_file", "path", "pattern", "url", "query")
# The tools of all agents whose line says how many lines they change, without regard to case.
_CHANGES = frozenset(
    (
        *("edit", "multiedit", "write", "notebookedit", "apply_patch", "applypatch", "patch", "replace", "write_file"),
        *("create", "create_file", "edit_file", "str_replace", "str_replace_editor", "search_replace"),
    )
)
_PATCH = "*** Begin Patch"  # Codex gives it to its shell, too
FILES_MOST = 3  # that are named
# What an event without a tool says, in order of weight.
_EVENT = (
    "prompt",
    "message",
    "last_assistant_message",
    "error_details",
    "error",
    "reason",
    "compact_summary",
    "task_subject",
    "file_path",
    "summary",
    "content",
    "msg",
    "text",
    "operation",
    "subtype",
    "aiTitle",
    "customTitle",
    "lastPrompt",
    "new_cwd",
    "directory",
    "to_model",
    "teammate_name",
    "agent_type",
    "mcp_server_name",
    "trigger",
    "source",
)
# The same inside the `data` of a progress record and inside an attachment.
_INNER = ("content", "prompt", "output", "taskDescription", "hookName", "command", "filename", "type")
_BLOCK = ("text", "thinking")
# And among the attributes of a log record of OpenTelemetry.
_ATTRIBUTES = ("error", "error.message", "prompt", "response", "body", "skill.name", "server_name", "plugin.name")
# And inside an item of a Codex rollout.
_ITEM = ("message", "text", "last_agent_message", "stderr", "aggregated_output", "reason", "unified_diff", "status")


def synopsis(row: Mapping[str, object], tool_use_id: str = "") -> str:
    """What happened, in one line of at most 200 characters; the type of the event where it says nothing. Of a record of
    several calls what `tool_use_id` was asked to do, else the first."""
    data, tool = row.get("data"), row.get("tool_name")
    payload, is_whole = cut_json.read(data)
    tool = tool if isinstance(tool, str) else ""
    if isinstance(payload, dict):
        texts = _texts(payload, tool)
        if tool_use_id:
            texts = chain(_asked(payload, tool, tool_use_id), texts)
        if is_whole and (counts_lines(row) or (isinstance(data, str) and _PATCH in data)):
            texts = chain(_changed(payload, tool, tool_use_id), texts)
    else:
        texts = iter([str(payload)] if isinstance(payload, str | int | float) else [])
    if row.get("origin") == "log":
        texts = chain(_mapped_message(row.get("meta")), texts)
    lines = (_one_line(text) for text in texts)
    line = next(filter(None, lines), "") or _one_line(str(row.get("hook_type") or ""))
    server = _server(row, tool)
    if not server:
        return line
    return _one_line(server if line in (tool, row.get("hook_type")) else f"{server}: {line}")


def of_call(question: Mapping[str, object], row: Mapping[str, object], tool_use_id: str = "") -> str:
    """What a call was asked to do, and why it failed where the row `row` of its answer says so."""
    line = synopsis(question, tool_use_id)
    if row.get("status") not in ("error", "interrupted", "denied"):
        return line
    why = synopsis({**row, "tool_name": None})
    if why.startswith(line.removesuffix("…")):  # the answer repeats what was asked, before why it failed
        return why
    asked_again, dash, rest = why.partition(" — ")
    return _one_line(f"{line} — {rest if dash and line.startswith(asked_again) else why}")


def counts_lines(row: Mapping[str, object]) -> bool:
    """Whether the line says how many lines of a file a call changes, which only a whole payload tells."""
    tool = row.get("tool_name")
    return isinstance(tool, str) and tool.lower() in _CHANGES


def _asked(payload: dict[str, object], tool: str, tool_use_id: str) -> Iterator[str]:
    """What one of several calls was asked to do."""
    from eyelet_ingest.said import said

    yield from _given_texts(tool, said(payload, tool_use_id).given, _text(payload.get("cwd")))


def _changed(payload: dict[str, object], tool: str, tool_use_id: str) -> Iterator[str]:
    """The files that a call changes, and how many lines of each came and went."""
    from eyelet_ingest.edits import edits  # most lines need neither
    from eyelet_ingest.said import said

    told = said(payload, tool_use_id)
    counts: dict[str, list[int]] = {}
    for edit in edits(tool, told.given, told.answered):
        sums = counts.setdefault(_beside(edit.path, _text(payload.get("cwd"))), [0, 0])
        sums[0] += edit.added
        sums[1] += edit.removed
    names = []
    for path, (added, removed) in islice(counts.items(), FILES_MOST):
        signs = [f"{sign}{count}" for sign, count in (("+", added), ("−", removed)) if count]
        names.append(" ".join([path, *signs]))
    if len(counts) > FILES_MOST:
        names.append(f"{len(counts) - FILES_MOST} more")
    if names:
        yield _with_failure(", ".join(names), payload)


def _with_failure(line: str, payload: dict[str, object]) -> str:
    failure = next(filter(None, _fields(payload, ("error", "error_message", "reason"))), "")
    return f"{line} — {failure}" if failure and line.strip() else line


def _server(row: Mapping[str, object], tool: str) -> str:
    """`server › tool` of a tool of MCP: in its name as Claude Code and Codex write it, else in the src, which has both
    whatever the agent; "" of other tools."""
    if tool.startswith("mcp__") and "__" in tool[5:]:
        server, name = tool[5:].split("__", 1)
        return f"{server} › {name}"
    parts = str(row.get("src") or "").split(".")
    if not tool or row.get("origin") == "log" or "mcp" not in parts[2:4]:
        return ""
    return " › ".join(parts[parts.index("mcp", 2) + 1 :][:2])


def _mapped_message(meta: object) -> Iterator[str]:
    """What a log of another shape says, where the import was told where it stands."""
    if isinstance(meta, str) and '"message"' in meta:
        meta = cut_json.read(meta)[0]
    if isinstance(meta, dict):
        yield _text(meta.get("message"))


def _texts(payload: dict[str, object], tool: str) -> Iterator[str]:
    """What the payload says, the most telling text first; blank ones among them."""
    if "_why" in payload or "_raw" in payload:  # what could not be taken as JSON, as the writer keeps it
        why = _text(payload.get("_why")).removeprefix("not JSON: ")  # one written long ago may be cut before its reason
        yield f"not readable as JSON: {why}" if why else "not readable as JSON"
    tool = tool or _text(payload.get("tool_name"))
    folder = _text(payload.get("cwd"))
    for given in ("tool_input", "toolArgs", "tool_args"):
        if given in payload:
            texts = _given_texts if isinstance(payload[given], str) else _tool_texts
            for line in texts(tool, payload[given], folder):
                yield _with_failure(line, payload)
    yield from _message_texts(payload.get("message"), folder)
    yield from _item_texts(payload.get("payload"), folder)
    yield from _record_texts(payload, tool, folder)
    yield from _fields(payload, _EVENT)
    yield from _chat_texts(payload, folder)
    for inner in (payload.get("data"), payload.get("attachment")):
        if isinstance(inner, dict):
            yield from _message_texts(inner.get("message"), folder)
            yield from _fields(inner, _INNER)
    yield _text(payload.get("type"))


def _tool_texts(tool: str, given: object, folder: str) -> Iterator[str]:
    """What a tool was asked to do."""
    if not isinstance(given, dict):
        yield _text(given)
        return
    for name in _TOOL_INPUT.get(tool, _ANY_INPUT):
        text = _text(given.get(name))
        if name == "command":
            yield LINE_BREAK.join(line for line in text.splitlines() if line.strip())
        elif name == "pattern" and _text(given.get("path")):
            yield f"{text} in {_beside(_text(given.get('path')), folder)}"
        else:
            yield _beside(text, folder)
    yield from _strings(given)
    yield ", ".join(f"{name}={value}" for name, value in given.items() if isinstance(value, int | float))
    yield tool


def _message_texts(message: object, folder: str) -> Iterator[str]:
    """What a record of a transcript says: its text, the tool it calls, the answer it got."""
    if not isinstance(message, dict):
        return
    inner = message.get("message")  # a subagent's progress wraps its message in another
    content = inner.get("content") if isinstance(inner, dict) else message.get("content")
    for block in content if isinstance(content, list) else [content]:
        if not isinstance(block, dict):
            yield _text(block)
            continue
        yield from _fields(block, _BLOCK)
        if "input" in block:
            yield from _tool_texts(_text(block.get("name")), block["input"], folder)
        yield from _strings(block.get("content"))
        if block.get("type") == "image":
            yield "an image"


def _item_texts(item: object, folder: str) -> Iterator[str]:
    """What an item of a Codex rollout says, and one inside it: the command, the answer, the text."""
    if not isinstance(item, dict):
        return
    inner = item.get("item")
    for one in (inner, item) if isinstance(inner, dict) else (item,):
        for given in (one.get("arguments"), one.get("action"), one.get("invocation")):
            yield from _given_texts(_text(one.get("name")), given, folder)
        yield from _given_texts("", {"command": one.get("command")}, folder)
        yield _text(one.get("input"))
        yield from _strings(_answered(one.get("output")))
        yield from _fields(one, _ITEM)
        yield from chain(_strings(one.get("content")), _strings(one.get("summary")), _strings(one.get("query")))
    info = item.get("info")
    total = info.get("total_token_usage") if isinstance(info, dict) else None
    if isinstance(total, dict) and isinstance(total.get("total_tokens"), int):
        yield f"{total['total_tokens']} tokens so far"
    yield from _fields(item, ("model", "cwd", "type"))


def _answered(output: object) -> object:
    """What a tool answered, without what is said of it before."""
    if not isinstance(output, str):
        return output
    if output.startswith(("Exit code: ", "Wall time: ", "Chunk ID: ")):
        return output.partition("Output:\n")[2] or output
    inner = cut_json.read(output)[0] if output.startswith('{"output"') else None
    return inner.get("output") if isinstance(inner, dict) else output


def _given_texts(tool: str, given: object, folder: str) -> Iterator[str]:
    """What a tool was given: an object, or one as JSON in a text; a command may be a list of words."""
    if isinstance(given, str) and given[:1] == "{":
        given = cut_json.read(given)[0] or given
    if not given:
        return
    command = given.get("cmd", given.get("command")) if isinstance(given, dict) else None
    if isinstance(command, list):
        words = [word for word in command if isinstance(word, str)]
        command = words[-1] if len(words) == 3 and words[1] in ("-lc", "-c") else " ".join(words)
    if isinstance(command, str):
        yield from _tool_texts("Bash", {"command": command}, folder)
    yield from _tool_texts(tool, given, folder)


def _record_texts(payload: dict[str, object], tool: str, folder: str) -> Iterator[str]:
    """What a log record of OpenTelemetry, a part of OpenCode's or an event of a session of Copilot's says."""
    attributes, state, data = payload.get("attributes"), payload.get("state"), payload.get("data")
    if isinstance(attributes, dict) and "resource" in payload:
        parameters = attributes.get("tool_parameters")
        opened = cut_json.read(parameters)[0] if isinstance(parameters, str) else None
        if isinstance(opened, dict):
            yield from _fields(opened, ("full_command", "bash_command", "mcp_tool_name", "skill_name", "subagent_type"))
        for name in ("tool_input", "arguments", "function_args"):
            yield from _given_texts(tool, attributes.get(name), folder)
        yield from _fields(attributes, _ATTRIBUTES)
        body = payload.get("body")
        yield from (text for text in _strings(body) if " " in text)
        yield " ".join(filter(None, _fields(attributes, ("tool_name", "function_name", "decision", "model", "status"))))
    if isinstance(state, dict):
        failure = _text(state.get("error"))
        for line in _given_texts(tool, state.get("input"), folder):
            yield f"{line} — {failure}" if failure and line.strip() else line
    if isinstance(data, dict) and "parentId" in payload:
        yield from _given_texts(_text(data.get("toolName")), data.get("arguments"), folder)
        error, result = data.get("error"), data.get("result")
        for inner in (error, result, data):
            if isinstance(inner, dict):
                yield from _fields(inner, ("message", "content", "detailedContent", "kind"))
        requests = data.get("toolRequests")
        for request in requests if isinstance(requests, list) else ():
            if isinstance(request, dict):
                yield from _given_texts(_text(request.get("name")), request.get("arguments"), folder)
        yield from _fields(data, ("agentName", "reason", "errorReason", "shutdownType", "cwd", "sessionId"))
    error = payload.get("error")
    if isinstance(error, dict):
        yield from _strings(error.get("data", error.get("message")))
    message = payload.get("chatMessage")
    if isinstance(message, dict):
        yield from chain(_strings(message.get("content")), _strings(message))
    if isinstance(payload.get("command"), str):
        yield from _tool_texts("Bash", {"command": payload["command"]}, folder)


def _chat_texts(message: dict[str, object], folder: str) -> Iterator[str]:
    """What a message of a Gemini CLI chat says besides its text: its parts, the tools it called."""
    if isinstance(message.get("content"), list | dict):
        yield from _strings(message["content"])
    calls = message.get("toolCalls")
    for call in calls if isinstance(calls, list) else ():
        if isinstance(call, dict):
            yield from _given_texts(_text(call.get("name")), call.get("args"), folder)
            yield _text(call.get("name"))


def _fields(holder: dict[str, object], names: tuple[str, ...]) -> Iterator[str]:
    return (_text(holder.get(name)) for name in names)


def _strings(value: object, levels: int = DEPTH) -> Iterator[str]:
    """The texts inside, in order, the keys left out, not deeper than `levels`."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        value = [item for key, item in value.items() if key != "type"]
    if isinstance(value, list) and levels:
        for item in value:
            yield from _strings(item, levels - 1)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _beside(path: str, folder: str) -> str:
    """The path as seen from the session's folder: a list is narrow, and the end of a path says most."""
    inside = folder.rstrip("/") + "/"
    return path[len(inside) :] if len(inside) > 1 and path.startswith(inside) else path


def _one_line(text: str) -> str:
    line = " ".join(text[: LENGTH * 10].split())
    if len(line) > LENGTH:
        line = line[: LENGTH - 1].rstrip() + "…"
    # Half of a pair may stand where `data` was cut; no encoding could say it.
    return line if line.isascii() else line.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def payload_of(data: object) -> object:
    """The value of a payload's JSON, or of as much of it as is there where it was cut; None where it is none."""
    return cut_json.read(data)[0]
