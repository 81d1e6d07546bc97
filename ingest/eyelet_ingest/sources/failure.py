"""What went wrong, told in a word: error text → `error_code` and `error_message`. Light: the hook imports it."""

from eyelet_ingest.sources.text import MESSAGE_MAX_CHARS, plain

REJECTED = "The user doesn't want to proceed"
INTERRUPTED = "[Request interrupted"
_EXIT_CODE = "Exit code "
_TOOL_USE_ERROR = "<tool_use_error>"
_TIMED_OUT = ("timed out", "timeout exceeded", "etimedout")
_KILLED = (124, 137, 143)  # what `timeout` answers, and 128 + SIGKILL, + SIGTERM
_LOOKED_AT_CHARS = 2_000
_NAME_MAX_CHARS = 64

_WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


def message_of(value: object) -> str:
    """The text of an error that may be text, an object with a message, or a list of content blocks."""
    if isinstance(value, dict):
        for name in ("message", "error", "text", "content", "stderr"):
            if name in value and (found := message_of(value[name])):
                return found
        return ""
    if isinstance(value, list):
        for item in value[:20]:
            if found := message_of(item):
                return found
        return ""
    return plain(value, _LOOKED_AT_CHARS).strip()[:MESSAGE_MAX_CHARS]


def code_of(message: str) -> str | None:
    """`exit:N`, `timeout`, `tool_use_error`, an API error's or errno's name, or None where the text has none."""
    exit_code = exit_code_of(message)
    # A command that ended by itself may well print that something else timed out.
    if exit_code is None or exit_code in _KILLED:
        lowered = message.lower()
        if any(words in lowered for words in _TIMED_OUT):
            return "timeout"
    if exit_code is not None:
        return f"exit:{exit_code}"
    if message.startswith(_TOOL_USE_ERROR):
        return "tool_use_error"
    return _api_name(message) or _errno_name(message)


def exit_code_of(message: str) -> int | None:
    """N of a text that begins with `Exit code N`."""
    if not message.startswith(_EXIT_CODE):
        return None
    digits = message[len(_EXIT_CODE) :].split(None, 1)[:1]
    if not digits:
        return None
    number = digits[0].rstrip(":.,;")
    return int(number) if number.isascii() and number.lstrip("-").isdigit() and len(number) <= 11 else None


def api_error_name(value: object) -> str | None:
    """The name of an API's error: a bare word such as `rate_limit`, the `type` of an object, or one in a text."""
    if isinstance(value, dict):
        return api_error_name(value.get("error")) or api_error_name(value.get("type"))
    if not isinstance(value, str) or not value:
        return None
    if len(value) <= _NAME_MAX_CHARS and _WORD.issuperset(value):
        return value
    return _api_name(value)


def _api_name(text: str) -> str | None:
    """`overloaded_error` of `API Error: 529 {"type":"error","error":{"type":"overloaded_error"…`, else `http:529`."""
    start = text.find('"type":')
    while start >= 0:
        name = text[start + 7 :].lstrip().lstrip('"').partition('"')[0]
        if name.endswith("_error") and len(name) <= _NAME_MAX_CHARS and _WORD.issuperset(name):
            return name
        start = text.find('"type":', start + 7)
    if text.startswith("API Error"):
        number = text[len("API Error") :].lstrip(": (")[:3]
        if len(number) == 3 and number.isascii() and number.isdigit():
            return f"http:{number}"
        return "api_error"
    return None


def _errno_name(text: str) -> str | None:
    """`ENOENT` of `ENOENT: no such file or directory`."""
    name = text.partition(":")[0]
    if 4 <= len(name) <= 16 and name[0] == "E" and name.isascii() and name.isalnum() and name.isupper():
        return name
    return None
