"""Exports coming in: whole rows from files of `eyelet export`, each event once, in bounded memory.

A line that is damaged is named with its file and number, and the rest is kept; of a file that was cut, what stands
before the cut. Nothing of it goes to the quarantine: the export itself holds it. It was redacted when it was recorded,
and is again, by what the caller has for it (`clean`). Whoever is stopped anywhere begins anew: what is stored is known.
"""

import gzip
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO, cast

from eyelet_ingest.errors import BadInput, PartitionError
from eyelet_ingest.store import layout, lines, transfer
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.transfer import WholeRow

STDIN = "-"
LINE_BYTES = 512 * 2**20  # a longer line is none of ours: a payload has at most 128 million characters
TROUBLES_KEPT = 1_000
GZIP_MAGIC = b"\x1f\x8b"
Progress = Callable[[int], object]  # bytes of the files that were read since it was last called


@dataclass(frozen=True, slots=True)
class Trouble:
    """What could not be taken, where it stands (line 0: the whole file), and why."""

    file: str
    line: int
    reason: str


@dataclass(slots=True)
class Imported:
    """What became of the events: read, stored, known already, deleted earlier (so not stored), and not taken.

    `troubles` are the first TROUBLES_KEPT of them, and what is wrong with whole files; `failed` counts all.
    """

    dry_run: bool
    read: int = 0
    stored: int = 0
    known: int = 0
    dead: int = 0
    failed: int = 0
    days: set[PartitionKey] = field(default_factory=set)
    troubles: list[Trouble] = field(default_factory=list)

    def trouble(self, file: str, line: int, reason: str) -> None:
        self.failed += 1
        if len(self.troubles) < TROUBLES_KEPT:
            self.troubles.append(Trouble(file, line, reason))


class Importing:
    """Events on their way into one root; those of several files together."""

    def __init__(
        self,
        root: str,
        *,
        context: str | None = None,
        force: bool = False,
        dry_run: bool = False,
        clean: transfer.Clean | None = None,
    ) -> None:
        self.root, self.context, self.force, self.clean = root, context, force, clean
        self.done = Imported(dry_run)
        self._waiting: dict[tuple[PartitionKey, str], list[tuple[str, int, WholeRow]]] = {}
        self._rows = self._chars = 0

    def file(self, name: str, stream: BinaryIO) -> None:
        """Take the events of one file, which is gzip or plain."""
        number = events = promised = 0
        end: lines.End | None = None
        try:
            with _plain(stream) as plain:
                for number, text in _numbered(plain):
                    if len(text) > LINE_BYTES:
                        self.done.trouble(name, number, f"longer than {LINE_BYTES:,} bytes")
                        continue
                    try:
                        found = lines.read(text)
                    except lines.NewerFormat as bad:
                        self.done.trouble(name, number, f"{bad.reason} ({bad.hint})")
                        return
                    except BadInput as bad:
                        self.done.trouble(name, number, f"{bad.reason} ({bad.hint})" if bad.hint else bad.reason)
                        events += 1
                        continue
                    if isinstance(found, lines.Found):
                        events += 1
                        self._take(name, number, found)
                    elif found is not None:
                        end = found
                        promised += max(found.events, 0)
        except (OSError, EOFError, zlib.error) as bad:
            self.done.trouble(name, number + 1, f"the file is damaged or was cut from here on: {bad}")
            return
        finally:
            self.flush()
        self._judge(name, number, events, promised, end)

    def flush(self) -> None:
        """Store what is held back to be stored together."""
        waiting, self._waiting, self._rows, self._chars = self._waiting, {}, 0, 0
        for (key, given), some in waiting.items():
            rows: Sequence[WholeRow] = [row for _, _, row in some]
            try:
                if self.done.dry_run:
                    stored = transfer.planned(self.root, key, rows, force=self.force)
                else:
                    rows = self.clean(rows) if self.clean else rows
                    stored = transfer.store(self.root, key, given, rows, force=self.force)
            except PartitionError as bad:
                for name, number, _ in some:
                    self.done.trouble(name, number, f"{key.context} {key.date}: {bad.reason} ({bad.hint})")
                continue
            self.done.stored += stored.stored
            self.done.known += stored.known
            self.done.dead += stored.dead
            self.done.days.add(key)
            for at, reason in stored.refused:
                self.done.trouble(*some[at][:2], reason)

    def _take(self, name: str, number: int, found: lines.Found) -> None:
        key, given = found.key, found.given
        if self.context is not None:
            key, given = PartitionKey(layout.safe_context(self.context), key.year, key.day), self.context
        self.done.read += 1
        self._waiting.setdefault((key, given), []).append((name, number, found.row))
        self._rows += 1
        self._chars += transfer.chars_of(found.row)
        if self._rows >= 2 * transfer.BATCH_ROWS or self._chars >= transfer.BATCH_CHARS:
            self.flush()

    def _judge(self, name: str, number: int, events: int, promised: int, end: lines.End | None) -> None:
        """What the end of a file says of the whole; files joined to one have several ends."""
        if end is None:
            what = "it was cut: the last line of an export is missing" if events else "there is no export in it"
            self.done.trouble(name, number, what)
        elif not end.complete:
            self.done.trouble(name, number, "it was not whole when it was made: its last line names what is missing")
        elif events < promised:
            self.done.trouble(name, number, f"events are missing: it holds {events:,}, and was made with {promised:,}")


def import_files(
    importing: Importing, paths: Iterable[str], stdin: BinaryIO | None = None, progress: Progress | None = None
) -> Imported:
    """The events of the files at `paths`, `-` being `stdin`. A file that cannot be read is named in the result."""
    for path in paths:
        try:
            if path == STDIN:
                if stdin is None:
                    raise BadInput("import", path, "there is no standard input")
                importing.file(path, stdin)
                continue
            with open(path, "rb") as stream:
                importing.file(path, cast(BinaryIO, _Watched(stream, progress)) if progress else stream)
        except OSError as bad:
            importing.done.trouble(path, 0, f"{bad.strerror or bad} (name a file that `eyelet export` wrote)")
    return importing.done


class _Watched:
    """A file that says how much of it was read."""

    def __init__(self, stream: BinaryIO, progress: Progress) -> None:
        self.stream, self.progress = stream, progress

    def read(self, size: int = -1) -> bytes:
        content = self.stream.read(size)
        self.progress(len(content))
        return content


class _Joined:
    """A stream whose first bytes were read already."""

    def __init__(self, first: bytes, stream: BinaryIO) -> None:
        self.first, self.stream = first, stream

    def read(self, size: int = -1) -> bytes:
        if self.first:
            first, self.first = self.first, b""
            return first
        return self.stream.read(min(size, 1 << 16) if size > 0 else 1 << 16)


@contextmanager
def _plain(stream: BinaryIO) -> Iterator[Iterator[bytes]]:
    """The stream's content in pieces, unpacked where it is gzip."""
    first = stream.read(2)
    joined = cast(BinaryIO, _Joined(first, stream))
    if first != GZIP_MAGIC:
        yield iter(lambda: joined.read(1 << 16), b"")
        return
    with gzip.GzipFile(fileobj=joined) as unpacked:
        yield iter(lambda: unpacked.read1(1 << 16), b"")


def _numbered(pieces: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
    """Lines with their numbers. Of one longer than LINE_BYTES only the beginning comes, longer by one than allowed."""
    parts: list[bytes] = []
    number, held = 1, 0
    for piece in pieces:
        *whole, rest = piece.split(b"\n")
        for one in whole:
            text = b"".join([*parts, one])
            yield number, text[: LINE_BYTES + 1] if len(text) > LINE_BYTES else text + b"\n"
            number, parts, held = number + 1, [], 0
        if held <= LINE_BYTES:
            parts.append(rest)
        held += len(rest)
    if held:
        yield number, b"".join(parts)[: LINE_BYTES + 1]


def total_bytes(paths: Iterable[str]) -> int:
    """How much there is to read, for who shows progress."""
    return sum(os.path.getsize(path) for path in paths if path != STDIN and os.path.isfile(path))
