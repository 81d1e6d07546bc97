"""The same event once: `uid`, 16 bytes of BLAKE2b keyed with the root's `secret.key`.

It is taken over the payload before redaction, so that new rules of redaction double nothing; it is keyed, so that
it tells nobody whether a guessed secret was in it. What goes in is fixed for ever: a uid made today must meet the
same event made again in ten years. Every part is preceded by its length, so that no two inputs spell the same bytes.
"""

import time

from eyelet_ingest.errors import RootError
from eyelet_ingest.store.layout import MEMORY
from eyelet_ingest.system import os

UID_BYTES = 16
KEY_BYTES = 32
MAKE_AGAIN = 5
_OTHER_ROOT = "name another root with --root or EYELET_ROOT"


def load_key(root: str) -> bytes:
    """The root's key, made at first sight with mode 0600; of many makers at once exactly one wins.

    RootError where it can neither be read nor made, or does not have 32 bytes.
    """
    if root.startswith(MEMORY):
        from eyelet_ingest.store import memory

        return memory.secret_of(root)
    path = os.path.join(root, "secret.key")
    try:
        return _read_key(path)
    except FileNotFoundError:
        pass
    make_private_dir(root)
    mine = f"{path}.{os.getpid()}.{time.time_ns()}"
    try:
        _write_key(mine, path)
    except OSError as bad:
        raise RootError("make the key", path, bad.strerror or str(bad), _remedy(bad)) from bad
    return _read_key(path)


def put_whole(handle: int, content: bytes, mine: str, path: str) -> None:
    """Write the open file `mine` whole and give it its name `path`, in place of what is there.

    OSError where that fails, and nothing is left of it then."""
    try:
        try:
            view = memoryview(content)
            while view:
                view = view[os.write(handle, view) :]
        finally:
            os.close(handle)
        os.replace(mine, path)
    except OSError:
        try:  # noqa: SIM105  contextlib is not for the hook
            os.unlink(mine)
        except OSError:
            pass  # whoever walks over what was left unfinished takes care of it
        raise


def _write_key(mine: str, path: str) -> None:
    """A whole key at `path`, which never shows a half-written one; where another was first, theirs."""
    from errno import ENOSPC, ENOSYS, ENOTSUP, EPERM  # a hook makes no key, but once

    handle = os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        try:
            if os.write(handle, os.urandom(KEY_BYTES)) != KEY_BYTES:
                raise OSError(ENOSPC, "the key was not written whole")
        finally:
            os.close(handle)
        try:
            os.link(mine, path)
        except FileExistsError:
            pass
        except OSError as bad:
            if bad.errno not in (EPERM, ENOTSUP, ENOSYS):
                raise
            if not os.path.exists(path):  # a file system without links: two makers at once are unlikely there
                os.replace(mine, path)
    finally:
        if os.path.exists(mine):
            os.unlink(mine)


def record_uid(key: bytes, agent: str, record_uuid: str) -> bytes:
    """Of a record that has an identifier of its own: a fork's copy of it is the same record."""
    return _uid(key, b"uuid", agent.encode(), record_uuid.encode("utf-8", "surrogatepass"))


def timed_uid(key: bytes, canonical: bytes, time_us: int) -> bytes:
    """Of a recorded payload with a time, as canonical JSON: compact, keys sorted."""
    return _uid(key, b"time", canonical, b"%d" % time_us)


def timeless_uid(key: bytes, canonical: bytes, occurrence: int, generation: bytes = b"") -> bytes:
    """Of a recorded payload without a time: the `occurrence`-th among equal ones of its file (and generation)."""
    return _uid(key, b"nth", canonical, b"%d" % occurrence, generation)


def make_private_dir(path: str, again: int = MAKE_AGAIN) -> None:
    """The folder and its parents, 0700 where they are new; RootError with the reason where that fails.

    Others may make or remove the same folders meanwhile: what was not there is tried `again`.
    """
    if path.startswith(MEMORY):
        return
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        if not os.path.isdir(path):
            what = "a link to nothing is there" if os.path.islink(path) else "a file is there"
            raise RootError("make the folder", path, what, _OTHER_ROOT) from None
    except OSError as bad:
        above = os.path.dirname(path)
        if not isinstance(bad, FileNotFoundError) or not again or above == path:
            raise RootError("make the folder", path, bad.strerror or str(bad), _remedy(bad)) from bad
        make_private_dir(above)  # os.makedirs would give the parents whatever the umask leaves
        make_private_dir(path, again - 1)


def _remedy(bad: OSError) -> str:
    from errno import EDQUOT, ENOSPC

    return "the disk is full: make room" if bad.errno in (ENOSPC, EDQUOT) else _OTHER_ROOT


class Uids:
    """`timed_uid` of many payloads with one key, which goes in only once."""

    __slots__ = ("_keyed",)

    def __init__(self, key: bytes) -> None:
        from _blake2 import blake2b  # a hook makes no uid, and this is a file to be loaded

        self._keyed = blake2b(digest_size=UID_BYTES, key=key)

    def timed(self, canonical: bytes, time_us: int) -> bytes:
        hashed = self._keyed.copy()
        digits = b"%d" % time_us
        hashed.update(b"4:time%d:%b%d:%b" % (len(canonical), canonical, len(digits), digits))
        return hashed.digest()


def _uid(key: bytes, *parts: bytes) -> bytes:
    from _blake2 import blake2b

    spelt = b"".join([b"%d:%b" % (len(part), part) for part in parts])
    return blake2b(spelt, digest_size=UID_BYTES, key=key).digest()


def _read_key(path: str) -> bytes:
    """The key; FileNotFoundError where there is none yet."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))  # a pipe in its place must not be waited for
        try:
            key = os.read(handle, KEY_BYTES + 1)
        finally:
            os.close(handle)
    except FileNotFoundError:
        if os.path.islink(path):
            raise RootError("read the key", path, "it is a link to nothing", "mend or remove the link") from None
        raise
    except NotADirectoryError as bad:
        raise RootError("read the key", path, "the root is a file, not a folder", _OTHER_ROOT) from bad
    except OSError as bad:
        raise RootError("read the key", path, str(bad), "is it a file that belongs to you?") from bad
    if len(key) != KEY_BYTES:
        reason = f"it has {len(key)} bytes, not {KEY_BYTES}"
        raise RootError("read the key", path, reason, "restore it from a back-up, or remove it")
    return key
