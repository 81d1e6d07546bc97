"""What was installed where: `installed.json` beside the global settings. Without it everything can still be undone;
with it, byte for byte."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from hashlib import blake2b

from eyelet_ingest.errors import EyeletError
from eyelet_ingest.store.identity import make_private_dir

NAME = "installed.json"
MOST_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Done:
    """What was done to one settings file. `before` and `after` are digests of its content ("": no file), `pieces` what
    was put in, `empty` which containers stood there empty, `folders` which folders were made, `backup` the copy."""

    path: str
    agent: str
    scope: str
    mode: str
    before: str
    after: str
    pieces: tuple[str, ...]
    empty: tuple[str, ...]
    folders: tuple[str, ...]
    backup: str


def digest(content: bytes | None) -> str:
    """What `before` and `after` hold of a content."""
    return "" if content is None else blake2b(content, digest_size=16).hexdigest()


def read(home: str) -> dict[str, Done]:
    """What is known, by settings file; nothing where the record is gone or spoilt."""
    try:
        with open(os.path.join(home, NAME), "rb") as file:
            found = json.loads(file.read(MOST_BYTES))
        return {one["path"]: _from_json(one) for one in found["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


@contextmanager
def changing(home: str) -> Iterator[dict[str, Done]]:
    """What is known, to be changed by one process at a time; written at the end."""
    make_private_dir(home)
    path = os.path.join(home, NAME)
    with _locked(path + ".lock"):
        known = read(home)
        before = dict(known)
        try:
            yield known
        finally:
            if known != before:
                _write(path, known)


@contextmanager
def _locked(path: str) -> Iterator[None]:
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as bad:
        raise EyeletError("write", path, bad.strerror or str(bad), "may you write in this folder?") from bad
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _write(path: str, known: dict[str, Done]) -> None:
    content = json.dumps({"format": 1, "files": [asdict(one) for one in known.values()]}, indent=1)
    try:
        handle, mine = tempfile.mkstemp(dir=os.path.dirname(path))
        with open(handle, "w", encoding="utf-8") as file:
            file.write(content)
        os.replace(mine, path)
    except OSError as bad:
        raise EyeletError("write", path, bad.strerror or str(bad), "may you write in this folder?") from bad


def _from_json(one: "dict[str, object]") -> Done:
    values = {field.name: one[field.name] for field in fields(Done)}
    made = Done(**values)  # type: ignore[arg-type]  # our own file; what is not text is refused below
    tuples = (made.pieces, made.empty, made.folders)
    texts = (made.path, made.agent, made.scope, made.mode, made.before, made.after, made.backup)
    if not all(isinstance(text, str) for text in (*texts, *(text for many in tuples for text in many))):
        raise TypeError("installed.json")
    return replace(made, pieces=tuple(made.pieces), empty=tuple(made.empty), folders=tuple(made.folders))
