"""JSON in a text, as some agents hand over what a tool was given or answered. Light: the hook imports it."""

from eyelet_ingest.errors import BadInput
from eyelet_ingest.jsontext import parse

MOST_CHARS = 4 * 2**20  # a longer one is left a text: nothing that a column needs stands so deep


def opened(value: object) -> object:
    """What the text spells where it is an object or a list in JSON; else `value` itself."""
    if type(value) is str and value[:1] in ("{", "[") and len(value) <= MOST_CHARS:
        try:
            return parse(value)
        except BadInput:  # it may only look like JSON
            return value
    return value


def command_of(tool_input: object) -> str | None:
    """The command of a shell tool's input, which may be an object, JSON in a text, or a list of words."""
    found = opened(tool_input)
    command = found.get("command") if isinstance(found, dict) else None
    if isinstance(command, list):
        command = " ".join([word for word in command if isinstance(word, str)])
    return command if isinstance(command, str) else None
