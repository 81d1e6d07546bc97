"""Whether sealed days are what they were: each file against its seal, each seal against those it names.

A file that is byte for byte what was sealed needs no further look. Of any other it is told what became of it: events
that came late, a command of ours that says so in the manifest, or a change that nothing explains: of the events, or of
the file alone (another table, an index, a damaged page).
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from eyelet_ingest.errors import PartitionError, PartitionUnreadable
from eyelet_ingest.store import connect, layout, manifest, sealing
from eyelet_ingest.store.digests import FileDigests
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.manifest import Manifest, Registered
from eyelet_ingest.store.statistics import snapshot

UNCHANGED, LATE, REOPENED = "unchanged", "late events", "reopened"
CHANGED, MISSING, BROKEN, UNREADABLE = "changed", "missing", "chain broken", "unreadable"
GONE, NOT_SEALED = "removed", "not sealed"
STATES = (UNCHANGED, LATE, REOPENED, CHANGED, MISSING, BROKEN, UNREADABLE, GONE, NOT_SEALED)
BAD = (CHANGED, MISSING, BROKEN, UNREADABLE)


@dataclass(frozen=True, slots=True)
class Verified:
    """How one day stands to its seal: one of STATES, and in words what is behind it.

    `what` says of a changed day whether its "events" or only its "file" changed; `late` how many events came since;
    `sealed_us`, `rows` and `seal` are of its newest seal, None and "" where it has none.
    """

    key: PartitionKey
    state: str
    detail: str = ""
    what: str = ""
    late: int = 0
    rows: int | None = None
    sealed_us: int | None = None
    seal: str = ""

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong with it; a day without a seal proves nothing, and nothing is wrong with it."""
        return self.state not in BAD


def verify(root: str, keys: Iterable[PartitionKey]) -> Iterator[Verified]:
    """How each of these days stands to its seal, one after another; nothing is written. RootError for a register that
    cannot be read: what it knew of its context's days cannot be told."""
    verifying = _Verifying(root)
    with FileDigests() as digests:
        for key in keys:
            yield verifying.day(key, digests)


def contexts(root: str, keys: Iterable[PartitionKey]) -> set[str]:
    """The contexts of these days, and those of which any was ever sealed."""
    try:
        names = os.listdir(os.path.join(root, "seals"))
    except OSError:
        names = []
    sealed = {name.removesuffix(".jsonl") for name in names if name.endswith(".jsonl")}
    return {key.context for key in keys} | {one for one in sealed if layout.safe_context(one) == one}


def sealed_keys(root: str, contexts: Iterable[str]) -> set[PartitionKey]:
    """The days of these contexts that were ever sealed, whether or not they are there."""
    found = set()
    for context in contexts:
        for date in manifest.register(root, context):
            if (key := _key_of(context, date)) is not None:
                found.add(key)
    return found


class _Verifying:
    """One root's days against their seals."""

    def __init__(self, root: str) -> None:
        self.root = root
        self._registers: dict[str, dict[str, Registered]] = {}
        self._hashes: dict[PartitionKey, frozenset[str]] = {}  # of days that others name: asked again and again

    def day(self, key: PartitionKey, digests: FileDigests) -> Verified:
        known = self._register(key.context).get(key.date)
        try:
            found = manifest.read(self.root, key)
        except PartitionUnreadable as bad:
            return Verified(key, BROKEN, f"{bad.reason} ({bad.hint})")
        if found is None:
            return self._without(key, known)
        newest = found.newest
        facts: dict[str, Any] = {"rows": newest.rows, "sealed_us": newest.sealed_us, "seal": newest.hash}
        broken = self._chain(found, known)
        if not connect.is_there(layout.db_path(self.root, key)):
            return Verified(key, MISSING, "its manifest is there, its database is not", **facts)
        try:
            state, said = self._content(found, digests)
        except PartitionError as bad:
            state, said = UNREADABLE, {"detail": f"{bad.reason} ({bad.hint})" if bad.hint else bad.reason}
        if broken and state not in BAD:
            return Verified(key, BROKEN, broken, **facts)
        if broken:
            said = said | {"detail": f"{said['detail']}; {broken}"}
        return Verified(key, state, **facts, **said)

    def _without(self, key: PartitionKey, known: Registered | None) -> Verified:
        is_there = connect.is_there(layout.db_path(self.root, key))
        if known is None or not known.was_sealed or (known.gone and is_there):
            return Verified(key, NOT_SEALED)
        if known.gone:
            return Verified(key, GONE, f"{known.gone} by a command of ours")
        if is_there:
            return Verified(key, BROKEN, "it was sealed, and its manifest is gone")
        return Verified(key, MISSING, "it was sealed, and its folder is gone")

    def _content(self, found: Manifest, digests: FileDigests) -> tuple[str, dict[str, Any]]:
        key, sealed = found.key, found.newest
        path = layout.db_path(self.root, key)
        same_file = digests.of(path)[0] == sealed.sha256
        if same_file and sealing.is_settled(self.root, key):
            return (REOPENED, {"detail": found.reopened}) if found.reopened else (UNCHANGED, {})
        conn = connect.open_reader(path)
        try:
            with snapshot(conn):
                now = sealing.standing(conn, sealed)
                damage = str(conn.execute("pragma integrity_check(1)").fetchone()[0])
        except conn.DatabaseError as bad:
            reason = f"its file cannot be read any more: {bad}"
            return CHANGED, {"detail": reason, "what": "file"}
        finally:
            conn.close()
        if damage != "ok":
            return CHANGED, {"detail": f"its file is damaged: {damage}", "what": "file", "late": now.late}
        if not now.rows_same and (not found.reopened or found.reopened in sealing.ROWS_STAY):
            gone = sealed.rows - now.rows
            counted = f"{gone} of {sealed.rows} are gone" if gone > 0 else "a value in them was changed"
            return CHANGED, {"detail": f"its events are not what they were: {counted}", "what": "events"}
        if found.reopened:
            return REOPENED, {"detail": found.reopened, "late": now.late}
        if now.late:
            return LATE, {"detail": f"{now.late} came since", "late": now.late}
        if same_file:
            return UNCHANGED, {}
        return CHANGED, {"detail": "its events are what they were, its file is not", "what": "file"}

    def _chain(self, found: Manifest, known: Registered | None) -> str:
        """What is broken about a day's seals and those they name, or ""."""
        if broken := found.broken():
            return broken
        mine = {seal.hash for seal in found.seals}
        if known is not None and not mine.issuperset(known.seals):
            return "a seal that was registered is not in its manifest: it was replaced"
        if not all((known or Registered()).knows(seal) for seal in mine):
            return "a seal in its manifest is not in the register: either was replaced, or the register cut"
        for seal in found.seals:
            if seal.seal_before and seal.seal_before not in self._of(found.key.context, seal.day_before):
                return f"the seal of {seal.day_before}, which it follows, is gone"
        return ""

    def _of(self, context: str, date: str) -> frozenset[str]:
        """The hashes of a day's seals: those in its manifest, and those it had before it was removed by us."""
        key = _key_of(context, date)
        if key is None:
            return frozenset()
        if key not in self._hashes:
            known = self._register(context).get(date, Registered())
            try:
                found = manifest.read(self.root, key)
            except PartitionUnreadable:
                found = None
            seals = () if found is None else found.seals
            self._hashes[key] = frozenset([seal.hash for seal in seals] + known.earlier)
        return self._hashes[key]

    def _register(self, context: str) -> dict[str, Registered]:
        if context not in self._registers:
            self._registers[context] = manifest.register(self.root, context)
        return self._registers[context]


def _key_of(context: str, date: str) -> PartitionKey | None:
    """The key of an ISO date; None for text that is none."""
    from datetime import date as calendar

    try:
        day = calendar.fromisoformat(date)
    except ValueError:
        return None
    return layout.key_from_parts(context, f"{day.year:04d}", f"{day.timetuple().tm_yday:03d}")
