"""The places that hold recorded data besides the days, for a redaction: the spool here, archives and others their own.

A file is written anew beside itself and takes its own place in one step: whoever is killed leaves the old or the new.
"""

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress

from eyelet_ingest.errors import BadInput, EyeletError, PartitionBusy
from eyelet_ingest.jsontext import dumps, parse
from eyelet_ingest.store import alongside, beside, identity, layout, spool, writer
from eyelet_ingest.store.connect import FileLock, is_there
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.places import DEADLINE_MS, matching, met_us
from eyelet_ingest.store.redacted import DayRedacted
from eyelet_ingest.store.redacting import Place, Work

FAULTS = ("faults", "faults.old")  # faults.py
# Files of ours without recorded text, which a wide pattern would match; and the settings, which may hold the pattern.
_OF_NO_TEXT = ("redactions", "seals", "manifest.json", "retention.json", "sealing.json", "tokens.json", "eyelet.yaml")
MADE = ".redacted"  # how the name of a file ends that is being made


def redacted_places(root: str) -> tuple[list[Place], list[Place]]:
    """Those of one root that are walked before the days, and those after them."""
    before: list[Place] = [Spool(), Faults()]
    if os.path.isdir(os.path.join(root, "json")):
        from eyelet_ingest.json_redaction import JsonFiles

        before.append(JsonFiles())
    if is_there(os.path.join(root, "ingest.sqlite")):
        from eyelet_ingest.remembered_redaction import Remembered

        before.append(Remembered())
    after: list[Place] = []
    if os.path.isdir(layout.archive_dir(root)):
        from eyelet_ingest.store.archived_redaction import Archives

        after.append(Archives())
    return before, after


class Days:
    """What one place gives, day by day, as its files are met one by one."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.found: dict[PartitionKey, DayRedacted] = {}

    def of(self, key: PartitionKey) -> DayRedacted:
        return self.found.setdefault(key, DayRedacted(key, self.place))

    def counted(self, key: PartitionKey, what: str) -> None:
        """One record of this day changes in its `what`."""
        day = self.of(key)
        day.events += 1
        day.columns[what] += 1

    def announce(self, work: Work) -> None:
        """Before anything changes: it stands in the receipt."""
        if work.receipt is not None:
            for _, day in sorted(self.found.items()):
                if day.columns:
                    work.receipt.about(day.told())

    def all(self) -> Iterator[DayRedacted]:
        for _, day in sorted(self.found.items()):
            if day.columns or day.kept:
                yield day


class Spool:
    """Events that wait for their day, and files that turned out to be none."""

    name = "spool"

    def redact(self, work: Work) -> Iterator[DayRedacted]:
        planned = Days(self.name)
        self._walk(work, planned, go=False)
        if not work.go or not planned.found:
            yield from planned.all()
            return
        done = Days(self.name)
        with alone(work.root):  # no drain is at work meanwhile: what it read before could be stored after
            planned.announce(work)
            self._walk(work, done, go=True)
            if work.receipt is not None:
                work.receipt.done()
        yield from done.all()

    def _walk(self, work: Work, days: Days, *, go: bool) -> None:
        being_written = set(spool.unfinished(work.root))
        for path in [*spool.waiting(work.root), *spool.set_aside(work.root), *sorted(being_written)]:
            try:
                change = self._changed(work, path, days)
                if change is None:
                    self._clean_reason(work, path, days, go)
                    continue
                if path in being_written and time.time() - os.lstat(path).st_mtime < spool.ADOPTED_AFTER_S:
                    # Its writer may still be there, and would give the name to what we put in its place.
                    if go or not work.go:
                        work.failed(change[0], f"{path} is being written: run it again in a minute")
                elif go:
                    replace(path, change[1])
                    _clean_why(work, path)
            except FileNotFoundError:
                continue  # drained meanwhile
            except OSError as bad:
                raise EyeletError("redact", path, bad.strerror or str(bad), "may you write there?") from bad

    def _changed(self, work: Work, path: str, days: Days) -> tuple[PartitionKey, bytes] | None:
        """The day of the file, and what is to stand in it; None where nothing goes."""
        try:
            key, given, row, _ = spool.read(path)
        except BadInput:
            return self._changed_text(work, path, days)
        with open(path, "rb") as file:
            record = parse(file.read().decode("utf-8", "replace"))
        assert isinstance(record, dict)
        one = work.clean((*writer.ROW_COLUMNS, "why"), (*row[2:], str(record.get("why", ""))))
        if not one.values and not one.kept:
            return None
        if not matching([(key, given, row)], work.wanted):
            return None
        days.of(key).add(one)
        if not one.values:
            return None
        values = dict(zip(writer.ROW_COLUMNS, row[2:], strict=True)) | one.values
        why = values.pop("why", record.get("why", ""))
        return key, dumps(record | {"row": list(values.values()), "why": why}).encode("utf-8", "replace")

    def _changed_text(self, work: Work, path: str, days: Days) -> tuple[PartitionKey, bytes] | None:
        key, at_us = _day_of(path)
        with open(path, "rb") as file:
            raw = file.read()
        safe = work.text_of_no_event(raw, key.context, at_us)
        if safe is raw:
            return None
        days.counted(key, "file")
        return key, safe

    def _clean_reason(self, work: Work, path: str, days: Days, go: bool) -> None:
        """The reason beside a file in which nothing goes."""
        try:
            with open(path + ".why", "rb") as file:
                raw = file.read()
        except FileNotFoundError:
            return
        key, at_us = _day_of(path)
        safe = work.text_of_no_event(raw, key.context, at_us)
        if safe is not raw:
            days.counted(key, "why")
            if go:
                replace(path + ".why", safe)


def _day_of(path: str) -> tuple[PartitionKey, int]:
    """Of a file in the spool that holds no event: the day in its name, and the time."""
    at_us = met_us(path)
    name = os.path.basename(path).removesuffix(".json").split("-", 2)[-1]
    return layout.key_from_mount_name(name) or layout.key_for(layout.DEFAULT_CONTEXT, at_us), at_us


class Faults:
    """What hooks noted that went wrong, where that lies in the root. It belongs to no event: to be chosen, all is."""

    name = "faults"

    def redact(self, work: Work) -> Iterator[DayRedacted]:
        days = Days(self.name)
        if work.wanted.chooses:
            return
        changes = {}
        for name in FAULTS:
            path = os.path.join(work.root, name)
            try:
                with open(path, "rb") as file:
                    raw = file.read()
                safe = work.text_of_no_event(raw, layout.DEFAULT_CONTEXT, 0)
                if safe is not raw:
                    days.counted(layout.key_for(layout.DEFAULT_CONTEXT, met_us(path)), "file")
                    changes[path] = safe
            except OSError:
                continue
        if work.receipt is not None and changes:
            days.announce(work)
            for path, safe in changes.items():
                replace(path, safe)
            work.receipt.done()
        yield from days.all()


def say_what_others_hold(work: Work, days: Iterable[PartitionKey]) -> None:
    """Name the files under the root that are no place of events and hold what goes: copies of days, notes, audit."""
    for path in beside.files(work.root, days):
        name = os.path.relpath(path, work.root)
        if name.split(os.sep)[0] in (*FAULTS, alongside.FOLDER, *_OF_NO_TEXT) or os.path.basename(path) in _OF_NO_TEXT:
            continue
        troubles: list[str] = []
        held = [where for where, content in beside.texts(path, troubles) if work.cleaner.bytes(content) is not content]
        if held:
            work.failed(None, f"{name} holds it, and is no place of events: change it, or remove it, yourself")


def alone(root: str) -> FileLock:
    """The lock of the spool: no drain is at work, and no other redaction among files."""
    identity.make_private_dir(os.path.join(root, "spool"))
    return _alone(root, DEADLINE_MS)


def replace(path: str, content: bytes) -> None:
    """Put the content in the file's place, in one step, 0600; OSError where that fails."""
    mine = f"{os.path.join(os.path.dirname(path), '.' + os.path.basename(path))}.{os.getpid()}{MADE}"
    handle = os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0), 0o600)
    identity.put_whole(handle, content, mine, path)


def _clean_why(work: Work, path: str) -> None:
    """The reason beside a file that was set aside may quote it."""
    try:
        with open(path + ".why", "rb") as file:
            raw = file.read()
    except FileNotFoundError:
        return
    safe = work.cleaner.bytes(raw)
    if safe is not raw:
        replace(path + ".why", safe)


def remove_left(root: str) -> None:
    """What somebody was making when he was killed. Where another redaction is at work, it stays for the next one."""
    folders = [one for folder in spool.folders(root) for one in (folder, os.path.join(folder, "bad"))]
    left = [path for folder in folders for path in _left_in(folder)]
    if os.path.isdir(os.path.join(root, "json")):
        left += [path for folder, _, _ in os.walk(os.path.join(root, "json")) for path in _left_in(folder)]
    if not left:
        return
    identity.make_private_dir(os.path.join(root, "spool"))
    with suppress(PartitionBusy), _alone(root, 0):
        for path in left:
            with suppress(FileNotFoundError):
                os.unlink(path)


def _alone(root: str, deadline_ms: int) -> FileLock:
    """The lock of the spool: no drain is at work, and no other redaction in files."""
    return FileLock(os.path.join(root, "spool", "drain.lock"), time.monotonic_ns() + deadline_ms * 1_000_000)


def _left_in(folder: str) -> list[str]:
    try:
        return [os.path.join(folder, name) for name in os.listdir(folder) if name[0] == "." and name.endswith(MADE)]
    except OSError:
        return []
