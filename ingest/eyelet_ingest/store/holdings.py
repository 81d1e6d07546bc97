"""What a backup holds, and how it is known: its manifest, and the journal of a run."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from eyelet_ingest.errors import PartitionError, PartitionUnreadable, RootError
from eyelet_ingest.store.copier import open_file, sha256_of, size_of, write_file
from eyelet_ingest.store.layout import PartitionKey

MANIFEST, JOURNAL = "backup.json", ".backup.jsonl"
HEADER, FORMAT = "eyelet_backup", 1
# What a root is besides its days.
ROOT_FILES = ("secret.key", "retention.json", "sealing.json", "tokens.json", "eyelet.yaml")
ROOT_DATABASES = (
    "ingest.sqlite",
    "sync.sqlite",
    "audit.sqlite",
    "saved.sqlite",
    "tombstones.sqlite",
)  # the last one knows most
ROOT_TREES = ("seals", "archive", "spool", "redactions")


class Manifest:
    """What a backup holds: `backup.json`, and the journal of a run that was stopped. RootError where it is no manifest.

    A file has an entry by its path below the backup, with / between folders; two where a run was stopped between
    writing down what the new copy is and giving it its name.
    """

    def __init__(self, target: str) -> None:
        self.target = target
        self.path, self.journal = os.path.join(target, MANIFEST), os.path.join(target, JOURNAL)
        self.entries: dict[str, list[dict[str, Any]]] = {}
        try:
            self.entries = {name: [_checked(name, entry)] for name, entry in self._read().get("files", {}).items()}
            for entry in self._journal():
                name = entry.pop("file")
                self.entries.setdefault(name, []).append(_checked(name, entry))
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as bad:
            reason = f"it lacks {bad}" if isinstance(bad, KeyError) else str(bad)
            raise RootError("read the backup", self.path, reason, "is it damaged? Back up to another folder") from bad
        except OSError as bad:
            reason = bad.strerror or str(bad)
            raise RootError("read the backup", self.path, reason, "is it a file that you may read?") from bad
        self.exists = os.path.exists(self.path) or os.path.exists(self.journal)

    def is_unchanged(self, name: str, state: list[int]) -> bool:
        """Whether the file was copied from one of this state, and is there."""
        entries = self.entries.get(name, [])
        there = len(entries) == 1 and size_of(self._at(name)) == entries[0]["bytes"]
        return bool(state and there and entries[0]["state"] == state)

    def checked(self, name: str) -> dict[str, Any]:
        """The entry of the file, which is as it says; PartitionUnreadable where it is not."""
        path = self._at(name)
        entries = self.entries.get(name)
        if not entries:
            raise PartitionUnreadable("verify", path, "the backup's manifest does not know it", "back it up again")
        digest = sha256_of(path)
        for entry in entries:
            if entry["sha256"] == digest:
                return entry
        raise PartitionUnreadable("verify", path, "it is not what was backed up", "back it up again")

    def take(self, name: str, copy: str, entry: dict[str, Any]) -> None:
        """Give the file `copy` its name in the backup. What it is is on disk before."""
        handle = os.open(self.journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            # A line that was cut must not swallow this one.
            os.write(handle, b"\n" + json.dumps({"file": name, **entry}).encode() + b"\n")
            os.fsync(handle)
        finally:
            os.close(handle)
        self.entries.setdefault(name, []).append(entry)
        for side in ("-wal", "-shm", "-journal"):  # of who looked into the backup: they are not of the new copy
            with suppress(FileNotFoundError):
                os.unlink(self._at(name) + side)
        os.replace(copy, self._at(name))
        self.entries[name] = [entry]

    def write(self) -> None:
        """`backup.json` anew, in one step, and no journal any more. What is not certain is told by its hash."""
        files = {}
        for name, entries in sorted(self.entries.items()):
            files[name] = entries[-1]
            if len(entries) > 1:
                with suppress(OSError, PartitionError):
                    files[name] = self.checked(name)
        made = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        write_file(self.path, json.dumps({HEADER: FORMAT, "made_at_utc": made, "files": files}, indent=1).encode())
        with suppress(FileNotFoundError):
            os.unlink(self.journal)

    def _at(self, name: str) -> str:
        return os.path.join(self.target, *name.split("/"))

    def _read(self) -> dict[str, Any]:
        try:
            with open_file(self.path) as file:
                said = json.loads(file.read())
        except FileNotFoundError:
            return {}
        if said[HEADER] > FORMAT:
            raise ValueError(f"a newer version made it ({said[HEADER]} > {FORMAT})")
        return dict(said)

    def _journal(self) -> Iterator[dict[str, Any]]:
        try:
            with open_file(self.journal) as file:
                content = file.read().splitlines()
        except FileNotFoundError:
            return
        for line in content:
            with suppress(ValueError):  # cut: the copy it announced never got its name
                yield json.loads(line or b"!")


def is_known(name: str) -> bool:
    """Whether it is a file of a root besides its days."""
    top, slash, _ = name.partition("/")
    return name in ROOT_FILES + ROOT_DATABASES or bool(slash and top in ROOT_TREES)


def _checked(name: str, entry: dict[str, Any]) -> dict[str, Any]:
    """The entry of a file; ValueError, KeyError or TypeError where it is none, or the name leads out of the backup."""
    if (
        not name
        or any(part[:1] in ("", ".") for part in name.split("/"))
        or not (name.isprintable() and name.isascii())
    ):
        raise ValueError(f"{name!a} is no file of a backup")
    texts, numbers = [entry["sha256"]], [entry["bytes"], *entry["state"]]
    if name.startswith("logs/") and name.endswith(".sqlite"):
        numbers.append(entry["rows"])
        texts.append(entry["seal"])
    if not all(isinstance(one, str) for one in texts) or not all(type(one) is int for one in numbers):
        raise ValueError(f"what it says of {name} is nothing that a backup says")
    return entry


def day_name(key: PartitionKey) -> str:
    """The day as the manifest names it."""
    return f"logs/{key.context}/{key.year:04d}/{key.day:03d}/logs.sqlite"
