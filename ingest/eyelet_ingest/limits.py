"""What of a payload is not kept a second time, and what is cut. Light: the hook imports it for long payloads alone.

A whole file that a response repeats of its request is kept once: `[the same as /tool_input/content]` stands in its
place, and `meta.repeated` names the places, so that `expand` gives back what came. A payload that is longer than its
limit loses the ends of its longest texts: `…[cut: 65536 of 234567 characters]` stands there, and `meta.cut` says so.

Places are JSON pointers: `/tool_input/edits/0/new_string`.
"""

from eyelet_ingest.errors import EyeletError
from eyelet_ingest.jsontext import dumps, parse

TYPE_CHECKING = False  # importing typing costs the hook more than its insert
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

LEAST_CHARS = 512  # a text that is shorter is repeated: the row is not worth reading twice
LEAST_CUT_CHARS = 256  # no text is cut shorter
MOST_DEPTH = 64  # deeper nothing is looked for
MOST_PLACES = 10_000
MARK_CHARS = 64  # what a mark may take
WHY_BYTES = 128  # what stands around a beginning that is kept
MOST_WHOLE_CHARS = 1 << 28  # what is given back of one payload


def without_repeats(text: str, value: object) -> "tuple[str, dict[str, str]]":
    """JSON `text`, which spells `value`, with each long text once; and the places that were emptied → where it stands.

    Nothing else of the text is changed. A text whose places cannot all be told in the spelling stays as it is.
    """
    places: dict[str, list[str]] = {}
    for place, found in _strings(value):
        if len(found) >= LEAST_CHARS:
            places.setdefault(found, []).append(place)
    repeated: dict[str, str] = {}
    for found, at in places.items():
        if len(at) > 1:
            pieces = _around(text, found, len(at))
            if pieces:
                marks = [dumps(_same_as(at[0]))] * (len(at) - 1)
                text = _joined(pieces, marks)
                repeated.update((place, at[0]) for place in at[1:])
    return text, repeated


def expand(value: object, repeated: "dict[str, str]") -> object:
    """The payload as it came: each place of `meta.repeated` has its text again. Changes `value`."""
    for place, source in repeated.items():
        found = _at(value, str(source))
        *above, last = _steps(place) or [""]
        holder = _walked(value, above)
        key: Any = int(last) if isinstance(holder, list) and _is_index(last) else last
        if _at(holder, f"/{_escaped(last)}") == _same_as(str(source)) and isinstance(found, str):
            holder[key] = found  # type: ignore[index]  # it has the place, so it is a list or an object
    return value


def whole(text: str, meta: str) -> str:
    """JSON `text` as it came, where `meta` (JSON, too) says that something of it is kept once. Never raises.

    What was cut stays so, and a place that does not hold its mark stays as it is: a row may say anything.
    """
    if '"repeated"' not in meta:
        return text
    try:
        said = parse(meta)
        repeated = said.get("repeated") if isinstance(said, dict) else None
        if not isinstance(repeated, dict) or not 0 < len(repeated) <= MOST_PLACES:
            return text
        value = parse(text)
        sources = [_at(value, str(source)) for source in repeated.values()]
        if sum(len(one) for one in sources if isinstance(one, str)) > MOST_WHOLE_CHARS:
            return text
        texts = {str(at): one for at, one in zip(repeated.values(), sources, strict=True) if isinstance(one, str)}
        return _spelt_out(text, texts, value, repeated)
    except (EyeletError, ValueError, RecursionError):
        return text


def _spelt_out(text: str, sources: "dict[str, str]", value: object, repeated: "dict[str, str]") -> str:
    """The text with each mark in place of which something stood spelt out; the rest of it as it is."""
    times = list(map(str, repeated.values()))
    for source in sources:
        mark = dumps(_same_as(source))
        if text.count(mark) != times.count(source):  # the payload says the same words itself
            return dumps(expand(value, repeated))
    for source, found in sources.items():
        text = text.replace(dumps(_same_as(source)), dumps(found))
    return text


def cut(text: str, most_bytes: int) -> "tuple[str, dict[str, object]]":
    """JSON `text`, no longer than `most_bytes`; and what `meta.cut` says, empty where it fits.

    The longest texts lose their ends, all down to one length. Where that is not enough (a million numbers), the
    beginning of the whole is kept as one text, under `_cut`.
    """
    size = len(text.encode("utf-8", "surrogatepass"))
    if size <= most_bytes:
        return text, {}
    value = parse(text)
    lengths = sorted((len(dumps(found)) for _, found in _strings(value)), reverse=True)
    allowed = _common_length(lengths, size - most_bytes)
    texts = [0]
    shorter = dumps(_cut_value(value, allowed, texts, MOST_DEPTH)) if allowed else ""
    if not shorter or len(shorter.encode("utf-8", "surrogatepass")) > most_bytes:
        begin = text.encode("utf-8", "surrogatepass")[: max((most_bytes - WHY_BYTES) // 2, LEAST_CUT_CHARS)].decode(
            "utf-8", "ignore"
        )
        shorter = dumps({"_why": f"longer than limits.payload_kib: {size} bytes", "_cut": begin})
    return shorter, {"bytes": size, "texts": texts[0]}


def _common_length(lengths: "list[int]", too_many: int) -> int:
    """The length to which the longest of these texts go down, for all to lose `too_many`; 0 where that is too short."""
    total = 0
    for at, length in enumerate(lengths, 1):
        total += length
        below = lengths[at] if at < len(lengths) else 0
        need = too_many + at * MARK_CHARS
        if total - at * below >= need:
            allowed = (total - need) // at
            return allowed if allowed >= LEAST_CUT_CHARS else 0
    return 0


def _cut_value(value: object, allowed: int, texts: "list[int]", levels: int) -> object:
    if isinstance(value, str):
        spelt = len(dumps(value)) if len(value) > allowed // 6 else 0  # a character is six at most
        if spelt <= allowed + MARK_CHARS:
            return value
        texts[0] += 1
        kept = value[: max(len(value) * allowed // spelt, 1)]
        while len(dumps(kept)) > allowed:
            kept = kept[: len(kept) * allowed // len(dumps(kept)) - 1]
        return f"{kept}…[cut: {len(kept)} of {len(value)} characters]"
    if levels and isinstance(value, dict):
        return {key: _cut_value(item, allowed, texts, levels - 1) for key, item in value.items()}
    if levels and isinstance(value, list):
        return [_cut_value(item, allowed, texts, levels - 1) for item in value]
    return value


def _strings(value: object, place: str = "", levels: int = MOST_DEPTH) -> "Iterator[tuple[str, str]]":
    """Every text inside and its place, in the order of the spelling; keys are left out."""
    if isinstance(value, str):
        yield place, value
    elif levels and isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, (str, dict, list)):
                yield from _strings(item, f"{place}/{_escaped(key)}", levels - 1)
    elif levels and isinstance(value, list) and len(value) <= MOST_PLACES:
        for at, item in enumerate(value):
            if isinstance(item, (str, dict, list)):
                yield from _strings(item, f"{place}/{at}", levels - 1)


def _around(text: str, found: str, times: int) -> "list[str]":
    """What stands before, between and behind the spellings of `found`; [] where they are not so many."""
    from _json import encode_basestring, encode_basestring_ascii

    for spelt in (encode_basestring(found), encode_basestring_ascii(found)):
        pieces = text.split(spelt)
        if len(pieces) == times + 1:
            return [pieces[0] + spelt + pieces[1], *pieces[2:]]
    return []


def _joined(pieces: "list[str]", marks: "list[str]") -> str:
    parts = [pieces[0]]
    for mark, piece in zip(marks, pieces[1:], strict=True):
        parts += (mark, piece)
    return "".join(parts)


def _same_as(place: str) -> str:
    return f"[the same as {place}]"


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _steps(place: str) -> "list[str]":
    return [step.replace("~1", "/").replace("~0", "~") for step in place.split("/")[1:]]


def _at(value: object, place: str) -> object:
    return _walked(value, _steps(place))


def _is_index(step: str) -> bool:
    return step.isascii() and step.isdigit() and len(step) < 10


def _walked(value: object, steps: "list[str]") -> object:
    for step in steps:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and _is_index(step) and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value
