"""How a tool of Codex fared, told from what the model was answered. Light: the hook imports it, for payloads of Codex.

Nothing says it in a field of its own. A command's answer is one of

    {"output": "…", "metadata": {"exit_code": 1, "duration_seconds": 0.4}}       as JSON in a text
    Exit code: 1 ⏎ Wall time: 0.4 seconds ⏎ [Total output lines: 90 ⏎] Output: ⏎ …
    [Chunk ID: 6a ⏎] Wall time: 0.4012 seconds ⏎ Process exited with code 1 ⏎ … Output: ⏎ …

and what a person refused or stopped is a sentence. (openai/codex: codex-rs/core/src/tools/mod.rs
`format_exec_output_for_model_structured` and `…_freeform`, context.rs `response_text`, events.rs and parallel.rs.)
"""

from eyelet_ingest.sources.embedded import opened
from eyelet_ingest.sources.failure import code_of, message_of

HEAD_CHARS = 600  # what is said of a command stands before its output
_OUTPUT = "Output:"
_DENIED = (
    "exec command rejected by user",
    "patch rejected by user",
    "rejected by user",
    "This action was rejected",
)
_STOPPED = "aborted by user"
_FAILED = (
    "exec_command failed",
    "write_stdin failed",
    "failed to parse function arguments",
    "failed to parse exec_command arguments",
    "unsupported call:",
    "unsupported custom tool call:",
    "apply_patch verification failed",
    "tool call error:",
    "err: ",
    "execution error:",
    "failed in sandbox",
    "sandbox error",
)

Outcome = "tuple[str, str | None, str]"


def outcome(output: object) -> "tuple[str, str | None, str]":
    """status, error code and error message of an answer: a text, a list of content items, or an object."""
    return _of(output)[0]


def duration_ms(output: object) -> float | None:
    """How long it took, where the answer says it."""
    return _of(output)[1]


def _of(output: object) -> "tuple[tuple[str, str | None, str], float | None]":
    if isinstance(output, list):
        output = message_of(output[:1])
    output = opened(output)
    if isinstance(output, dict):
        return _of_object(output)
    return _of_text(output) if isinstance(output, str) else (("ok", None, ""), None)


def _of_object(found: "dict[str, object]") -> "tuple[tuple[str, str | None, str], float | None]":
    metadata = found.get("metadata")
    if isinstance(metadata, dict):
        took = metadata.get("duration_seconds")
        return _ended(metadata.get("exit_code"), message_of(found.get("output"))), _ms(took)
    failed = found.get("success") is False or found.get("isError") is True or found.get("is_error") is True
    if failed:
        inner = found.get("content")
        told = _of_text(inner)[0] if isinstance(inner, str) else ("ok", None, "")
        message = message_of(found)
        return (told if told[0] != "ok" else ("error", code_of(message), message)), None
    content = found.get("content", found.get("text"))  # `text`: a content item that stands alone
    return _of_text(content) if isinstance(content, str) else (("ok", None, ""), None)


def _of_text(text: str) -> "tuple[tuple[str, str | None, str], float | None]":
    if text.startswith(_DENIED):
        return ("denied", None, message_of(text)), None
    if text.startswith(_STOPPED):
        return ("interrupted", "interrupted", message_of(text)), None
    if text.startswith(_FAILED):
        message = message_of(text)
        return ("error", code_of(message), message), None
    if not text.startswith(("Exit code: ", "Wall time: ", "Chunk ID: ", "Command: ")):
        return ("ok", None, ""), None
    exit_code: int | None = None
    took: float | None = None
    head, _, rest = text[:HEAD_CHARS].partition("\n" + _OUTPUT)
    for line in head.split("\n"):
        if line.startswith("Exit code: "):
            exit_code = _number(line[11:])
        elif line.startswith("Process exited with code "):
            exit_code = _number(line[25:])
        elif line.startswith("Wall time: "):
            took = _ms(line[11:].partition(" ")[0])
        elif line.startswith(_STOPPED):
            return ("interrupted", "interrupted", line), took
    return _ended(exit_code, message_of(rest)), took


def _ended(exit_code: object, message: str) -> "tuple[str, str | None, str]":
    """The outcome of a command by its exit code; 124 with the sentence is Codex's own time-out."""
    if not isinstance(exit_code, int) or isinstance(exit_code, bool) or not -(2**31) <= exit_code < 2**32:
        return "ok", None, ""
    if not exit_code:
        return "ok", None, ""
    if message.startswith("command timed out"):
        return "error", "timeout", message
    return "error", f"exit:{exit_code}", message


def _number(text: str) -> int | None:
    text = text.strip()
    return int(text) if len(text) <= 11 and text.lstrip("-").isdigit() and text.isascii() else None


def _ms(value: object) -> float | None:
    """Seconds, as a number or its text, in milliseconds."""
    if isinstance(value, str):
        whole, _, fraction = value.partition(".")
        if not (value.isascii() and len(value) <= 20 and whole.isdigit() and (not fraction or fraction.isdigit())):
            return None
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1e9:
        return None
    return round(value * 1000, 1)
