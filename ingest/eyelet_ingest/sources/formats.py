"""What kind of recording a record is of: the one place that knows every format that `eyelet ingest` takes.

A format is a row of FORMATS, and a module of its own that makes a `Reader`. `registry.py` is the same for live hooks,
whose payloads are also a format here. Logs of any shape have `mapped.py`.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from eyelet_ingest.jsontext import dumps
from eyelet_ingest.reading import Found
from eyelet_ingest.sources import claude_transcripts, hook_records, old_eyelet
from eyelet_ingest.sources.reader import Reader, Record


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of recording: JSON objects one after the other.

    `recognises` says of a record whether it is of this kind; `reader` makes what reads the records of one file.
    `is_hooks`: a log of hooks, which may mix sessions, and in which what is not recognised is nothing of ours;
    of another kind of file such records are kept, as agents add new ones.
    """

    name: str
    recognises: Callable[[Record], bool]
    reader: Callable[[], Reader]
    is_hooks: bool = False


# In the order in which they are asked.
FORMATS = (
    Format("eyelet", old_eyelet.is_envelope, hook_records.Envelopes, is_hooks=True),
    Format("hooks", hook_records.recognises, hook_records.Hooks, is_hooks=True),
    Format("claude", claude_transcripts.is_record, claude_transcripts.Transcript),
)
# Objects that hold many records: a name that they have, and what takes one apart (None: it is none of them).
CONTAINERS: "tuple[tuple[str, Callable[[Record], Iterable[object] | None]], ...]" = ()


def of(record: Record, usual: Format | None = None) -> Format | None:
    """The format of a record, None where it is of none; `usual` is that of its file."""
    for one in FORMATS:
        if one.recognises(record):
            return one
    return usual if usual is not None and not usual.is_hooks and record else None


def each(found: Iterable[Found]) -> Iterator[Found]:
    """The records, those taken apart that hold others: a whole session in one object is as many records as it has."""
    for one in found:
        parts = None if one.value is None else _parts(one.value)
        if parts is None:
            yield one
            continue
        for part in parts:
            yield _found(one, part)


def _parts(value: Record) -> "Iterable[object] | None":
    for name, apart in CONTAINERS:
        if name in value:
            return apart(value)
    return None


def _found(whole: Found, part: object) -> Found:
    """A part of a record as a record; it has no line of its own."""
    try:
        text = dumps(part)
    except ValueError:  # a number beyond what Python spells
        return Found(whole.line, "", None, "a number in it is too long", whole.is_utf8)
    if isinstance(part, dict):
        return Found(whole.line, text, part, "", whole.is_utf8)
    return Found(whole.line, text, None, "a part of it is no object", whole.is_utf8)
