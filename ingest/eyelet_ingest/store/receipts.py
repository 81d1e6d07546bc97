"""`redactions/` at the root: one file for each redaction of what was stored, and no secret in any of them.

A receipt says who asked for what and when, which day of which place was rewritten, how many events and which columns,
and the digest over the day's rows before and after, as seals have it (`digests.rows_digest`). It is written whole at
each step, 0600: a day stands in it as "about" before it is committed, as "done" after that, as "failed" where that went
wrong; `finished_us` is null in that of a run that was stopped, or still goes on.
"""

import os
import time
from collections.abc import Mapping
from typing import Any

from eyelet_ingest.store import identity, layout, manifest

FOLDER = "redactions"
FORMAT = 1
LEFT_BEHIND_S = 3_600


class Receipt:
    """The receipt of one run in one root. RootError where it cannot be written: then nothing is redacted."""

    def __init__(self, root: str, what: Mapping[str, object]) -> None:
        self.began_us = time.time_ns() // 1_000
        self.said: dict[str, Any] = {
            "format": FORMAT,
            "began_us": self.began_us,
            "finished_us": None,
            **what,
            "days": [],
        }
        self.announced: list[dict[str, Any]] = []
        self.path = ""
        if not root.startswith(layout.MEMORY):
            identity.make_private_dir(os.path.join(root, FOLDER))
            _remove_left(os.path.join(root, FOLDER))
            stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(self.began_us / 1e6))
            self.path = os.path.join(root, FOLDER, f"{stamp}-{os.urandom(4).hex()}.json")
            self._write()

    def about(self, day: Mapping[str, object]) -> None:
        """This is committed next."""
        self.announced.append({"state": "about", **day})
        self.said["days"].append(self.announced[-1])
        self._write()

    def done(self) -> None:
        """What was announced is committed."""
        self._have_become("done")

    def failed(self) -> None:
        """Of what was announced nobody can say that all of it is committed."""
        if self.announced:
            self._have_become("failed")

    def _have_become(self, state: str) -> None:
        for day in self.announced:
            day["state"] = state
        self.announced.clear()
        self._write()

    def finish(self, end: Mapping[str, object]) -> None:
        """The run came to its end; one that found nothing leaves no receipt."""
        self.said |= {**end, "finished_us": time.time_ns() // 1_000}
        if self.said["days"] or end.get("failed"):
            self._write()
        elif self.path:
            os.unlink(self.path)
            self.path = ""

    def _write(self) -> None:
        if self.path:
            manifest.write_json(self.path, self.said)


def _remove_left(folder: str) -> None:
    """What somebody was writing when he was stopped."""
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if name[0] == "." and time.time() - os.lstat(path).st_mtime > LEFT_BEHIND_S:
            os.unlink(path)
