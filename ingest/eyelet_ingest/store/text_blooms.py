"""Which words a finished day has, kept beside the days: who looks for a word opens only days that may have it.

A Bloom filter for each day, of the words in its text index, in a file of its own: `words/<context>/<year>/<day>` below
the root. Words go in as keyed hashes, by the root's secret.key: nothing that was recorded can be read there. A filter
speaks of one state of the day's files alone, told by inode, size and both times; of any other it says nothing, and the
day is asked as if there were none. So nobody has to keep it true: catch-up makes it, and anybody may delete it.

What the index does not answer for must be nothing: a day with rows that arrived or changed since has no filter.
"""

import os
import struct
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from hashlib import blake2b
from typing import Any, NamedTuple

from eyelet_ingest.errors import EyeletError, RootError
from eyelet_ingest.store import identity, layout
from eyelet_ingest.store.catalog import Part
from eyelet_ingest.store.connect import open_reader
from eyelet_ingest.store.fork_lock import ForkLock
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.statistics import snapshot
from eyelet_ingest.store.text_plan import AllOf, Needed, OneOf
from eyelet_ingest.store.text_schema import GONE, TERMS, TEXT_VERSION

FOLDER = "words"
# 8 bits a word and 5 of them set: 2 of 100 days that lack a word are asked for it all the same (0.022).
BITS_EACH, HASHES = 8, 5
LEAST_BYTES, MOST_BYTES = 64, 4 * 2**20  # of one day's
KEPT_BYTES = 16 * 2**20  # of all days, in the memory of a Store; those beyond are read at each question
TERMS_AT_ONCE = 2_000  # between two looks at the clock
# A file changed this recently may change again within the same tick of the file system's clock, and nobody would see.
SETTLED_NS = 2_000_000_000
LOOK_AGAIN_S = 5.0  # for a filter where there was none
_MAGIC = b"eyelet words 1.%d\n" % TEXT_VERSION
_SUM_BYTES = 16
_HEAD_BYTES = len(_MAGIC) + 2 * _SUM_BYTES  # what state it is of, and the keyed sum of all

State = tuple[int, ...]
Test = Callable[[bytes], bool]  # whether a day of this filter may have what a question needs


class Held(NamedTuple):
    """What is known of a day whose files are of this state: its filter, or none when it was looked for."""

    state: State
    bits: bytes | None
    looked_at_s: float


class Blooms:
    """The filters of some roots, as far as one Store keeps them in memory. May be shared by threads."""

    def __init__(self) -> None:
        self._lock = ForkLock()
        self._held: dict[str, Held] = {}  # by the path of the day; changed under _lock
        self._bytes = 0  # guarded by _lock: of the filters in _held
        self._keys: dict[str, bytes | None] = {}  # by root

    def of(self, part: Part) -> Held | None:
        """What is known of a day as it is now; None where it has no filter."""
        state = state_of(part.path)
        if state is None:
            return None
        held = self._held.get(part.path)
        if (
            held is None
            or held.state != state
            or (held.bits is None and time.monotonic() - held.looked_at_s > LOOK_AGAIN_S)
        ):
            held = self._load(part, state)
        return held if held.bits is not None else None

    def key_of(self, root: str) -> bytes | None:
        """The root's key; None where it cannot be read."""
        if root not in self._keys:
            try:
                self._keys[root] = identity.load_key(root)
            except RootError:
                self._keys[root] = None
        return self._keys[root]

    def _load(self, part: Part, state: State) -> Held:
        bits: bytes | None = None
        path = path_of(part.root, part.key)
        try:
            with open(path, "rb") as file:
                content = file.read(_HEAD_BYTES + MOST_BYTES + 1)
        except OSError:
            content = b""
        if _is_of(content, state) and (key := self.key_of(part.root)) is not None:
            bits = content[_HEAD_BYTES:]
            if content != _head(key, state, bits) + bits:
                bits = None
                with suppress(OSError):  # cut, or of another key: who catches up makes it anew
                    os.unlink(path)
        held = Held(state, bits, time.monotonic())
        with self._lock:
            before = self._held.pop(part.path, None)
            self._bytes -= len(before.bits or b"") if before else 0
            if self._bytes + len(bits or b"") <= KEPT_BYTES:
                self._held[part.path] = held
                self._bytes += len(bits or b"")
        return held


class Known:
    """What one question may take for granted of each day, by its filter. May be shared by threads."""

    __slots__ = ("_blooms", "_needed", "_of_root", "_states")

    def __init__(self, blooms: Blooms, needed: Needed) -> None:
        self._blooms, self._needed = blooms, needed
        self._of_root: dict[str, Test] = {}
        self._states: dict[Part, State] = {}

    def is_still(self, part: Part) -> bool:
        """Whether the day's index answered for every row of it when it was last looked at by `lacks`, and no byte of
        it has changed since: what was read meanwhile is of one moment, and nothing stands beside the index."""
        state = self._states.get(part)
        return state is not None and state_of(part.path) == state

    def lacks(self, part: Part) -> bool:
        """Whether the day surely has nothing of what is asked for."""
        held = self._blooms.of(part)
        if held is None or held.bits is None:
            self._states.pop(part, None)
            return False
        self._states[part] = held.state
        if self._needed is None:
            return False
        may_have = self._of_root.get(part.root)
        if may_have is None:
            key = self._blooms.key_of(part.root)
            if key is None:
                return False
            may_have = self._of_root[part.root] = _test_of(self._needed, key)
        return not may_have(held.bits)


class _Begun(NamedTuple):
    """A filter in the making: of which state, and the last word that is in it."""

    key: PartitionKey
    state: State
    bits: bytearray
    last: bytes


class Making:
    """The filters of one root, made by one process. Of one thread at a time."""

    def __init__(self, root: str) -> None:
        self.root = root
        self._begun: _Begun | None = None  # where the time ran out
        self._days = -1  # that there were when filters of others were looked for

    def is_made(self, key: PartitionKey) -> bool:
        """Whether the day has a filter of its present state, and so a complete index. One of another state goes."""
        path = path_of(self.root, key)
        try:
            with open(path, "rb") as file:
                head = file.read(_HEAD_BYTES)
        except OSError:
            return False
        state = state_of(layout.db_path(self.root, key))
        if state is not None and _is_of(head, state):
            return True
        forget(self.root, key)
        return False

    def make(self, key: PartitionKey, until: float) -> bool:
        """Make the filter of a day that is over, until the deadline (of `perf_counter`). False where a later call may
        come further; True where nothing is to be done while the day's files stay as they are."""
        if self.root.startswith(layout.MEMORY):
            return True
        path = layout.db_path(self.root, key)
        state = state_of(path)
        if state is None:
            return not self._emptied(key)
        if max(state[3:]) > time.time_ns() - SETTLED_NS:
            return False
        try:
            secret = identity.load_key(self.root)
            bits = self._bits(key, path, state, secret, until)
        except EyeletError:
            return True  # whoever asks the day is told
        if bits is None:
            return self._begun is None
        if state_of(path) != state:
            return False
        with suppress(OSError, EyeletError):  # nobody may write here, or the disk is full: days are asked as ever
            _put(path_of(self.root, key), _head(secret, state, bits) + bits)
        return True

    def _emptied(self, key: PartitionKey) -> bool:
        """Bring what stands in the WAL of a day into its file: it stays there where a reader was open while somebody
        wrote. Whether that was done."""
        from eyelet_ingest.store.checkpoint import checkpoint
        from eyelet_ingest.store.text_index import is_sealed

        if is_sealed(self.root, key):
            return False
        return any(
            not one.busy and not one.error for one in checkpoint(self.root, [key], "truncate", only_with_wal=True)
        )

    def prune(self, keys: Iterable[PartitionKey]) -> None:
        """Remove the filters of days that are not among `keys`; a look only where their number has changed."""
        there = {(key.context, f"{key.year:04d}", f"{key.day:03d}") for key in keys}
        if len(there) == self._days or self.root.startswith(layout.MEMORY):
            return
        self._days = len(there)
        top = os.path.join(self.root, FOLDER)
        for folder, _, names in os.walk(top):
            parts = tuple(os.path.relpath(folder, top).split(os.sep))
            for name in names:
                if (*parts, name) not in there:
                    with suppress(OSError):
                        os.unlink(os.path.join(folder, name))

    def _bits(self, key: PartitionKey, path: str, state: State, secret: bytes, until: float) -> bytes | None:
        """The filter; None where the time ran out, and where the day's index does not answer for all of it."""
        begun, self._begun = self._begun, None
        reader = open_reader(path)
        try:
            with snapshot(reader):
                terms = _terms_of(reader)
                reader.text_factory = bytes
                if terms is None or terms * BITS_EACH > MOST_BYTES * 8:
                    return None
                bits, last = bytearray(max(LEAST_BYTES, terms * BITS_EACH // 8)), b""
                if begun is not None and begun.key == key and begun.state == state and len(begun.bits) == len(bits):
                    bits, last = begun.bits, begun.last
                while some := [term for (term,) in reader.execute(_NEXT, (last, TERMS_AT_ONCE))]:
                    _add(bits, some, secret)
                    last = some[-1]
                    if time.perf_counter() >= until:
                        self._begun = _Begun(key, state, bits, last)
                        return None
                return bytes(bits)
        except reader.DatabaseError:
            return None  # it is damaged, or in use: whoever asks it is told
        finally:
            reader.close()


def path_of(root: str, key: PartitionKey) -> str:
    """Where the filter of a day is."""
    return os.path.join(root, FOLDER, key.context, f"{key.year:04d}", f"{key.day:03d}")


def forget(root: str, key: PartitionKey) -> None:
    """Remove the filter of a day: for who takes something out of it, as nobody is to test later what words it had."""
    with suppress(OSError):
        os.unlink(path_of(root, key))


def state_of(path: str) -> State | None:
    """What changes when the database at `path` is written, by whomever: device, inode, size, and the times of change of
    content and of the file, which nobody can put back. None where it is not there, or anything is in its WAL: what was
    written there is seen later than the file's time says, after an fsync."""
    try:
        there = os.stat(path)
        wal = layout.side_path(path, "-wal")
        if os.access(wal, os.F_OK) and os.stat(wal).st_size:
            return None
    except (OSError, ValueError):
        return None
    return there.st_dev, there.st_ino, there.st_size, there.st_mtime_ns, there.st_ctime_ns


def _terms_of(reader: Any) -> int | None:
    """How many words the day's index has, where that answers for every row; None where it does not."""
    from eyelet_ingest.store.text_index import is_finished
    from eyelet_ingest.store.text_slices import watermark

    upto = watermark(reader)
    if upto is None or not is_finished(reader) or reader.execute(_TAIL, (upto,)).fetchone()[0]:
        return None
    return int(reader.execute(f"select count(*) from {TERMS}").fetchone()[0])  # noqa: S608  our own name


_TAIL = f"""
    select exists (select 1 from hooks where arrived > ?) or exists (select 1 from hooks where arrived is null)
        or exists (select 1 from {GONE})
"""  # noqa: S608  our own name
_NEXT = f"select term from {TERMS} where term > cast(? as text) order by term limit ?"  # noqa: S608  our own name


def _is_of(content: bytes, state: State) -> bool:
    """Whether a file begins like a filter of this state."""
    at = len(_MAGIC)
    return len(content) >= _HEAD_BYTES and content[:at] == _MAGIC and content[at : at + _SUM_BYTES] == _sum_of(state)


def _sum_of(state: State) -> bytes:
    return blake2b(repr(state).encode(), digest_size=_SUM_BYTES).digest()


def _head(key: bytes, state: State, bits: bytes) -> bytes:
    said = _MAGIC + _sum_of(state)
    return said + blake2b(said + bits, digest_size=_SUM_BYTES, key=key).digest()


def _put(path: str, content: bytes) -> None:
    identity.make_private_dir(os.path.dirname(path))
    mine = f"{path}.{os.getpid()}.{time.time_ns()}"
    identity.put_whole(os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), content, mine, path)


def _pair(term: bytes, key: bytes) -> tuple[int, int]:
    """Where a word begins in a filter, and how far apart its bits are."""
    first, apart = struct.unpack("<QQ", blake2b(term, digest_size=16, key=key, person=b"eyelet words").digest())
    return first, apart | 1


def _add(bits: bytearray, terms: Iterable[bytes], key: bytes) -> None:
    size = len(bits) * 8
    for term in terms:
        at, apart = _pair(term, key)
        for _ in range(HASHES):
            place = at % size
            bits[place >> 3] |= 1 << (place & 7)
            at += apart


def _test_of(needed: "str | AllOf | OneOf", key: bytes) -> Test:
    if isinstance(needed, str):
        return partial(_has, _pair(needed.encode(), key))
    tests = [_test_of(part, key) for part in needed.parts]
    every = all if isinstance(needed, AllOf) else any
    return lambda bits: every(test(bits) for test in tests)


def _has(pair: tuple[int, int], bits: bytes) -> bool:
    at, apart = pair
    size = len(bits) * 8
    for _ in range(HASHES):
        place = at % size
        if not bits[place >> 3] >> (place & 7) & 1:
            return False
        at += apart
    return True
