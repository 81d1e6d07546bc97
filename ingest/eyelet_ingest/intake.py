"""From bytes to what may be stored: decoded, parsed, redacted. The same for a live hook and for a file.

Light like everything the hook imports: `json` is loaded only for what is seldom.
"""

from eyelet_ingest.jsontext import (
    dumps,
    first_wins,
    has_duplicate_keys,
    may_hold_surrogates,
    parse_numbers_as_text,
)

TYPE_CHECKING = False  # as typing has it, without its import
if TYPE_CHECKING:
    from eyelet_ingest.redaction import Redactor

BOM = b"\xef\xbb\xbf"


def decode(raw: bytes) -> "tuple[str, bool]":
    """The text of UTF-8 bytes without a byte order mark, and whether all of it was UTF-8; what is not is replaced."""
    if raw.startswith(BOM):
        raw = raw[len(BOM) :]
    try:
        return raw.decode(), True
    except UnicodeDecodeError:
        return raw.decode("utf-8", "replace"), False


def clean(text: str, value: object, redactor: "Redactor") -> "tuple[object, str]":
    """What may be stored of JSON `text` that spells `value`: the redacted value and its text.

    Where nothing has to go, the text is kept as it was received.
    """
    return cleaned(text, value, redactor, redactor.may_hold(text))


def cleaned(text: str, value: object, redactor: "Redactor", is_suspect: bool) -> "tuple[object, str]":
    """`clean` where the answer of `redactor.may_hold` is known."""
    safe = value
    if is_suspect:
        safe = redactor.value(value)
        if safe is value and has_duplicate_keys(text):  # what the value left out of the text was not looked at
            return _rewritten(text, safe, redactor)
    if safe is value and not may_hold_surrogates(text):
        return value, text.strip()
    return _rewritten(text, safe, redactor)


def clean_damaged(raw: bytes, redactor: "Redactor") -> bytes:
    """Bytes that no partition takes as JSON, redacted; the same object where nothing had to go.

    What Python can read all the same (NaN in it, nested too deep) is redacted as the value it is: text alone does not
    tell that a list stands under a telling name.
    """
    text, _ = decode(raw)
    if not redactor.may_hold(text):
        return redactor.bytes(raw)
    from json import loads

    try:
        value = loads(text, object_pairs_hook=first_wins, parse_int=str, parse_float=str)
        safe = redactor.value(value)
        if safe is value and not has_duplicate_keys(text):
            return raw
        return dumps(safe).encode("utf-8", "replace")
    except (ValueError, RecursionError):
        return redactor.bytes(raw)


def _rewritten(text: str, safe: object, redactor: "Redactor") -> "tuple[object, str]":
    try:
        written = dumps(safe)
    except ValueError:  # a number beyond what Python holds: as text it is whole, and still JSON
        safe = redactor.value(parse_numbers_as_text(text))
        written = dumps(safe)
    try:
        written.encode()
        return safe, written
    except UnicodeEncodeError:  # a lone surrogate: UTF-8 has no bytes for it
        from json import loads

        written = written.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return loads(written), written
