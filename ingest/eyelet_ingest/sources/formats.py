"""What kind of recording a record is of: the one place that knows every format that `eyelet ingest` takes.

A format is a row of FORMATS, and a module of its own that makes a `Reader`. `registry.py` is the same for live hooks,
whose payloads are also a format here. Logs of any shape have `mapped.py`.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from eyelet_ingest.reading import Found
from eyelet_ingest.sources import (
    claude_transcripts,
    codex_rollouts,
    copilot_sessions,
    cursor_transcripts,
    gemini_chats,
    hook_records,
    old_eyelet,
    opencode,
    otlp,
)
from eyelet_ingest.sources.reader import Reader, Record, part_of
from eyelet_ingest.sources.text import PATH_MAX_CHARS, plain


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


_CLAUDE = Format("claude", claude_transcripts.is_record, claude_transcripts.Transcript)
# In the order in which they are asked.
FORMATS = (
    Format("otlp", otlp.is_record, otlp.Logs, is_hooks=True),
    Format("eyelet", old_eyelet.is_envelope, hook_records.Envelopes, is_hooks=True),
    Format("wrapped", hook_records.is_wrapped, hook_records.Wrapped, is_hooks=True),
    Format("hooks", hook_records.recognises, hook_records.Hooks, is_hooks=True),
    Format("codex", codex_rollouts.recognises, codex_rollouts.Rollout),
    Format("gemini", gemini_chats.recognises, gemini_chats.Chat),
    Format("copilot", copilot_sessions.recognises, copilot_sessions.Session),
    Format("opencode", opencode.recognises, opencode.Loose),
    _CLAUDE,
    Format("cursor", cursor_transcripts.recognises, cursor_transcripts.Conversation),
)
# Objects that hold many records: a name that they have, and what takes one apart (None: it is none of them).
CONTAINERS: "tuple[tuple[str, Callable[[Record], Iterable[object] | None]], ...]" = (
    (otlp.CONTAINER, otlp.apart),
    (copilot_sessions.OLD_CONTAINER, copilot_sessions.apart),
)


def of(record: Record, usual: Format | None = None) -> Format | None:
    """The format of a record, None where it is of none; `usual` is that of its file."""
    if "parentUuid" in record and "hook_event_name" not in record:  # most records there are; asking all costs 9 µs
        return _CLAUDE
    for one in FORMATS:
        if one.recognises(record):
            return one
    return usual if usual is not None and not usual.is_hooks and record else None


def folder_of(record: Record) -> str:
    """The absolute folder that a record says its session works in; "" where it says none.

    `cwd` stands in Claude Code's records and in every hook's, in the `payload` of Codex's, in `data` or its `context`
    of Copilot's.
    """
    data = record.get("data")
    for said in (record, record.get("payload"), data, data.get("context") if isinstance(data, dict) else None):
        folder = said.get("cwd") if isinstance(said, dict) else None
        if isinstance(folder, str) and folder.startswith("/"):
            return plain(folder, PATH_MAX_CHARS)
    return ""


def each(found: Iterator[Found], is_growing: bool = False) -> Iterator[Found]:
    """The records, those taken apart that hold others: a whole session in one object is as many records as it has.

    `is_growing`: the file is still being written, so what its end says may not be all.
    """
    for one in found:
        value = one.value
        if value is None:
            yield one
        elif gemini_chats.is_head(value):
            yield from gemini_chats.settled(chain((one,), found), is_growing)
        elif (parts := _parts(value)) is None:
            yield one
        else:
            for part in parts:
                yield part_of(one, part)


def _parts(value: Record) -> "Iterable[object] | None":
    for name, apart in CONTAINERS:
        if name in value:
            return apart(value)
    return None
