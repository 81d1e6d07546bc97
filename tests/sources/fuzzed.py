"""Any bytes through every source: they become events, or reasons, and never a traceback.

`take` is the law. `test_fuzz.py` holds the samples of the documentation to it, and in soak has atheris (libFuzzer for
Python, github.com/google/atheris) look for what breaks it: `python -m tests.sources.fuzzing CORPUS… -runs=N`.
"""

import ast
import io
import json
from collections.abc import Iterator
from pathlib import Path

from eyelet_ingest import reading
from eyelet_ingest.errors import BadInput
from eyelet_ingest.jsontext import dumps
from eyelet_ingest.reading import Found
from eyelet_ingest.sources import formats, hero_proc, mapped, old_eyelet, opencode, registry
from eyelet_ingest.sources.formats import FORMATS
from tests.sources.shapes import DOCS, hold_to_columns, said, table

SOURCES = Path(formats.__file__).parent
RECORDS_MOST = 64  # of one input
HEADINGS = [
    line[3:].strip() for line in (DOCS / "events.md").read_text(encoding="utf-8").splitlines() if line.startswith("## ")
]


def take(raw: bytes) -> int:
    """All that an import and a hook ask of each record, by every source; how many events that were."""
    readers = {one.name: one.reader() for one in FORMATS}
    events = 0
    found = reading.records(reading.open_stream(io.BufferedReader(io.BytesIO(raw))))  # type: ignore[arg-type]
    for number, one in enumerate(formats.each(found, is_growing=len(raw) % 2 == 1)):
        if number == RECORDS_MOST:
            break
        if one.value is not None:
            formats.of(one.value, FORMATS[number % len(FORMATS)])
            events += _by_recordings(one, one.value, readers) + _by_hooks(one.value) + _by_others(one.value)
    return events


def _by_recordings(one: Found, value: "dict[str, object]", readers: "dict[str, formats.Reader]") -> int:
    events = 0
    for reader in readers.values():
        time_us, uuid = reader.time_us(value), reader.uuid(value)
        assert time_us is None or type(time_us) is int
        assert uuid is None or all(isinstance(part, str) for part in uuid)
        dumps(reader.same(value))
        try:
            event = reader.event(value, one.text)
        except BadInput as bad:
            assert bad.reason
            continue
        hold_to_columns(event)
        events += 1
    return events


def _by_hooks(value: "dict[str, object]") -> int:
    for agent in ("", *registry.AGENTS):
        assert registry.agent_of(value, agent) in registry.AGENTS
        hold_to_columns(registry.normalise(value, "{}", agent))
    return len(registry.AGENTS) + 1


def _by_others(value: "dict[str, object]") -> int:
    shape = mapped.well_known(value)
    if shape is not None and shape.fits(value):
        shape.time_us(value)
        shape.normalise(value, "{}")  # its src is what the log says
    hero_proc.time_us(value)
    hero_proc.normalise(value, "{}")
    message, session = value.get("message"), value.get("session")
    beside = [inner if isinstance(inner, dict) else {} for inner in (message, session)]
    opencode.is_awaited(value, 0, 1)
    opencode.name_of(value)
    opencode.time_us(value, (0, None))
    hold_to_columns(opencode.normalise(value, "{}", *beside))
    old_eyelet.payload_of(old_eyelet.trimmed(value))
    return 2


def samples() -> Iterator[bytes]:
    """What docs/events.md says of every event of every agent, a line each."""
    for heading in HEADINGS:
        try:
            lines = table(heading)
        except ValueError:  # it has a table of something else
            continue
        for line in lines:
            try:
                payload = said(line)
            except ValueError:
                continue
            event = line["event"]
            for record in (
                {"hook_event_name": event, "session_id": "s", **payload},
                {"type": event, "uuid": "u", "sessionId": "s", "timestamp": "2026-05-31T16:22:08.652Z", **payload},
                {
                    "type": "response_item",
                    "timestamp": "2026-05-31T16:22:08.652Z",
                    "payload": {"type": event, **payload},
                },
                {"type": event, "id": "i" * 36, "parentId": None, "data": payload},
                {"type": event, "id": "i" * 20, "content": "c", "timestamp": "2026-05-31T16:22:08.652Z", **payload},
                {"messageID": "m", "sessionID": "s", "type": event, **payload},
                {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"eventName": event, **payload}]}]}]},
            ):
                yield json.dumps(record).encode() + b"\n"


def words() -> set[str]:
    """The names and words that the sources themselves look for: what a fuzzer would be long to find."""
    found = set()
    for path in SOURCES.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and 1 < len(node.value) <= 40:
                found.add(node.value)
    return {word for word in found if word.isascii() and word.isprintable()}
