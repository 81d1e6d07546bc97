"""Tokens for the server's log API: made and revoked here, known by a hash alone.

`tokens.json` at the root (0600) holds for each its name, the BLAKE2b of its 256 random bits, what it allows, in which
contexts, and when it was made. Whoever reads the file learns no token. It is looked at whenever one is shown, and read
when it is another than last time, so a token that was revoked is worth nothing from that moment on.
"""

import hmac
import json
import os
import secrets
import string
import time
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from eyelet_ingest.errors import BadInput, RootError
from eyelet_ingest.store import layout
from eyelet_ingest.store.connect import FileLock
from eyelet_ingest.store.identity import make_private_dir

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PREFIX = "eyt_"
SECRET_BYTES = 32
GRANTS = ("view", "write", "admin")
FILE_NAME = "tokens.json"
FORMAT = 1
NAME_MAX_CHARS = 64
SHOWN_MAX_CHARS = 200  # no token of ours is longer: more is not even hashed
LOCK_DEADLINE_MS = 5_000
SETTLED_NS = 10**8  # a file system's clock may stand still so long: what was written twice within it looks the same
REMEMBERED_MAX = 16

_NAME = frozenset(string.ascii_letters + string.digits + "._-")
_HINT = "restore it from a back-up, or move it away and make the tokens anew"


@dataclass(frozen=True, slots=True)
class Token:
    """What a token may do: each of `allow` (GRANTS), in the contexts of these safe names or, where None, in all."""

    name: str
    contexts: tuple[str, ...] | None
    allow: tuple[str, ...]
    created_at_us: int
    digest: str

    def grants(self, what: str, context: str | None) -> bool:
        """Whether it allows this in the context of this safe name; in all there are and will be where None."""
        return what in self.allow and (self.contexts is None or (context is not None and context in self.contexts))


# By path: the file as it was, and what it said.
_remembered: "dict[str, tuple[tuple[int, ...], list[Token]]]" = {}


def create(
    root: str, name: str, contexts: "Iterable[str]" = (), allow: "Iterable[str]" = ("write",)
) -> "tuple[str, Token]":
    """A new token, which is said here and never again, and what it may do. `contexts` as given; none means all.

    BadInput for a name that is taken or cannot be one; RootError where the file cannot be written.
    """
    if not 0 < len(name) <= NAME_MAX_CHARS or not _NAME.issuperset(name):
        reason = f"a name has 1 to {NAME_MAX_CHARS} of the characters A-Z a-z 0-9 . _ -"
        raise BadInput("cannot make the token", repr(name[:80]), reason)
    granted = tuple(what for what in GRANTS if what in set(allow))
    if not granted or set(allow) - set(GRANTS):
        raise BadInput("cannot make the token", name, f"it must allow some of {', '.join(GRANTS)}")
    safe = tuple(sorted({layout.safe_context(context) for context in contexts})) or None
    said = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    token = Token(name, safe, granted, time.time_ns() // 1_000, _digest(said))
    with _changing(root) as tokens:
        if any(other.name == name for other in tokens):
            raise BadInput(
                "cannot make the token", name, "there is one of that name", "revoke it, or take another name"
            )
        tokens.append(token)
    return said, token


def revoke(root: str, name: str) -> None:
    """The token of this name is worth nothing from now on; BadInput where there is none."""
    with _changing(root) as tokens:
        left = [token for token in tokens if token.name != name]
        if len(left) == len(tokens):
            raise BadInput("cannot revoke the token", repr(name[:80]), "there is none of that name")
        tokens[:] = left


def known(root: str) -> list[Token]:
    """The tokens there are, oldest first. RootError where the file cannot be read, or others may write it."""
    path = os.path.join(root, FILE_NAME)
    try:
        now_ns = time.time_ns()
        with open(_opened(path), "rb") as file:
            there = os.fstat(file.fileno())
            if hasattr(os, "getuid") and (there.st_mode & 0o022 or there.st_uid not in (0, os.getuid())):
                raise RootError("read the tokens", path, "others may write it", f"chmod 600 {path}, if you trust it")
            content = file.read()
    except FileNotFoundError:
        return []
    except OSError as bad:
        raise RootError("read the tokens", path, bad.strerror or str(bad), "does the root belong to you?") from bad
    try:
        found = [_token(entry) for entry in json.loads(content)["tokens"]]
    except (ValueError, KeyError, TypeError) as bad:
        raise RootError("read the tokens", path, f"it is no file of tokens ({bad})", _HINT) from bad
    if there.st_ctime_ns < now_ns - SETTLED_NS:
        if len(_remembered) >= REMEMBERED_MAX:
            _remembered.clear()
        _remembered[path] = _as_it_is(there), list(found)
    return found


def at_hand(root: str) -> "list[Token] | None":
    """`known`, without reading the file; None where it is not as it was when it was read, or never was.

    It is opened, not only looked at: a file system over the network looks anew only then.
    """
    path = os.path.join(root, FILE_NAME)
    held = _remembered.get(path)
    if held is None:
        return None
    try:
        handle = _opened(path)
        try:
            there = os.fstat(handle)
        finally:
            os.close(handle)
    except OSError:
        return None
    return held[1] if _as_it_is(there) == held[0] else None


def size_bytes(root: str) -> int:
    """How long the file of tokens is; 0 where there is none, or it cannot be looked at."""
    try:
        return os.stat(os.path.join(root, FILE_NAME)).st_size
    except OSError:
        return 0


def find(root: str, said: str) -> Token | None:
    """The token that was said, or None. Takes the same time for each that is wrong."""
    return among(known(root), said) if _may_be(said) else None


def among(tokens: "Iterable[Token]", said: str) -> Token | None:
    """The token that was said, or None, likewise."""
    if not _may_be(said):
        return None
    digest, found = _digest(said), None
    for token in tokens:
        if hmac.compare_digest(token.digest, digest):
            found = token
    return found


def _may_be(said: str) -> bool:
    return said.startswith(PREFIX) and len(said) <= SHOWN_MAX_CHARS


def _opened(path: str) -> int:
    return os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))  # a pipe in its place is not waited for


def _as_it_is(there: os.stat_result) -> "tuple[int, ...]":
    """What tells one state of a file from another, who may write it included."""
    which = (there.st_dev, there.st_ino, there.st_size, there.st_mode, there.st_uid)
    return (*which, there.st_mtime_ns, there.st_ctime_ns)


def _digest(said: str) -> str:
    return blake2b(said.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()


def _token(entry: Any) -> Token:
    contexts, allow = entry["contexts"], entry["allow"]
    if not all(isinstance(text, str) for text in (entry["name"], entry["blake2b"], *(contexts or ()), *allow)):
        raise TypeError("a token holds what is no text")
    name, digest = entry["name"], entry["blake2b"].encode("ascii").decode()
    return Token(name, None if contexts is None else tuple(contexts), tuple(allow), int(entry["created_at_us"]), digest)


@contextmanager
def _changing(root: str) -> "Iterator[list[Token]]":
    """The tokens, to be changed in place: written back whole when the block ends, by one process at a time."""
    make_private_dir(root)
    path = os.path.join(root, FILE_NAME)
    with FileLock(path + ".lock", time.monotonic_ns() + LOCK_DEADLINE_MS * 1_000_000):
        tokens = known(root)
        yield tokens
        entries = [
            {
                "name": token.name,
                "blake2b": token.digest,
                "contexts": token.contexts,
                "allow": token.allow,
                "created_at_us": token.created_at_us,
            }
            for token in tokens
        ]
        try:
            _write(path, json.dumps({"v": FORMAT, "tokens": entries}, indent=1).encode() + b"\n")
        except OSError as bad:
            raise RootError("write the tokens", path, bad.strerror or str(bad), "is the disk full?") from bad


def _write(path: str, content: bytes) -> None:
    """A whole file at `path` with mode 0600, which never shows a half-written one."""
    fresh = f"{path}.{os.getpid()}"
    try:
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)
    finally:
        if os.path.exists(fresh):
            os.unlink(fresh)
