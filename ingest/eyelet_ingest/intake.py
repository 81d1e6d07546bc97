"""From bytes to what may be stored: decoded, parsed, redacted. The same for a live hook and for a file.

Light like everything the hook imports: `json` is loaded only for what is seldom.
"""

from eyelet_ingest import redaction
from eyelet_ingest.jsontext import (
    dumps,
    first_wins,
    has_duplicate_keys,
    may_hold_surrogates,
    parse_numbers_as_text,
)

BOM = b"\xef\xbb\xbf"


def decode(raw: bytes) -> "tuple[str, bool]":
    """The text of UTF-8 bytes without a byte order mark, and whether all of it was UTF-8; what is not is replaced."""
    if raw.startswith(BOM):
        raw = raw[len(BOM) :]
    try:
        return raw.decode(), True
    except UnicodeDecodeError:
        return raw.decode("utf-8", "replace"), False


def clean(text: str, value: object) -> "tuple[object, str]":
    """What may be stored of JSON `text` that spells `value`: the redacted value and its text.

    Where nothing has to go, the text is kept as it was received.
    """
    return cleaned(text, value, redaction.may_hold_secret(text))


def cleaned(text: str, value: object, is_suspect: bool) -> "tuple[object, str]":
    """`clean` where the answer of `redaction.may_hold_secret` is known."""
    safe = value
    if is_suspect:
        safe = redaction.redact_value(value)
        if safe is value and has_duplicate_keys(text):  # what the value left out of the text was not looked at
            return _rewritten(text, safe)
    if safe is value and not may_hold_surrogates(text):
        return value, text.strip()
    return _rewritten(text, safe)


def clean_damaged(raw: bytes) -> bytes:
    """Bytes that no partition takes as JSON, redacted; the same object where nothing had to go.

    What Python can read all the same (NaN in it, nested too deep) is redacted as the value it is: text alone does not
    tell that a list stands under a telling name.
    """
    text, _ = decode(raw)
    if not redaction.may_hold_secret(text):
        return redaction.redact_bytes(raw)
    from json import loads

    try:
        value = loads(text, object_pairs_hook=first_wins, parse_int=str, parse_float=str)
        safe = redaction.redact_value(value)
        if safe is value and not has_duplicate_keys(text):
            return raw
        return dumps(safe).encode("utf-8", "replace")
    except (ValueError, RecursionError):
        return redaction.redact_bytes(raw)


def _rewritten(text: str, safe: object) -> "tuple[object, str]":
    try:
        written = dumps(safe)
    except ValueError:  # a number beyond what Python holds: as text it is whole, and still JSON
        safe = redaction.redact_value(parse_numbers_as_text(text))
        written = dumps(safe)
    try:
        written.encode()
        return safe, written
    except UnicodeEncodeError:  # a lone surrogate: UTF-8 has no bytes for it
        from json import loads

        written = written.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return loads(written), written
