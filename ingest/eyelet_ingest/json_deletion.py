"""The JSON files of a root as a place of deletion (`store/places.py`): each holds an event, and is asked like one."""

import os
from contextlib import suppress

from eyelet_ingest import json_files
from eyelet_ingest.errors import BadInput
from eyelet_ingest.events import Event
from eyelet_ingest.jsontext import dumps
from eyelet_ingest.store import layout, writer
from eyelet_ingest.store.deletion import DayDeleted
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.places import Walked, matching
from eyelet_ingest.store.tombstones import Tombstones
from eyelet_ingest.store.wanted import Wanted

NAME = "json"


class JsonFiles(Walked):
    """Events as files of their own (`logging.format: json` or `both`)."""

    name = NAME

    def _walk(self, wanted: Wanted, *, go: bool) -> list[DayDeleted]:
        counts: dict[PartitionKey, int] = {}
        for path in json_files.files(self.root, unfinished=True):
            try:
                found = self._wants(path, wanted)
            except OSError:
                continue  # gone meanwhile
            if found is None:
                continue
            key, uid = found
            counts[key] = counts.get(key, 0) + 1
            if go:
                if uid:
                    Tombstones.of(self.root).remember(key.context, [uid])
                remove(path, os.path.join(self.root, json_files.FOLDER))
        return [DayDeleted(key, events, False, self.name) for key, events in sorted(counts.items())]

    def _wants(self, path: str, wanted: Wanted) -> tuple[PartitionKey, bytes] | None:
        """The day and the uid of the event in this file, if it is to go; the uid is b"" where it is no whole event."""
        try:
            given, event = event_of(json_files.read(path))
            key = layout.key_for(layout.safe_context(given), event.time_us)
        except (BadInput, ValueError, OverflowError):
            met_us = max(os.lstat(path).st_mtime_ns // 1_000, 0)
            with open(path, "rb") as file:
                text = file.read().decode("utf-8", "replace")
            is_told = wanted.is_told_in(text, layout.DEFAULT_CONTEXT, met_us)
            return (layout.key_for(layout.DEFAULT_CONTEXT, met_us), b"") if is_told else None
        if wanted.prompts:  # which rows a prompt has is worked out from the days: here is what names it
            is_told = wanted.is_told_in(event.data, key.context, event.time_us)
            return (key, event.uid) if is_told else None
        return (key, event.uid) if matching([(key, given, writer.row_of(event))], wanted) else None


def event_of(head: dict[str, object]) -> tuple[str, Event]:
    """The given name of the context, and the event; BadInput where a part of it cannot be."""
    try:
        uid, time_us, given = bytes.fromhex(str(head["uid"])), int(str(head["time_us"])), str(head["context"])
        columns = {name: head[name] for name in json_files.COLUMNS if name in head}
        meta = head.get("meta")
        event = Event(data=dumps(head["data"]), meta=meta if isinstance(meta, dict) else {}, **columns)  # type: ignore[arg-type]
    except (KeyError, ValueError, TypeError) as bad:
        raise BadInput("read", reason=f"it is no event: {bad}") from bad
    event.uid, event.time_us = uid, time_us
    return given, event


def remove(path: str, end: str) -> None:
    """The file, and the folders below `end` that are empty then."""
    os.unlink(path)
    folder = os.path.dirname(path)
    with suppress(OSError):
        while folder != end:
            os.rmdir(folder)
            folder = os.path.dirname(folder)
