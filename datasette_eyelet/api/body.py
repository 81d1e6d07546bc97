"""A request's body, read no further than it may go, and what it says: one JSON object, or an event on each line."""

import asyncio
from collections.abc import Awaitable, Callable
from json import JSONDecodeError, JSONDecoder
from typing import Any

from datasette_eyelet.api.door import Problem
from eyelet_ingest.jsontext import first_wins, parse

BODY_MAX_BYTES = 16 * 2**20
EVENTS_MAX = 10_000
READ_TIMEOUT_S = 60.0

JSON = ("application/json",)
LINES = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines")

_SPACE = " \t\r\n"
_decoder = JSONDecoder(object_pairs_hook=first_wins, parse_int=str, parse_float=str)


def content_type(request: Any, *taken: str) -> str:
    """The body's content type, one of `taken`; Problem 415 for another.

    What a web page of another origin can send unasked (forms, plain text) is none of them.
    """
    given = str(request.headers.get("content-type") or "").partition(";")[0].strip().lower()
    if given not in taken:
        raise Problem(415, f"Content-Type: {given or 'none'} is not taken, write one of {', '.join(taken)}")
    coding = str(request.headers.get("content-encoding") or "identity").strip().lower()
    if coding != "identity":
        raise Problem(415, f"Content-Encoding: {coding} is not taken, send the body as it is")
    return given


async def read(request: Any) -> str:
    """The body as text. Problem 413 as soon as it is too long, 408 where it does not come, 400 where it is no UTF-8."""
    raw = await read_bytes(request, BODY_MAX_BYTES)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as bad:
        raise Problem(400, f"the body is not UTF-8: byte {bad.start}") from bad


async def read_bytes(request: Any, most_bytes: int, took: Callable[[int], None] = lambda size_bytes: None) -> bytes:
    """The body, `took` being told of each part before the next is waited for. Problem 413 and 408 as for `read`."""
    declared = str(request.headers.get("content-length") or "")
    if declared.isascii() and declared.isdigit() and (len(declared) > 15 or int(declared) > most_bytes):
        raise _too_long(most_bytes)
    return await _in_time(_read(request, most_bytes, took))


async def _in_time(reading: Awaitable[bytes]) -> bytes:
    """What is read; Problem 408 after READ_TIMEOUT_S. `asyncio.wait_for` would make a task of it, for each request."""
    task, is_late = asyncio.current_task(), False

    def give_up() -> None:
        nonlocal is_late
        is_late = True
        if task is not None:
            task.cancel()

    timer = asyncio.get_running_loop().call_later(READ_TIMEOUT_S, give_up)
    try:
        return await reading
    except asyncio.CancelledError:
        if not is_late:
            raise
        getattr(task, "uncancel", int)()  # Python 3.11 counts them
        raise Problem(408, f"the body did not come within {READ_TIMEOUT_S:.0f} seconds") from None
    finally:
        timer.cancel()


def members(text: str, *known: str) -> dict[str, str]:
    """The members of the one JSON object that a body is, each as the JSON text that spells it.

    Problem 400 for what is no object and for a member that is none of `known`.
    """
    at = _skip(text, 0)
    if text[at : at + 1] != "{":
        raise Problem(400, "the body must be one JSON object")
    found: dict[str, str] = {}
    at = _skip(text, at + 1)
    while text[at : at + 1] != "}":
        name, at = _value(text, at)
        at = _skip(text, at)
        if not isinstance(name, str) or text[at : at + 1] != ":":
            raise Problem(400, f"the body is not JSON: no member at character {at}")
        start = _skip(text, at + 1)
        _, at = _value(text, start)
        if name not in known:
            raise Problem(400, f"{name[:60]!r}: the request has no such field, it has {', '.join(known)}")
        found.setdefault(name, text[start:at])
        at = _next(text, at, "}")
    if text[at + 1 :].strip(_SPACE):
        raise Problem(400, f"the body is not JSON: more text at character {at + 1}")
    return found


def elements(text: str, name: str) -> list[str]:
    """The JSON texts of the elements of an array; Problem 400 for what is none, 413 for more than EVENTS_MAX."""
    if text[:1] != "[":
        raise Problem(400, f"{name}: must be a list of objects")
    found: list[str] = []
    at = _skip(text, 1)
    while text[at : at + 1] != "]":
        if len(found) == EVENTS_MAX:
            raise _too_many()
        _, end = _value(text, at)
        found.append(text[at:end])
        at = _next(text, end, "]")
    return found


def lines(text: str) -> list[str]:
    """The lines that are not blank; Problem 413 for more than EVENTS_MAX."""
    found = [line for line in text.split("\n") if line.strip(_SPACE)]
    if len(found) > EVENTS_MAX:
        raise _too_many()
    return found


def value(text: str) -> object:
    """What a member says; BadInput for what is not JSON to SQLite."""
    return parse(text)


def values(text: str, *known: str) -> dict[str, object]:
    """The members of the one JSON object that a body is, and what they say."""
    return {name: value(spelt) for name, spelt in members(text, *known).items()}


async def _read(request: Any, most_bytes: int, took: Callable[[int], None]) -> bytes:
    parts: list[bytes] = []
    size_bytes = 0
    while True:
        message = await request.receive()
        if message["type"] != "http.request":
            raise Problem(400, "the body broke off")  # nobody is there to hear it
        parts.append(message.get("body", b""))
        size_bytes += len(parts[-1])
        if size_bytes > most_bytes:
            raise _too_long(most_bytes)
        took(len(parts[-1]))
        if not message.get("more_body", False):
            return b"".join(parts)


def _value(text: str, at: int) -> tuple[object, int]:
    """The value that begins at `at`, and where it ends."""
    try:
        return _decoder.raw_decode(text, at)
    except JSONDecodeError as bad:
        raise Problem(400, f"the body is not JSON: {bad.msg} at character {bad.pos}") from bad
    except RecursionError as bad:
        raise Problem(400, "the body is nested too deep") from bad


def _next(text: str, at: int, closing: str) -> int:
    """Behind the comma after a value, or at the closing bracket."""
    at = _skip(text, at)
    if text[at : at + 1] == closing:
        return at
    if text[at : at + 1] != ",":
        raise Problem(400, f"the body is not JSON: no comma at character {at}")
    at = _skip(text, at + 1)
    if text[at : at + 1] == closing:
        raise Problem(400, f"the body is not JSON: a comma too many at character {at}")
    return at


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


def _too_long(most_bytes: int) -> Problem:
    return Problem(413, f"the body is longer than {most_bytes} bytes: send it in parts")


def _too_many() -> Problem:
    return Problem(413, f"more than {EVENTS_MAX} events: send them in parts")
