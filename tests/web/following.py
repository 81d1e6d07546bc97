"""One who follows `/-/eyelet/live` over a real connection, and reads its messages."""

import contextlib
import http.client
import json
import socket
from typing import Any, NamedTuple


class Told(NamedTuple):
    """One message: `data` is None of a comment, whose text is the event then."""

    event: str
    id: str
    data: Any


class Follows:
    """Reads a stream message by message; TimeoutError where none comes within `wait_s`."""

    def __init__(self, port: int, path: str, headers: dict[str, str], last_id: str = "", wait_s: float = 20.0) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=wait_s)
        given = {**headers, "Accept": "text/event-stream", **({"Last-Event-ID": last_id} if last_id else {})}
        self._connection.request("GET", path, headers=given)
        self._socket = self._connection.sock
        self.answer = self._connection.getresponse()
        self.status = self.answer.status
        self.id = last_id

    def next(self) -> Told | None:
        """The next message, None at the end of the stream."""
        event = ""
        data: list[str] = []
        while line := self.answer.readline():
            text = line.decode().rstrip("\n")
            if not text:
                if data or event:
                    return Told(event, self.id, json.loads("".join(data)) if data else None)
                continue
            name, _, value = text.partition(": ")
            if name == "id":
                self.id = value
            elif name == "event":
                event = value
            elif name == "data":
                data.append(value)
            elif not name:
                return Told(value, self.id, None)
        return None

    def until(self, event: str) -> Told:
        """The next message of this kind."""
        while (told := self.next()) is not None:
            if told.event == event:
                return told
        raise AssertionError(f"the stream ended without {event}")

    def rows(self, count: int) -> list[dict[str, Any]]:
        """So many rows, as they come."""
        found: list[dict[str, Any]] = []
        while len(found) < count:
            found += self.until("rows").data["rows"]
        return found

    def cut(self) -> None:
        """Go away without a word; who reads in another thread finds the end."""
        if self._socket is not None:
            with contextlib.suppress(OSError):  # the other side was first
                self._socket.shutdown(socket.SHUT_RDWR)

    def drop(self) -> None:
        """Go away; nobody may read any more."""
        self.cut()
        self.answer.close()
        self._connection.close()
