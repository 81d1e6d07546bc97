"""Where a page ended: the next one lies strictly beyond it."""

from eyelet_ingest.errors import BadInput
from eyelet_ingest.store import layout
from eyelet_ingest.store.catalog import Part

_LEAST, _GREATEST = "-", "z" * layout.CONTEXT_MAX_CHARS  # of the safe names of contexts
ROOTS_MAX = 99
_BEGINNING = f"-1.{_GREATEST}.{ROOTS_MAX}"  # before the first microsecond of 1970


class Cursor:
    """The last row of a page, in text `<id>.<context>`, with `.<n>` where its root is not the first of several."""

    __slots__ = ("at", "context", "event_id")

    def __init__(self, event_id: int, context: str, at: int = 0) -> None:
        self.event_id, self.context, self.at = event_id, context, at

    @property
    def text(self) -> str:
        return f"{self.event_id}.{self.context}" + (f".{self.at}" if self.at else "")

    @classmethod
    def read(cls, text: str) -> "Cursor":
        """BadInput for what this software did not give."""
        number, dot, rest = text.partition(".")
        context, second, at = rest.partition(".")
        if not (dot and _digits(number, 16) and context and (not second or (_digits(at, 2) and at[0] != "0"))):
            if text == _BEGINNING:
                return cls(-1, context, int(at))
            raise BadInput("search", reason="the cursor is not one this software gave", hint="start at the first page")
        if layout.safe_context(context) != context:
            raise BadInput("search", reason="the cursor names no context", hint="start at the first page")
        return cls(int(number), context, int(at or 0))

    @classmethod
    def before(cls, part: Part, oldest_first: bool) -> "Cursor":
        """The place before the first row of the day of `part`, in the order of the answer."""
        if oldest_first:
            return cls(part.first_us - 1, _GREATEST, ROOTS_MAX)
        return cls(part.end_us, _LEAST)

    def may_reach(self, part: Part, oldest_first: bool) -> bool:
        return part.end_us > self.event_id if oldest_first else part.first_us <= self.event_id

    def narrow(
        self, part: Part, oldest_first: bool, low: int | None, high: int | None
    ) -> tuple[int | None, int | None]:
        """The id range of one partition beyond the cursor: ids are unique in it, ties go by context, then by root."""
        place, mine = (part.context, part.at), (self.context, self.at)
        if oldest_first:
            start = self.event_id + (0 if place > mine else 1)
            return (start if low is None else max(low, start)), high
        end = self.event_id + (1 if place < mine else 0)
        return low, (end if high is None else min(high, end))


def _digits(text: str, most: int) -> bool:
    return bool(text) and len(text) <= most and text.isascii() and text.isdigit()
