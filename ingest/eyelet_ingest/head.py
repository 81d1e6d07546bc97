"""The beginning of a recording, looked at before anything is stored: what it is, whose, of when, and whether it is new.

A record may lack a time or a session that a later one says. A file is known again by what it begins with, wherever it
lies.
"""

from collections import Counter, deque
from collections.abc import Iterator
from hashlib import blake2b

from eyelet_ingest.clock import Clock
from eyelet_ingest.jsontext import canonical
from eyelet_ingest.reading import Found
from eyelet_ingest.sources import formats
from eyelet_ingest.sources.times import of_payload

# How far is looked ahead for what a file's first records do not say themselves: a time, a session.
HEAD_RECORDS, HEAD_CHARS = 10_000, 4 * 2**20
KNOWN_BY_RECORDS = 64  # a file is known again by the digest of so many of its first records
FORMAT_RECORDS = 100


class Head:
    """The first records of a file, held back until they have told what they have to."""

    def __init__(self, found: Iterator[Found], key: bytes, clock: Clock) -> None:
        self.records: deque[Found] = deque()
        self.first_time_us: int | None = None
        self.digests: list[bytes] = []  # of the first record, of the first two, …
        self.sessions: list[str] = []  # the first two that differ
        self.folder = ""  # that the first of them is of, "" where none says it
        kinds: Counter[str] = Counter()
        chars = 0
        for record in found:
            self.records.append(record)
            chars += len(record.text)
            value = record.value
            if value is not None:
                if len(self.digests) < KNOWN_BY_RECORDS:
                    before = self.digests[-1] if self.digests else b""
                    digest = blake2b(before, key=key, digest_size=16)
                    digest.update(canonical(value).encode())
                    self.digests.append(digest.digest())
                if len(self.records) <= FORMAT_RECORDS:
                    kind = formats.of(value)
                    kinds[kind.name if kind else ""] += 1
                self._note_session(value)
                self.folder = self.folder or formats.folder_of(value)
                if self.first_time_us is None:
                    self.first_time_us = clock.usable(of_payload(value))
            count = len(self.records)
            told = self.first_time_us is not None and self.sessions and count >= FORMAT_RECORDS
            if told or count >= HEAD_RECORDS or chars >= HEAD_CHARS:
                break
        known = [one for one in formats.FORMATS if kinds[one.name]]
        # What most of the first records are; of those that are as many, what is asked first.
        self.format = max(known, key=lambda one: kinds[one.name], default=None)

    def rest(self) -> Iterator[Found]:
        """The records, each let go: one may be most of the memory."""
        while self.records:
            yield self.records.popleft()

    def _note_session(self, value: "dict[str, object]") -> None:
        session = value.get("session_id") or value.get("sessionId")
        if isinstance(session, str) and len(self.sessions) < 2 and session not in self.sessions:
            self.sessions.append(session)
