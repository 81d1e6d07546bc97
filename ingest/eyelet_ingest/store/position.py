"""How far one has followed what arrives: a text that says, of every day there is and will be, which event was its last.

`arrived` rises strictly within a day and knows nothing of other days: of two events that arrived one after the other
in two days, the second may be seen first. So one number is not enough, and one for each of a thousand days is too
much: a `floor` stands for all days to which nothing was added lately, and the others are named. It is far enough in the
past for whoever took an `arrived` below it to have committed, or given up.
"""

import re
from collections.abc import Mapping

from eyelet_ingest.errors import BadInput
from eyelet_ingest.store import layout
from eyelet_ingest.store.catalog import Part

MARGIN_US = 60_000_000  # an append gives up after 30 s (store.APPEND_DEADLINE_MS)
NAMED_MOST = 200  # days in a text; who follows more at once may be given an event a second time
TEXT_MOST_CHARS = 16_384
_NAMED = re.compile(r"([a-z0-9_.-]+)(?:@([1-9]\d?))?:(-?\d{1,17})", re.ASCII)


class Position:
    """`named` holds, by `name_of`, the `arrived` up to which a day was followed; `floor_us` is that of all others."""

    __slots__ = ("floor_us", "named")

    def __init__(self, floor_us: int, named: Mapping[str, int]) -> None:
        self.floor_us, self.named = floor_us, dict(named)

    def of(self, part: Part) -> int:
        """The `arrived` up to which the day was followed."""
        return self.named.get(name_of(part), self.floor_us)

    @property
    def text(self) -> str:
        """`<floor>~<context>-<year>-<day>:<arrived less the floor>~…`: ASCII, without white space."""
        newest = sorted(self.named.items(), key=lambda one: -one[1])[:NAMED_MOST]
        return "~".join((str(self.floor_us), *(f"{name}:{arrived - self.floor_us}" for name, arrived in newest)))

    @classmethod
    def read(cls, text: str) -> "Position":
        """BadInput for what this software did not give."""
        first, *rest = text.split("~") if len(text) <= TEXT_MOST_CHARS else ("",)
        found = [_NAMED.fullmatch(one) for one in rest]
        if not (first.isascii() and first.isdigit() and len(first) <= 17) or len(rest) > NAMED_MOST:
            raise _not_ours()
        floor_us = int(first)
        named: dict[str, int] = {}
        for one in found:
            if one is None or layout.key_from_mount_name(one[1]) is None:
                raise _not_ours()
            named[one[1] + (f"@{one[2]}" if one[2] else "")] = floor_us + int(one[3])
        return cls(floor_us, named)


def name_of(part: Part) -> str:
    """A day's name in a position: as Datasette mounts it, with its root's place where that is not the first."""
    return part.key.mount_name + (f"@{part.at}" if part.at else "")


def _not_ours() -> BadInput:
    hint = "leave it out, to begin with what arrives now"
    return BadInput("follow what arrives", reason="the position is not one this software gave", hint=hint)
