"""`manifest.json` in a sealed day's folder: what the day was when it was sealed; and the register of a context's seals.

A day's manifest keeps all its seals, oldest first. Each names the seal before it and that of the context's sealed day
before, by their hashes: who changes a seal, or removes a day, breaks a link. `seals/<context>.jsonl` under the root is
added to and says which days were sealed, and which of them our own commands removed: without it the last day of a chain
could go unseen. No recorded text stands in either.
"""

import hashlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from eyelet_ingest.errors import PartitionUnreadable, RootError
from eyelet_ingest.store import identity, layout
from eyelet_ingest.store.layout import PartitionKey

FILE_NAME = "manifest.json"
FORMAT = 1
MOST_BYTES = 64 * 2**20  # of a manifest or a register: more is none of ours
_HINT = "was it changed? Restore it from a back-up"


@dataclass(frozen=True, slots=True)
class Seal:
    """What a day was at one moment. `rows` are those with `arrived` up to the one named here, which is the last;
    `rows_sha256` is theirs (`sealing.rows_digest`) over `columns`; `sha256` and `bytes` are of the file alone.

    `before` is the hash of this day's seal before; `day_before` and `seal_before` name the context's sealed day before
    and its newest seal then. All are "" where there is none. `sealed_us` is when, `reason` why.
    """

    sealed_us: int
    reason: str
    rows: int
    first_id: int | None
    last_id: int | None
    arrived: int
    bytes: int
    sha256: str
    rows_sha256: str
    columns: tuple[str, ...]
    schema_version: int
    before: str
    day_before: str
    seal_before: str
    hash: str = ""

    def hashed(self, key: PartitionKey) -> "Seal":
        """The same with its own hash: SHA-256 of the canonical JSON of context, day and every other field."""
        said = asdict(self) | {"context": key.context, "day": key.date}
        del said["hash"]
        return replace(self, hash=hashlib.sha256(_canonical(said)).hexdigest())


@dataclass(frozen=True, slots=True)
class Manifest:
    """The seals of a day, oldest first, at least one. `reopened` says which command of ours wrote to it since."""

    key: PartitionKey
    seals: tuple[Seal, ...]
    reopened: str = ""

    @property
    def newest(self) -> Seal:
        return self.seals[-1]

    def broken(self) -> str:
        """What of it does not fit together, or ""."""
        before = ""
        for seal in self.seals:
            if seal.hashed(self.key).hash != seal.hash:
                return "a seal in its manifest was changed"
            if seal.before != before:
                return "a seal in its manifest does not follow the one before"
            before = seal.hash
        return ""

    def as_json(self) -> dict[str, object]:
        said: dict[str, object] = {"format": FORMAT, "context": self.key.context, "day": self.key.date}
        return said | {"reopened": self.reopened, "seals": [asdict(seal) for seal in self.seals]}


@dataclass(slots=True)
class Registered:
    """What the register knows of one day: its seals since it was last removed, those before, why it was removed; and
    those that were `announced`, of which some may never have been made."""

    seals: list[str] = field(default_factory=list)
    earlier: list[str] = field(default_factory=list)
    gone: str = ""
    announced: list[str] = field(default_factory=list)

    def knows(self, seal: str) -> bool:
        return seal in self.seals or seal in self.earlier or seal in self.announced

    @property
    def was_sealed(self) -> bool:
        return bool(self.seals or self.earlier or self.gone)


def path_of(root: str, key: PartitionKey) -> str:
    return os.path.join(layout.partition_dir(root, key), FILE_NAME)


def register_path(root: str, context: str) -> str:
    return os.path.join(root, "seals", f"{context}.jsonl")


def read(root: str, key: PartitionKey) -> Manifest | None:
    """The manifest of a day, None where it has none; PartitionUnreadable where what is there is no manifest of it."""
    path = path_of(root, key)
    try:
        with open(path, "rb") as file:
            text = file.read(MOST_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as bad:
        raise PartitionUnreadable("read", path, bad.strerror or str(bad), _HINT) from bad
    return parse(text, key, path)


def parse(text: bytes, key: PartitionKey, path: str) -> Manifest:
    """The manifest that `text`, found at `path`, says of this day; PartitionUnreadable where it is none."""
    try:
        said = json.loads(text) if len(text) <= MOST_BYTES else None
        if not isinstance(said, dict) or said["format"] != FORMAT:
            raise ValueError(f"its format is not {FORMAT}")
        if (said["context"], said["day"]) != (key.context, key.date):
            raise ValueError("it is of another day")
        seals = tuple(_seal(one) for one in said["seals"])
        if not seals:
            raise ValueError("it has no seal")
        return Manifest(key, seals, str(said["reopened"]))
    except (ValueError, KeyError, TypeError, RecursionError) as bad:
        reason = f"it lacks {bad}" if isinstance(bad, KeyError) else str(bad)
        raise PartitionUnreadable("read", path, f"it is no manifest: {reason}", _HINT) from bad


def write(root: str, manifest: Manifest) -> None:
    """Put the manifest in its place in one step, under the day's lock; RootError where it cannot be written."""
    write_json(path_of(root, manifest.key), manifest.as_json())


def write_json(path: str, said: Mapping[str, object]) -> None:
    """A file of JSON put in its place in one step, with mode 0600; RootError where it cannot be written."""
    made = os.path.join(os.path.dirname(path), f".{os.path.basename(path)}")  # one at a time: under the day's lock
    try:
        handle = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(handle, "w", encoding="utf-8") as file:
            json.dump(said, file, indent=1)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(made, path)
    except OSError as bad:
        raise RootError("write", path, bad.strerror or str(bad), "is the disk full? May you write there?") from bad


def reopen(root: str, key: PartitionKey, reason: str) -> bool:
    """Note, under the day's lock and before it is written, which command of ours will change what was sealed.

    `verify` then says that instead of calling the day changed, until it is sealed again. False where it has no seal.
    """
    known = read(root, key)
    if known is None:
        return False
    if not known.reopened:
        write(root, replace(known, reopened=reason))
    return True


def announce(root: str, key: PartitionKey, seal: str) -> None:
    """Say in the register that a seal of this day is about to stand in its manifest: one that stands there and was
    never announced tells of a register that was cut."""
    _add(root, key, {"day": key.date, "about": seal})


def remember_all(root: str, manifest: Manifest) -> None:
    """Add those seals of a day to the register that it does not know, the newest last and in any case."""
    known = register(root, manifest.key.context).get(manifest.key.date, Registered())
    for seal in manifest.seals[:-1]:
        if not known.knows(seal.hash):
            announce(root, manifest.key, seal.hash)
    if manifest.newest.hash not in known.seals:
        remember(root, manifest.key, manifest.newest.hash)


def remember_announced(root: str, key: PartitionKey, seal: str) -> None:
    """Add a seal to the register whose maker was stopped between the manifest and that."""
    known = register(root, key.context).get(key.date)
    if known is not None and seal in known.announced and seal not in known.seals:
        remember(root, key, seal)


def remember(root: str, key: PartitionKey, seal: str) -> None:
    """Add a seal of this day to the register, by its hash."""
    _add(root, key, {"day": key.date, "seal": seal})


def gone(root: str, key: PartitionKey, reason: str) -> None:
    """Note, before it goes, that a command of ours removes this day: nothing where it was never sealed."""
    known = register(root, key.context).get(key.date)
    if known is not None and not known.gone:
        _add(root, key, {"day": key.date, "gone": reason, "at_us": time.time_ns() // 1_000})


def register(root: str, context: str) -> dict[str, Registered]:
    """What was ever sealed of this context, by ISO date in order; RootError where a line cannot be read.

    The last line may be half: its writer was stopped, and whoever adds to it next ends it.
    """
    path = register_path(root, context)
    try:
        with open(path, "rb") as file:
            text = file.read()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as bad:
        raise RootError("read", path, bad.strerror or str(bad), _HINT) from bad
    found: dict[str, Registered] = {}
    *lines, _ = text.split(b"\n")
    for number, line in enumerate(lines, 1):
        if line.endswith(b"\x18"):  # half a line that was ended by the next writer
            continue
        try:
            said = json.loads(line)
            day = found.setdefault(str(said["day"]), Registered())
            if "gone" in said:
                day.gone, day.earlier, day.seals = str(said["gone"]), day.earlier + day.seals, []
            elif "about" in said:
                day.announced.append(str(said["about"]))
            else:
                day.gone = ""
                day.seals.append(str(said["seal"]))
        except (ValueError, KeyError, TypeError, RecursionError) as bad:
            raise RootError("read", path, f"line {number} is damaged", _HINT) from bad
    return dict(sorted(found.items()))


def newest_before(root: str, key: PartitionKey) -> tuple[str, str]:
    """The context's last sealed day before this one, and its newest seal; ("", "") where there is none."""
    before = [(day, known) for day, known in register(root, key.context).items() if day < key.date]
    for day, known in reversed(before):
        if known.seals or known.earlier:
            return day, (known.seals or known.earlier)[-1]
    return "", ""


def _add(root: str, key: PartitionKey, said: Mapping[str, object]) -> None:
    path = register_path(root, key.context)
    line = json.dumps(said).encode() + b"\n"
    try:
        identity.make_private_dir(os.path.dirname(path))
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            size = os.fstat(handle).st_size
            half = size and os.pread(handle, 1, size - 1) != b"\n"
            os.write(handle, (b"\x18\n" if half else b"") + line)  # one write: lines of two never mix
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as bad:
        raise RootError("write", path, bad.strerror or str(bad), "is the disk full? May you write there?") from bad


def _seal(said: Any) -> Seal:
    """ValueError, KeyError or TypeError where it is none."""
    numbers = ("sealed_us", "rows", "arrived", "bytes", "schema_version")
    ids = ("first_id", "last_id")
    if any(type(said[name]) is not int for name in numbers) or any(
        type(said[name]) not in (int, type(None)) for name in ids
    ):
        raise ValueError("a number in a seal is none")
    texts = ("reason", "sha256", "rows_sha256", "before", "day_before", "seal_before", "hash")
    columns = said["columns"]
    if any(not isinstance(one, str) for one in [*(said[name] for name in texts), *columns]):
        raise ValueError("a text in a seal is none")
    if not all(one.isidentifier() and one.isascii() for one in columns):
        raise ValueError("a column in a seal is none")
    kept = {name: said[name] for name in (*numbers, *ids, *texts)}
    return Seal(columns=tuple(columns), **kept)


def _canonical(said: Mapping[str, object]) -> bytes:
    return json.dumps(said, sort_keys=True, separators=(",", ":")).encode()
