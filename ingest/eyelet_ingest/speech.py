"""What a record says, and what kind of saying it is: a prompt, an answer, a thought, a question for leave. Pure.

Takes the redacted payload of a hook, of a line of a transcript of any agent, or of a record of telemetry, as the
sources keep them (`sources/`, where the shapes are described and cited). A tool's call is not said here: it has columns
of its own. What is said is recorded text, and as hostile as that.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

PROMPT, ANSWER, THOUGHT = "prompt", "answer", "thought"
PERMISSION, COMPACTION, SESSION, SUBAGENT = "permission", "compaction", "session", "subagent"
ERROR, STOPPED, NOTE, QUIET, TITLE = "error", "stopped", "note", "quiet", "title"
BLOCKS_MOST = 1_000  # of one message

Record = dict[str, Any]


class Said(NamedTuple):
    """`kind` is one of those above; QUIET is what only machines read, TITLE what the session is called. `name` is the
    prompt's own identifier where it has one."""

    kind: str
    text: str = ""
    name: str = ""


# The type of a hook, in lower case → its kind, and the fields that may hold its text.
_HOOKS: dict[str, tuple[str, tuple[str, ...]]] = {
    **dict.fromkeys(("userpromptsubmit", "userpromptsubmitted", "beforesubmitprompt"), (PROMPT, ("prompt",))),
    "beforeagent": (PROMPT, ("prompt",)),
    **dict.fromkeys(
        ("stop", "agentstop", "subagentstop"), (ANSWER, ("last_assistant_message", "lastAssistantMessage"))
    ),
    "afteragent": (ANSWER, ("prompt_response",)),
    "afteragentresponse": (ANSWER, ("text",)),
    "afteragentthought": (THOUGHT, ("text",)),
    "agent-turn-complete": (ANSWER, ("last-assistant-message",)),
    **dict.fromkeys(("precompact", "postcompact", "precompress"), (COMPACTION, ("compact_summary", "trigger"))),
    "permissionrequest": (PERMISSION, ("message", "reason")),
    **dict.fromkeys(("sessionstart", "sessionend", "setup"), (SESSION, ("reason", "source", "trigger"))),
    "subagentstart": (SUBAGENT, ("description", "task", "agent_type", "subagent_type", "agentName")),
    **dict.fromkeys(("stopfailure", "erroroccurred"), (ERROR, ("error_details", "error"))),
    "interrupt": (STOPPED, ("reason",)),
    **dict.fromkeys(
        ("beforemodel", "aftermodel", "beforetoolselection", "posttoolbatch", "messagedisplay"), (QUIET, ())
    ),
    "notification": (NOTE, ("message",)),
}
_NOTES = (
    "message",
    "reason",
    "file_path",
    "new_cwd",
    "to_model",
    "task_subject",
    "trigger",
    "source",
    "directory",
    "name",
)
_QUIET_RECORDS = frozenset(
    (
        *(
            "progress",
            "file-history-snapshot",
            "queue-operation",
            "last-prompt",
            "mode",
            "permission-mode",
            "cost-state",
        ),
        *("token_count", "turn_context", "session_state", "state", "world_state", "task_started", "turn_started"),
        *("set", "step-start", "step-finish", "snapshot", "patch", "function_call_output", "custom_tool_call_output"),
        *(
            "assistant.turn_start",
            "assistant.turn_end",
            "assistant.usage",
            "session.info",
            "ghost_snapshot",
            "system.message",
        ),
    )
)
# What an agent itself puts into a user's message: between tags, or under its own heading.
_TAGGED = re.compile(r"<([a-zA-Z][\w-]{0,60})[\s>]")
_OWN_TAGS = frozenset(
    (
        *(
            "local-command-stdout",
            "local-command-stderr",
            "local-command-caveat",
            "system-reminder",
            "task-notification",
        ),
        *(
            "environment_context",
            "user_instructions",
            "permissions",
            "collaboration_mode",
            "turn_aborted",
            "instructions",
        ),
        *("subagent_notification", "user_shell_command", "environment_details", "ide_opened_file", "ide_selection"),
        *("bash-stdout", "bash-stderr", "session_context", "hook_context", "skill", "apps_instructions"),
    )
)
_OWN_HEADINGS = ("# AGENTS.md instructions", "Caveat: The messages below were generated")
_COMMAND = re.compile(r"<command-name>\s*(.{1,200}?)\s*</command-name>", re.DOTALL)
_ARGUMENTS = re.compile(r"<command-args>\s*(.{0,4000}?)\s*</command-args>", re.DOTALL)
_SHELL = re.compile(r"<bash-input>(.{0,4000}?)</bash-input>", re.DOTALL)
_STOPPED = "[Request interrupted by user"


def told(origin: str, hook_type: str, role: str, payload: object) -> Iterator[Said]:
    """All that a record says, in its order. Takes any payload; one that says nothing known is a NOTE or QUIET."""
    said: Record = payload if isinstance(payload, dict) else {}
    if origin == "hook":
        yield from _hook(hook_type.lower(), said)
    elif origin == "otlp":
        yield from _telemetry(hook_type, said)
    elif origin == "transcript":
        yield from _record(hook_type, role, said)
    else:
        yield Said(NOTE, _first(said, ("message", "msg", "text", "event")))


def digest(text: str) -> str:
    """What two witnesses of one text have in common, however they break its lines; the first of a long text's."""
    return " ".join(text[:4_000].split())[:1_500]


def _hook(kind: str, said: Record) -> Iterator[Said]:
    found, names = _HOOKS.get(kind, (NOTE, _NOTES))
    text = _first(said, names)
    if found == ANSWER and not text:
        status = said.get("status")
        found = ERROR if status == "error" else STOPPED if status == "aborted" else QUIET
        text = _first(said, ("error_message", "error", "reason", "stopReason", "stop_reason"))
    if kind == "notification":
        about = _text(said.get("notification_type"))
        asks = "permission" in about or (not about and "permission" in text)
        found = PERMISSION if asks else NOTE
    if found == PROMPT:
        prompt = _typed(text)
        yield Said(prompt.kind, prompt.text, _text(said.get("prompt_id")))
        return
    yield Said(found, text)


def _telemetry(kind: str, said: Record) -> Iterator[Said]:
    attributes = _object(said.get("attributes"))
    name = kind.rpartition(".")[2]
    if name == "user_prompt":
        text = _first(attributes, ("prompt",))
        yield Said(PROMPT, text, _text(attributes.get("prompt.id"))) if _is_there(text) else Said(QUIET)
    elif name == "assistant_response":
        text = _first(attributes, ("response",))
        yield Said(ANSWER, text) if _is_there(text) else Said(QUIET)
    elif name == "compaction":
        yield Said(COMPACTION, _first(attributes, ("trigger",)))
    elif name in ("api_error", "api_retries_exhausted", "api_refusal", "internal_error"):
        yield Said(ERROR, _first(attributes, ("error", "error.message", "error_name")))
    else:
        yield Said(QUIET)


def _is_there(text: str) -> bool:
    return bool(text) and text != "<REDACTED>"


def _record(kind: str, role: str, said: Record) -> Iterator[Said]:
    if kind in _QUIET_RECORDS:
        yield Said(QUIET)
        return
    if "parentId" in said and isinstance(said.get("data"), dict):
        yield from _copilot(kind, _object(said["data"]))
        return
    payload = said.get("payload")
    item = payload if isinstance(payload, dict) else said
    known = _RECORDS.get(kind)
    if known is not None:
        yield from known(item, role)
    elif kind in ("user", "assistant", "gemini", "system", "message", "text"):
        yield from _message(kind, role, item)
    elif kind == "attachment":
        yield Said(QUIET)
    else:
        yield Said(NOTE, _first(item, ("message", "content", "text", "summary", "reason", "error")))


def _message(kind: str, role: str, said: Record) -> Iterator[Said]:
    """A message of whoever: of a person, of the agent, of the system."""
    inner = said.get("message", said.get("chatMessage"))
    message = inner if isinstance(inner, dict) else said
    content = message.get("content") if isinstance(inner, dict) or not isinstance(inner, str) else inner
    if content is None:
        content = said.get("text")
    by = role or ("assistant" if kind == "gemini" else kind)
    if kind == "system" or by in ("system", "developer"):
        yield from _system(said)
        return
    if said.get("isCompactSummary") is True:
        yield Said(COMPACTION, _joined(content))
        return
    if said.get("isApiErrorMessage") is True:
        yield Said(ERROR, _joined(content))
        return
    if by == "user":
        yield from _of_person(said, content)
        return
    yield from _thoughts(said)
    found = False
    for what, text in _blocks(content):
        if text.strip():
            found = True
            yield Said(THOUGHT if what in ("thinking", "reasoning") else ANSWER, text)
    error = said.get("error")
    if error and not found:
        yield Said(ERROR, _joined(error) if isinstance(error, str) else _first(_object(error), ("message", "name")))
    elif not found:
        yield Said(QUIET)


def _of_person(said: Record, content: object) -> Iterator[Said]:
    """A user's message: what a person wrote, unless the agent wrote it itself or a tool answered."""
    blocks = list(_blocks(content))
    texts = [text for what, text in blocks if what in ("text", "input_text", "")]
    text = "\n".join(texts).strip()
    images = sum(what in ("image", "input_image") for what, _ in blocks)
    if not text and images:
        text = "an image" if images == 1 else f"{images} images"
    if not text or said.get("isMeta") is True:
        yield Said(QUIET, text)
        return
    typed = _typed(text)
    yield Said(typed.kind, typed.text, _text(said.get("promptId")))


def _typed(text: str) -> Said:
    """What a person typed: a command as it was typed; QUIET for what the agent put there itself."""
    begun = text.lstrip()
    if begun.startswith(_STOPPED):
        return Said(STOPPED, text)
    if command := _COMMAND.search(begun[:10_000]):
        given = _ARGUMENTS.search(begun[:20_000])
        name = command[1] if command[1].startswith("/") else f"/{command[1]}"
        return Said(PROMPT, f"{name} {given[1]}".strip() if given else name)
    if shell := _SHELL.match(begun):
        return Said(PROMPT, f"! {shell[1]}")
    tag = _TAGGED.match(begun)
    if (tag and tag[1] in _OWN_TAGS) or begun.startswith(_OWN_HEADINGS):
        return Said(QUIET, text)
    return Said(PROMPT, text) if begun else Said(QUIET)


def _system(said: Record) -> Iterator[Said]:
    text = _first(said, ("content", "error"))
    if said.get("subtype") == "compact_boundary":
        yield Said(COMPACTION, text)
    elif said.get("level") == "error":
        yield Said(ERROR, text or _first(_object(said.get("error")), ("message",)))
    elif said.get("level") == "warning":
        yield Said(NOTE, text)
    else:
        yield Said(QUIET, text)


def _thoughts(said: Record) -> Iterator[Said]:
    """What a message of Gemini CLI thought: [{"subject", "description"}]."""
    thoughts = said.get("thoughts")
    for one in thoughts[:BLOCKS_MOST] if isinstance(thoughts, list) else ():
        parts = [_text(_object(one).get(name)) for name in ("subject", "description")]
        if text := ": ".join(filter(None, parts)):
            yield Said(THOUGHT, text)


def _copilot(kind: str, data: Record) -> Iterator[Said]:
    """An event of a session of Copilot's, by its type."""
    text = _first(data, ("content", "message", "reason", "error", "errorReason"))
    if kind == "user.message":
        yield _typed(text)
    elif kind in ("assistant.message", "assistant.reasoning"):
        found = ANSWER if kind == "assistant.message" else THOUGHT
        yield Said(found, text) if text.strip() else Said(QUIET)
    elif kind == "permission.requested":
        asked = _object(data.get("permissionRequest"))
        yield Said(PERMISSION, _first(asked, ("intention", "fullCommandText", "fileName", "path", "kind")))
    elif kind.startswith("session.compaction"):
        yield Said(COMPACTION, text)
    elif kind == "session.error" or kind.endswith(".failed"):
        yield Said(ERROR, text)
    elif kind in ("session.start", "session.resume", "session.shutdown"):
        yield Said(SESSION, kind.partition(".")[2])
    elif kind == "subagent.started":
        yield Said(SUBAGENT, _first(data, ("agentDescription", "agentDisplayName", "agentName")))
    elif kind == "abort":
        yield Said(STOPPED, text)
    elif kind == "session.title_changed":
        yield Said(TITLE, _first(data, ("title",)))
    else:
        yield Said(QUIET if kind.startswith(("assistant.", "tool.", "permission.", "hook.")) else NOTE, text)


def _only(kind: str, *names: str) -> Callable[[Record, str], Iterator[Said]]:
    """A record of this kind whose text is in the first of these fields that has one."""

    def said(item: Record, _: str) -> Iterator[Said]:
        text = _first(item, names)
        yield Said(kind, text) if text or kind not in (ANSWER, THOUGHT, PROMPT, TITLE) else Said(QUIET)

    return said


def _codex_prompt(item: Record, _: str) -> Iterator[Said]:
    yield _typed(_first(item, ("message", "text")))


def _reasoning(item: Record, _: str) -> Iterator[Said]:
    text = "\n".join(text for name in ("summary", "content", "text") for _, text in _blocks(item.get(name)) if text)
    yield Said(THOUGHT, text) if text.strip() else Said(QUIET)


def _part_of_person(item: Record, role: str) -> Iterator[Said]:
    """A part of a message of OpenCode's: its role is the message's."""
    text = _text(item.get("text"))
    if item.get("synthetic") is True:
        yield Said(QUIET, text)
    elif role == "user":
        yield _typed(text)
    else:
        yield Said(ANSWER, text) if text.strip() else Said(QUIET)


# The type of a transcript's record → how what it says is found.
_RECORDS: dict[str, Callable[[Record, str], Iterator[Said]]] = {
    "text": _part_of_person,
    "reasoning": _reasoning,
    "agent_reasoning": _only(THOUGHT, "text"),
    "agent_reasoning_raw_content": _only(QUIET),
    "user_message": _codex_prompt,
    "history": _codex_prompt,
    "agent_message": _only(ANSWER, "message"),
    "task_complete": _only(ANSWER, "last_agent_message"),
    "turn_complete": _only(ANSWER, "last_agent_message"),
    "compacted": _only(COMPACTION, "message"),
    "context_compacted": _only(COMPACTION, "message"),
    "compaction": _only(COMPACTION, "reason", "text"),
    "turn_aborted": _only(STOPPED, "reason"),
    "turn_ended": lambda item, role: _hook("stop", item),
    "error": _only(ERROR, "message", "content", "error"),
    "retry": _only(ERROR, "message", "error"),
    "stream_error": _only(NOTE, "message"),
    "session_meta": _only(SESSION, "cwd"),
    "session": _only(SESSION, "kind"),
    "exec_approval_request": _only(PERMISSION, "reason"),
    "apply_patch_approval_request": _only(PERMISSION, "reason"),
    "request_permissions": _only(PERMISSION, "reason"),
    "info": _only(NOTE, "content"),
    "warning": _only(NOTE, "content"),
    "summary": _only(TITLE, "summary"),
    "ai-title": _only(TITLE, "aiTitle"),
    "custom-title": _only(TITLE, "customTitle"),
    "subtask": _only(SUBAGENT, "description", "prompt"),
}


def _blocks(content: object) -> Iterator[tuple[str, str]]:
    """What a message holds: type and text of each block; a text alone is one block without a type."""
    for block in content[:BLOCKS_MOST] if isinstance(content, list) else (content,):
        if isinstance(block, str):
            yield "", block
        elif isinstance(block, dict):
            what = _text(block.get("type"))
            text = block.get("thinking") if what == "thinking" else block.get("text")
            if what not in ("tool_use", "tool_result", "tool"):
                yield what, _text(text)


def _joined(content: object) -> str:
    return "\n".join(text for _, text in _blocks(content) if text)


def _first(said: Record, names: tuple[str, ...]) -> str:
    for name in names:
        value = said.get(name)
        if isinstance(value, dict):
            value = value.get("message") or value.get("name") or value.get("kind")
        if isinstance(value, str) and value.strip():
            return value
    return ""


def _object(value: object) -> Record:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
