"""One event for several roots: each gets it with markers of its own key. Light: a hook imports it where one of them
is a project's.

Which roots can be trusted is known only when the event is, so it is redacted once, with a key that nobody has, and the
markers are exchanged then: nothing is read or run a second time.
"""

from eyelet_ingest.events import Event
from eyelet_ingest.jsontext import dumps, parse
from eyelet_ingest.redaction import Redactor

TYPE_CHECKING = False  # importing typing costs the hook more than its insert
if TYPE_CHECKING:
    from collections.abc import Callable

# What names files and folders, whose places were looked at before: these keep the marker they have.
_KEPT = ("hook_type", "tool_name", "data", "meta", "uid", "time_us")
_RAW = '"_raw":'


class Remembering(Redactor):
    """A redactor that knows what its markers stand for, until the event is stored: `made`, marker → kind and secret."""

    __slots__ = ("made",)

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self.made: dict[str, tuple[str, str]] = {}

    def marker(self, kind: str, secret: str) -> str:
        made = super().marker(kind, secret)
        if made != secret:
            self.made[made] = (kind, secret)
        return made


def event_for(event: Event, redactor: Redactor, key: "bytes | Callable[[], bytes]") -> Event:
    """The event with the markers that the root with this `key` has; itself where it has no marker."""
    if not isinstance(redactor, Remembering) or not redactor.made:
        return event
    theirs = Redactor(key)
    pairs = [(mine, theirs.marker(*told)) for mine, told in redactor.made.items()]
    other = Event(hook_type=event.hook_type, time_us=event.time_us, uid=event.uid, tool_name=event.tool_name)
    for name in Event.__slots__:
        value = getattr(event, name)
        if name not in _KEPT:
            setattr(other, name, _exchanged(value, pairs) if isinstance(value, str) else value)
    other.data = _data(event.data, pairs)
    meta = parse(_exchanged(dumps(event.meta), pairs))
    other.meta = meta if isinstance(meta, dict) else event.meta
    return other


def _exchanged(text: str, pairs: "list[tuple[str, str]]") -> str:
    if "redacted" in text:
        for mine, theirs in pairs:
            text = text.replace(mine, theirs)
            text = text.replace(_as_part(mine), _as_part(theirs))
    return text


def _as_part(marker: str) -> str:
    """As `src` has it."""
    return marker.replace("[", "_").replace("]", "_").replace(":", "_")


def _data(text: str, pairs: "list[tuple[str, str]]") -> str:
    """A payload's text; what is no JSON stands there as base64."""
    text = _exchanged(text, pairs)
    if _RAW not in text:
        return text
    value = parse(text)
    raw = value.get("_raw") if isinstance(value, dict) and len(value) == 2 and "_why" in value else None
    if not isinstance(raw, str) or not isinstance(value, dict):
        return text
    from binascii import a2b_base64, b2a_base64

    try:
        plain = a2b_base64(raw)
    except ValueError:
        return text
    changed = plain
    for mine, theirs in pairs:
        changed = changed.replace(mine.encode(), theirs.encode())
    return dumps({**value, "_raw": b2a_base64(changed, newline=False).decode()}) if changed != plain else text
