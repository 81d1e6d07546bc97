"""Sync: what is new in other roots comes into this one, each event once, and again and again.

A source is read day by day in the order of arrival, from the cursor on that this root keeps of it (cursors.py); so an
event that came late, behind others in time, is not missed, and a day whose files are as they were is not opened. Rows
are stored first and the cursor after them: whoever is stopped anywhere repeats a batch at most, and stores nothing
twice. Both roots may be written meanwhile, and each may be the other's source.

A source is a folder (of this machine, or mounted), or a root of another machine, where `sender` runs: it is sent the
cursors and answers with the lines of an export, and marks between them that say where each day stands.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, NamedTuple

from eyelet_ingest.errors import BadInput, EyeletError, PartitionError, RootError
from eyelet_ingest.store import layout, lines, schema, transfer
from eyelet_ingest.store.answers import Unreadable
from eyelet_ingest.store.catalog import Catalog
from eyelet_ingest.store.connect import is_there
from eyelet_ingest.store.copier import state_of
from eyelet_ingest.store.cursors import Cursor, Cursors
from eyelet_ingest.store.importing import LINE_BYTES
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.transfer import ARRIVED, UID, WholeRow

FORMAT = 1
BEGINNING = -(2**63)


class Piece(NamedTuple):
    """Some rows of one of a source's days, in the order of arrival, and where that leaves it; `trouble` instead, where
    the day could not be read (on)."""

    key: PartitionKey
    given: str
    rows: list[WholeRow]
    cursor: Cursor | None
    trouble: str = ""


@dataclass(slots=True)
class Synced:
    """What became of one source's new events; `days` are those that something was stored in."""

    source: str
    dry_run: bool
    stored: int = 0
    known: int = 0
    dead: int = 0
    days: set[PartitionKey] = field(default_factory=set)
    failed: list[Unreadable] = field(default_factory=list)

    def fail(self, key: PartitionKey, reason: str) -> None:
        self.failed.append(Unreadable(key.context, key.date, reason, self.source))


Source = Callable[[dict[PartitionKey, Cursor], "frozenset[str]"], Iterable[Piece]]


def folder(root: str) -> Source:
    """The root in a folder as a source; RootError, when it is asked, where there is none."""

    def pieces(cursors: dict[PartitionKey, Cursor], contexts: frozenset[str]) -> Iterator[Piece]:
        if not os.path.isdir(layout.logs_dir(root)):
            raise RootError("sync from", root, "it is no root: it has no folder logs", "is it mounted?")
        return _pieces(Catalog(root), cursors, contexts)

    return pieces


def source_of(root: str, text: str, ssh: str = "ssh", program: str = "eyelet") -> tuple[str, Source]:
    """The source that a person means, and the name of its cursors: a folder, or `ssh://host/path`. BadInput where it
    is this root itself."""
    if text.startswith("ssh://"):
        from shlex import split

        from eyelet_ingest.store.remote import over_ssh

        return text, over_ssh(text, split(ssh), program)
    path = os.path.realpath(os.path.expanduser(text))
    if path == os.path.realpath(root):
        raise BadInput("sync from", text, "it is the root itself", "name another with --root")
    return path, folder(path)


def sync(
    root: str,
    sources: Iterable[str],
    *,
    contexts: Sequence[str] = (),
    force: bool = False,
    dry_run: bool = False,
    ssh: str = "ssh",
    program: str = "eyelet",
    progress: Callable[[int], object] | None = None,
    clean: transfer.Clean | None = None,
) -> list[Synced]:
    """`receive` from one source after another; one that cannot be read is named in its result, and the rest goes on.
    `clean` takes from the rows what must not come in.

    Before anything is done: BadInput for what is no source, RootError for a root that is none.
    """
    Catalog(root).partitions()
    results = []
    for name, source in [source_of(root, text, ssh, program) for text in sources]:
        done = Synced(name, dry_run)
        results.append(done)
        try:
            receive(root, done, source, contexts=contexts, force=force, progress=progress, clean=clean)
        except RootError as bad:
            done.failed.append(Unreadable("", "", f"{bad.reason} ({bad.hint})", name))
    return results


def receive(
    root: str,
    done: Synced,
    source: Source,
    *,
    contexts: Iterable[str] = (),
    force: bool = False,
    progress: Callable[[int], object] | None = None,
    clean: transfer.Clean | None = None,
) -> None:
    """Store in `root` what is new in `source`, of these given contexts or of all; what became of it is added to `done`,
    under whose name the source's cursors are kept. With `force` it is read from its beginning, and what was deleted
    here comes back.

    What cannot be read or stored is named in the result; that day is taken up at the same place the next time.
    RootError where a whole root cannot be read or written.
    """
    kept = Cursors(root, done.source)
    broken: set[PartitionKey] = set()
    wanted = frozenset(layout.safe_context(context) for context in contexts)
    for piece in source({} if force else kept.all(), wanted):
        if piece.trouble:
            done.fail(piece.key, piece.trouble)
            broken.add(piece.key)
        if piece.key in broken:
            continue
        try:
            _take(root, piece, done, force, clean)
        except PartitionError as bad:
            done.fail(piece.key, f"{bad.reason} ({bad.hint})")
            broken.add(piece.key)
            continue
        if piece.cursor is not None and not done.dry_run:
            kept.save(piece.key, piece.cursor)
        if progress is not None:
            progress(done.stored)


def _take(root: str, piece: Piece, done: Synced, force: bool, clean: transfer.Clean | None) -> None:
    if not piece.rows:
        return
    if done.dry_run:
        stored = transfer.planned(root, piece.key, piece.rows, force=force)
    else:
        rows = clean(piece.rows) if clean else piece.rows
        stored = transfer.store(root, piece.key, piece.given, rows, force=force)
    done.stored += stored.stored
    done.known += stored.known
    done.dead += stored.dead
    if stored.stored:
        done.days.add(piece.key)
    for _, reason in stored.refused[:1]:
        done.fail(piece.key, f"{len(stored.refused):,} not stored, the first: {reason}")


def _pieces(catalog: Catalog, cursors: dict[PartitionKey, Cursor], contexts: frozenset[str]) -> Iterator[Piece]:
    """What is new in each day of a root."""
    for key in catalog.partitions():
        path = layout.db_path(catalog.root, key)
        if (contexts and key.context not in contexts) or not is_there(path):
            continue
        # What the files were before they are read: what comes meanwhile makes another state.
        state = json.dumps(found) if (found := state_of(path)) else ""
        cursor = cursors.get(key)
        if cursor is not None and state and cursor.state == state:
            continue
        try:
            yield from _day(path, key, cursor, state)
        except PartitionError as bad:
            if is_there(path):  # else it was removed meanwhile
                yield Piece(key, "", [], None, f"{bad.reason} ({bad.hint})")


def _day(path: str, key: PartitionKey, cursor: Cursor | None, state: str) -> Iterator[Piece]:
    with transfer.reading(path) as conn:
        if not schema.is_ready(conn):
            return
        given = transfer.given_name(conn, key)
        last = cursor if cursor is not None and _is_there(conn, cursor) else Cursor(BEGINNING, b"", "")
        # What has no arrived, or none that is a number, comes each time: nothing says whether it is new. What is
        # beyond the end of all arrivals does so, too: a place there would hide all that comes later.
        clauses = ["(arrived is null or arrived > ?)"]
        for rows in transfer.batches(transfer.rows_of(conn, clauses, [last.arrived])):
            arrived = [(row[ARRIVED], row[UID]) for row in rows if transfer.is_arrival(row[ARRIVED])]
            if arrived and isinstance(arrived[-1][1], bytes):
                last = Cursor(*arrived[-1], "")
            yield Piece(key, given, rows, last)
        yield Piece(key, given, [], last._replace(state=state))


def _is_there(conn: Any, cursor: Cursor) -> bool:
    """Whether the event where the day was left is there: else it was deleted, or the day is another one now."""
    sql = "select exists (select 1 from hooks where arrived = ? and uid = ?)"
    return cursor.arrived > BEGINNING and bool(conn.execute(sql, (cursor.arrived, cursor.uid)).fetchone()[0])


# The way between two machines: one line of JSON there, lines of JSON back.


def asking(cursors: dict[PartitionKey, Cursor], contexts: frozenset[str]) -> bytes:
    """The line that a sender is given."""
    places = {key.mount_name: [cursor.arrived, cursor.uid.hex(), cursor.state] for key, cursor in cursors.items()}
    return lines.line({"eyelet_sync": FORMAT, "contexts": sorted(contexts), "cursors": places})


def sender(root: str, asked: bytes) -> Iterator[bytes]:
    """The answer of a root to `asking`; BadInput where that is none. A whole answer ends with an export's last line."""
    cursors, contexts = _understood(asked)
    events = 0
    yield lines.header()
    for piece in folder(root)(cursors, contexts):
        for row in piece.rows:
            events += 1
            yield lines.of_row(piece.key, piece.given, row)
        cursor = None if piece.cursor is None else [piece.cursor.arrived, piece.cursor.uid.hex(), piece.cursor.state]
        said = {"day": piece.key.mount_name, "given": piece.given, "cursor": cursor, "trouble": piece.trouble}
        yield lines.line({"sync": said})
    yield lines.line({"end": {"events": events, "complete": True, "unreadable": []}})


def received(answer: BinaryIO) -> Iterator[Piece]:
    """The pieces of a sender's answer; EyeletError where it is cut or none, after what came before."""
    events: list[lines.Found] = []
    chars = 0
    for number, text in enumerate(iter(lambda: answer.readline(LINE_BYTES), b""), 1):
        try:
            if len(events) > transfer.BATCH_ROWS or chars > transfer.BATCH_CHARS + LINE_BYTES:
                raise ValueError("more events than are sent together")
            if text.startswith(b'{"sync": '):
                yield _mark(json.loads(text)["sync"], events)
                events, chars = [], 0
                continue
            found = lines.read(text)
        except (EyeletError, ValueError, KeyError, TypeError, RecursionError) as bad:
            reason = bad.reason if isinstance(bad, EyeletError) else str(bad)
            raise BadInput("sync", reason=f"line {number} of the answer is damaged: {reason}") from bad
        if isinstance(found, lines.Found):
            events.append(found)
            chars += transfer.chars_of(found.row)
        elif isinstance(found, lines.End):
            return
    raise BadInput("sync", reason="the answer was cut", hint="what came is stored; run it again")


def _mark(said: dict[str, Any], events: list[lines.Found]) -> Piece:
    key = layout.key_from_mount_name(str(said["day"]))
    if key is None:
        raise ValueError(f"{said['day']!a} is no day")
    if any(event.key != key for event in events):
        raise ValueError(f"events of another day than {said['day']!a} stand before it")
    cursor = None if said["cursor"] is None else _cursor(said["cursor"])
    given = lines.given_of(str(said["given"]), key.context)
    return Piece(key, given, [event.row for event in events], cursor, str(said["trouble"]))


def _understood(asked: bytes) -> tuple[dict[PartitionKey, Cursor], frozenset[str]]:
    try:
        said = json.loads(asked)
        if said["eyelet_sync"] != FORMAT:
            raise ValueError(f"it speaks format {said['eyelet_sync']!r}, this software {FORMAT}")
        cursors = {layout.key_from_mount_name(name): _cursor(place) for name, place in said["cursors"].items()}
        return {key: cursor for key, cursor in cursors.items() if key is not None}, frozenset(said["contexts"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as bad:
        reason = f"what was asked cannot be understood: {bad}"
        raise BadInput("send", reason=reason, hint="use the same version on both machines") from bad


def _cursor(said: list[Any]) -> Cursor:
    arrived, uid, state = said
    if type(arrived) is not int or arrived not in lines.INT64 or not (isinstance(state, str) and state.isascii()):
        raise ValueError("a cursor is a number, a uid and a state")
    return Cursor(arrived, bytes.fromhex(uid), state)
