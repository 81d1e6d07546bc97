"""The JSON files of a root as a place of redaction: each holds an event, and is cleaned like its row."""

import os
import time
from collections.abc import Iterator

from eyelet_ingest import json_files
from eyelet_ingest.errors import BadInput, EyeletError
from eyelet_ingest.json_deletion import event_of, remove
from eyelet_ingest.jsontext import dumps, parse
from eyelet_ingest.store import layout, spool, writer
from eyelet_ingest.store.identity import make_private_dir
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.places import matching
from eyelet_ingest.store.redacted import DayRedacted
from eyelet_ingest.store.redacted_places import Days, alone, replace
from eyelet_ingest.store.redacting import Work

NAME = "json"


class JsonFiles:
    """Events as files of their own (`logging.format: json` or `both`)."""

    name = NAME

    def redact(self, work: Work) -> Iterator[DayRedacted]:
        days = Days(self.name)
        self._walk(work, days, go=False)
        if work.receipt is not None and days.found:
            days.announce(work)
            days = Days(self.name)
            with alone(work.root):
                self._walk(work, days, go=True)
            work.receipt.done()
        yield from days.all()

    def _walk(self, work: Work, days: Days, *, go: bool) -> None:
        for path in list(json_files.files(work.root, unfinished=True)):
            try:
                self._one(work, path, days, go)
            except FileNotFoundError:
                continue  # gone meanwhile
            except OSError as bad:
                raise EyeletError("redact", path, bad.strerror or str(bad), "may you write there?") from bad

    def _one(self, work: Work, path: str, days: Days, go: bool) -> None:
        try:
            head = json_files.read(path)
            given, event = event_of(head)
            key = layout.key_for(layout.safe_context(given), event.time_us)
        except (BadInput, ValueError, OverflowError):
            self._no_event(work, path, days, go)
            return
        row = writer.row_of(event)
        one = work.clean(writer.ROW_COLUMNS, row[2:])
        if not (one.values or one.kept) or not matching([(key, given, row)], work.wanted):
            return
        days.of(key).add(one)
        if not one.values or not go:
            return
        for name, value in one.values.items():
            head[name] = parse(str(value)) if name in ("data", "meta") else value
            if hasattr(event, name) and name not in ("data", "meta"):
                setattr(event, name, value)
        folder, name = json_files.place_of(work.root, event)
        make_private_dir(folder)
        target = os.path.join(folder, name)
        replace(target, f"{dumps(head)}\n".encode("utf-8", "replace"))
        if target != path:  # its type or its tool named what goes
            remove(path, os.path.join(work.root, json_files.FOLDER))

    def _no_event(self, work: Work, path: str, days: Days, go: bool) -> None:
        there = os.lstat(path)
        key: PartitionKey = layout.key_for(layout.DEFAULT_CONTEXT, max(there.st_mtime_ns // 1_000, 0))
        with open(path, "rb") as file:
            raw = file.read()
        safe = work.text_of_no_event(raw, key.context, there.st_mtime_ns // 1_000)
        if safe is raw:
            return
        if os.path.basename(path)[0] == "." and time.time() - there.st_mtime < spool.ADOPTED_AFTER_S:
            if go or not work.go:
                work.failed(key, f"{path} is being written: run it again in a minute")
            return
        days.counted(key, "file")
        if go:
            replace(path, safe)
