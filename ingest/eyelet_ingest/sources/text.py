"""Values of unknown type → text that every column and every terminal of SQLite can hold. Light: the hook imports it."""

SHORT_MAX_CHARS = 200  # identifiers and names
PATH_MAX_CHARS = 4_096
MESSAGE_MAX_CHARS = 500
DURATION_MAX_MS = 1e12  # 31 years; beyond is no duration, and SQLite's integers end


def plain(value: object, most: int = SHORT_MAX_CHARS) -> str:
    """`value` as text of at most `most` characters; "" for what is no scalar.

    NUL, which ends a text in C, and lone surrogates, which UTF-8 cannot spell, become U+FFFD.
    """
    if type(value) is str:
        text = value[:most]
        if text.isascii() and "\0" not in text:
            return text
        return _replaced(text)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        # CPython refuses to spell more than 4,300 digits.
        return str(value)[:most] if value.bit_length() <= 4_096 else ""
    return repr(value)[:most] if isinstance(value, float) else ""


def optional(value: object, most: int = SHORT_MAX_CHARS) -> str | None:
    """Like `plain`, None where nothing is left."""
    if value is None:
        return None
    return plain(value, most) or None


def duration_ms(value: object) -> float | None:
    """A duration in milliseconds, or None for what is none: text, NaN, negative, absurd."""
    if value is None or isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if 0 <= value <= DURATION_MAX_MS else None


def _replaced(text: str) -> str:
    text = text.replace("\0", "\ufffd")
    try:
        text.encode()
    except UnicodeEncodeError:
        text = "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in text)
    return text
