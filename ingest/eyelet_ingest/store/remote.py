"""A root of another machine as a source for sync: `ssh://[user@]host[:port]/path`, where `eyelet sync --send` runs."""

import shlex
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import BinaryIO, cast
from urllib.parse import unquote, urlsplit

from eyelet_ingest.errors import BadInput, RootError
from eyelet_ingest.store.cursors import Cursor
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.sync import Piece, Source, asking, received

SCHEME = "ssh://"


def over_ssh(url: str, ssh: Sequence[str] = ("ssh",), program: str = "eyelet") -> Source:
    """The root at `url` as a source; BadInput for what is no such address. `program` is eyelet's name over there, and
    may be several words; without a path it is the root that is meant there without --root."""
    command = [*ssh, *_address(url), _command(url, program)]

    def pieces(cursors: dict[PartitionKey, Cursor], contexts: frozenset[str]) -> Iterator[Piece]:
        try:
            child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        except OSError as bad:
            raise RootError("sync from", url, f"{ssh[0]}: {bad.strerror or bad}", "is ssh installed?") from bad
        assert child.stdin is not None and child.stdout is not None
        try:
            with suppress(BrokenPipeError):  # it said why on stderr, and its answer is cut
                child.stdin.write(asking(cursors, contexts))
                child.stdin.close()
            yield from received(cast(BinaryIO, child.stdout))
        except BadInput as bad:
            raise RootError("sync from", url, bad.reason, bad.hint or "is eyelet of the same version there?") from bad
        finally:
            child.kill()
            child.stdout.close()
            child.wait()

    return pieces


def _address(url: str) -> list[str]:
    none = BadInput("sync from", url, "it is no ssh://[user@]host[:port]/path")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise none from None
    user, _, at = parts.netloc.rpartition("@")
    host = at[1:].partition("]")[0] if at.startswith("[") else at.partition(":")[0]
    # What begins with a dash would be an option of ssh's.
    if not url.startswith(SCHEME) or not host or user.startswith("-") or host.startswith("-"):
        raise none
    if not (unquote(url).isprintable() and host.isprintable()) or " " in parts.netloc:
        raise none
    if parts.query or parts.fragment:
        raise BadInput("sync from", url, "it has more than a host and a path", "write ? and # as %3F and %23")
    return [*(["-p", str(port)] if port else []), f"{user}@{host}" if user else host]


def _command(url: str, program: str) -> str:
    """What the other machine's shell is to run."""
    path = unquote(urlsplit(url).path)
    path = path[1:] if path.startswith("/~") else path
    at = "" if path in ("", "/") else f" --root {shlex.quote(path)}"
    return f"{program} sync --send{at}"
