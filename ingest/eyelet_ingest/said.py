"""What a tool was given and what it answered, taken out of the payload of any agent's event. Pure.

Where each agent keeps them: hooks in `tool_input` and `tool_response` (Claude Code, Codex, Gemini CLI), `toolArgs` and
`toolResult` (Copilot); transcripts in the blocks `tool_use` and `tool_result` of a message, with `toolUseResult`
beside; rollouts of Codex in `payload.arguments`, `.input` and `.output`; parts of OpenCode in `state`; events of a
session of Copilot's in `data`; log records of OpenTelemetry in `attributes`. What was found is recorded text and as
hostile as that.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_GIVEN = ("tool_input", "toolArgs", "tool_args", "args")
_ANSWERED = ("tool_response", "toolResult", "tool_result", "tool_output", "toolUseResult", "result_json", "output")
_ITEM_GIVEN = ("arguments", "input", "action", "invocation", "changes", "command")
_ITEM_ANSWERED = ("output", "aggregated_output", "stdout", "result")
_ATTRIBUTES_GIVEN = ("tool_input", "tool_parameters", "arguments", "function_args")
_LONGEST_JSON = 4_000_000  # characters of an object within a text that are read


@dataclass(frozen=True, slots=True)
class Said:
    """What a tool was given and what it answered: values as JSON has them, None where the event does not say."""

    given: object = None
    answered: object = None


def said(payload: object, tool_use_id: str = "") -> Said:
    """What the payload of an event says of a tool; of several calls in one record that of `tool_use_id`, else the
    first."""
    if not isinstance(payload, dict):
        return Said()
    item, state, data, attributes = (_object(payload.get(name)) for name in ("payload", "state", "data", "attributes"))
    given = _first(
        _values(payload, _GIVEN),
        _blocks(payload, "tool_use", "input", "id", tool_use_id),
        _values(_object(item.get("item")), _ITEM_GIVEN),
        _values(item, _ITEM_GIVEN),
        _values(state, ("input",)),
        _values(data, ("arguments",)) if "parentId" in payload else iter(()),
        _values(attributes, _ATTRIBUTES_GIVEN),
        _calls(payload, "args"),
        iter([{name: payload[name] for name in ("file_path", "edits", "command") if name in payload} or None]),
    )
    answered = _first(
        _values(payload, _ANSWERED),
        _blocks(payload, "tool_result", "content", "tool_use_id", tool_use_id),
        _values(_object(item.get("item")), _ITEM_ANSWERED),
        _values(item, _ITEM_ANSWERED),
        _values(state, ("output", "error")),
        _values(data, ("result", "error")) if "parentId" in payload else iter(()),
        _calls(payload, "result"),
        _values(payload, ("error",)),
    )
    return Said(given, answered)


def plain(value: object) -> str | None:
    """The text that a value of JSON is at heart: itself, the texts of its blocks, what a command wrote; None where it
    is more than that."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        texts = [block.get("text") for block in value if isinstance(block, dict) and block.get("type") == "text"]
        whole = len(texts) == len(value) and all(isinstance(text, str) for text in texts)
        return "\n".join(str(text) for text in texts) if whole and value else None
    if not isinstance(value, dict):
        return None
    if isinstance(value.get("stdout"), str):
        wrote = (value.get(name) for name in ("stdout", "stderr"))
        return "\n".join(text for text in wrote if isinstance(text, str) and text)
    for name in ("content", "output", "llmContent", "text"):
        inner = value.get(name)
        if isinstance(inner, (str, list)) and len(value) <= 2:
            return plain(inner)
    return None


def _first(*found: Iterator[object]) -> object:
    return next((_opened(value) for values in found for value in values if value not in (None, "", {}, [])), None)


def _values(holder: Mapping[str, object], names: tuple[str, ...]) -> Iterator[object]:
    return (holder[name] for name in names if name in holder)


def _blocks(payload: Mapping[str, object], kind: str, name: str, id_name: str, wanted: str) -> Iterator[object]:
    """What blocks of a message hold, that of the call that is wanted first; a subagent's progress wraps its message."""
    for holder in (payload, _object(payload.get("data"))):
        message = _object(holder.get("message"))
        for one in (message, _object(message.get("message"))):
            content = one.get("content")
            blocks = [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
            mine = [block for block in blocks if block.get("type") == kind]
            yield from (block.get(name) for block in sorted(mine, key=lambda block: block.get(id_name) != wanted))


def _calls(payload: Mapping[str, object], name: str) -> Iterator[object]:
    calls = payload.get("toolCalls")
    for call in calls if isinstance(calls, list) else ():
        if isinstance(call, dict):
            yield call.get(name)


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _opened(value: object) -> object:
    """An object that is written as JSON in a text, opened."""
    if isinstance(value, str) and value[:1] in "{[" and len(value) <= _LONGEST_JSON:
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value
