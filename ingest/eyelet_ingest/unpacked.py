"""Compressed recordings as streams of bytes: gzip, and zstd where this Python can (3.14, or the package zstandard).

Codex packs old rollouts as `.jsonl.zst` (openai/codex, codex-rs/rollout/src/compression.rs). Where data is damaged a
stream ends, so that all that came before is still read; `broken` says why.
"""

import gzip
import io
import zlib
from importlib import import_module
from typing import Any

from eyelet_ingest.window import PIECE_BYTES

GZIP_MAGIC, ZSTD_MAGIC = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
NO_ZSTD = "it is packed with zstd, which this Python cannot read: `pip install zstandard` or unpack it with `zstd -d`"


def of(packed: io.BufferedReader) -> io.BufferedReader:
    """The bytes of a stream, unpacked where it begins as gzip or zstd do; the same stream where it does neither."""
    begins = packed.peek(4)[:4]
    if begins[:2] == GZIP_MAGIC:
        errors = (EOFError, zlib.error, gzip.BadGzipFile)
        return io.BufferedReader(_Unpacked(gzip.GzipFile(fileobj=packed), errors), PIECE_BYTES * 2)
    if begins == ZSTD_MAGIC:
        return io.BufferedReader(_Unpacked(*_zstd(packed)), PIECE_BYTES * 2)
    return packed


class _Unpacked(io.RawIOBase):
    """What is inside, and what is raised where that is damaged; None is inside of what nothing here can unpack."""

    def __init__(self, inside: Any, errors: "tuple[type[Exception], ...]") -> None:
        self._inside, self._errors = inside, errors
        self.broken = "" if inside is not None else NO_ZSTD  # why the data ended before its end

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        if self.broken:
            return 0
        try:
            data: bytes = self._inside.read1(len(buffer))  # readinto would lose what it had when the damage comes
        except self._errors as bad:
            self.broken = str(bad)
            return 0
        buffer[: len(data)] = data
        return len(data)


def _zstd(packed: io.BufferedReader) -> "tuple[Any, tuple[type[Exception], ...]]":
    """What is inside as an open file, and what is raised where it is damaged; None where nothing here can unpack it."""
    try:
        ours = import_module("compression.zstd")
        return ours.ZstdFile(packed), (EOFError, ours.ZstdError)
    except ImportError:
        pass
    try:
        theirs = import_module("zstandard")
    except ImportError:
        return None, ()
    opened = theirs.ZstdDecompressor().stream_reader(packed, read_across_frames=True)
    return io.BufferedReader(opened, PIECE_BYTES), (EOFError, theirs.ZstdError)
