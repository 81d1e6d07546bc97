"""What plugins do to an event, and how none of them costs one: the same in a command, in the server and in the hook.

Light: the hook imports it where a plugin may run there. A redactor fails closed: a text that it could not look at is
withheld, and the event says so.
"""

from eyelet_ingest import intake
from eyelet_ingest.errors import BadInput
from eyelet_ingest.jsontext import dumps, has_duplicate_keys, parse, parse_numbers_as_text
from eyelet_ingest.redaction import WITHHELD

TYPE_CHECKING = False  # importing typing costs the hook more than its insert
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from eyelet_ingest.events import Event
    from eyelet_ingest.redaction import Redactor

    T = TypeVar("T")

ADDED = ("git", "environment", "custom")
ENRICHED_MAX_CHARS = 64 * 1024
# What an event keeps of a payload that a redactor could not look at: names that agents make, no text of anybody's.
STRUCTURE = ("hook_event_name", "type", "session_id", "sessionId", "tool_name", "tool_use_id", "timestamp", "uuid")


class TookTooLong(Exception):
    """The time was up."""


class Raised(Exception):
    """What it raised, in words. `place` says it without these: its kind, and where in the plugin. What raises while it
    looks at a text may quote that."""

    def __init__(self, words: str, place: str = "") -> None:
        super().__init__(words)
        self.place = place or words


class Interrupted(BaseException):
    """The time is up, raised in the middle of the work."""


class Seen:
    """An event as `enrich` sees it: redacted, before it is stored. What is done to `payload` changes nothing."""

    __slots__ = (
        "hook_type", "origin", "payload", "project_dir", "session_id", "src", "status", "time_us", "tool_name",
    )  # fmt: skip

    def __init__(self, event: "Event", payload: "dict[str, Any]") -> None:
        self.payload = payload
        self.hook_type, self.src, self.session_id = event.hook_type, event.src, event.session_id
        self.tool_name, self.status, self.origin = event.tool_name, event.status, event.origin
        self.project_dir, self.time_us = event.project_dir, event.time_us


class Plugged:
    """The redactors and enrichers of a process, in order, each with its plugin's name."""

    def __init__(self) -> None:
        self._redactors: list[tuple[str, Callable[..., Any]]] = []
        self._enrichers: list[tuple[str, Callable[..., Any]]] = []

    def _bounded(self, work: "Callable[[], T]", chars: int) -> "T":
        """What the work on so long a text returns; TookTooLong; Raised."""
        raise NotImplementedError

    def _note(self, plugin: str, hook: str, reason: str) -> None:
        raise NotImplementedError

    def _failed(self, plugin: str, hook: str, bad: Exception) -> None:
        """Note it; one that took too long is off from now on."""
        raise NotImplementedError

    def _is_off(self, plugin: str, hook: str) -> bool:
        raise NotImplementedError

    @property
    def redacts(self) -> bool:
        """Whether any of them redacts."""
        return bool(self._redactors)

    def redacted(self, value: object, text: str) -> "tuple[object, str, list[str]]":
        """A payload that was redacted already, and its text, after every redactor looked at each text in it; with the
        plugins that failed.

        Keys are not looked at. A text that a redactor raises on is withheld; where one takes too long, all of the
        payload but STRUCTURE is, of this event and of those that follow.
        """
        if not self._redactors:
            return value, text, []
        off = [name for name, _ in self._redactors if self._is_off(name, "redact")]
        if off:
            return *withheld(value), off
        failed: list[str] = []
        at_work = [self._redactors[0][0]]

        def change(one: str) -> str:
            for name, redact in self._redactors:
                at_work[0] = name
                try:
                    found = called(redact, one)
                    if found is not None and not isinstance(found, str):
                        raise Raised(f"it answered a {type(found).__name__}, no text")
                except Raised as bad:
                    self._note(name, "redact", bad.place)
                    if name not in failed:
                        failed.append(name)
                    return WITHHELD
                if found is not None:
                    one = found if found.isascii() else found.encode("utf-8", "replace").decode()
            return one

        try:
            return *self._bounded(lambda: _changed(value, text, change), len(text)), failed
        except (TookTooLong, Raised) as bad:
            self._failed(at_work[0], "redact", bad)
            return *withheld(value), [at_work[0]]

    def redacted_text(self, text: str) -> "tuple[str, list[str]]":
        """The same of a text that is no JSON; withheld as a whole where a redactor fails."""
        value, _, failed = self.redacted(text, dumps(text))
        return value if isinstance(value, str) else WITHHELD, failed

    def redact_metadata(self, event: "Event") -> None:
        """The same of what `metadata.add` has given the event."""
        added = {name: event.meta.pop(name) for name in ADDED if name in event.meta}
        if not added:
            return
        safe, _, failed = self.redacted(added, dumps(added))
        if isinstance(safe, dict):
            event.meta.update(safe)
        if failed:
            event.meta["redaction_failed"] = failed

    def enrich(self, event: "Event", payload: "dict[str, object]", redactor: "Redactor") -> None:
        """Let each enricher add what it knows, redacted, in `meta.plugins`; one that fails adds nothing."""
        enrichers = [one for one in self._enrichers if not self._is_off(one[0], "enrich")]
        if not enrichers:
            return
        seen = Seen(event, payload)
        found: dict[str, object] = {}
        at_work = [enrichers[0][0]]

        def ask() -> None:
            for name, enrich in enrichers:
                at_work[0] = name
                try:
                    said = _plain(called(enrich, seen), redactor)
                except (Raised, BadInput, ValueError, TypeError, RecursionError) as bad:
                    self._note(name, "enrich", bad.place if isinstance(bad, Raised) else str(bad))
                    continue
                if said:
                    found[name] = said

        try:
            self._bounded(ask, len(event.data))
        except (TookTooLong, Raised) as bad:
            self._failed(at_work[0], "enrich", bad)
        if found:
            event.meta["plugins"] = redactor.value(dict(found))


def called(function: "Callable[..., T]", *arguments: "Any") -> "T":
    """`function(…)`; Raised, with its kind and text, for whatever it raises."""
    try:
        return function(*arguments)
    except Interrupted:
        raise
    except BaseException as bad:  # noqa: BLE001  it is not ours: it may raise anything, SystemExit too
        kind = type(bad).__name__
        raise Raised(f"{kind}: {bad}"[:300], f"{kind}{_place(bad)}") from None


def _place(bad: BaseException) -> str:
    """Where in the function that was called it was raised, as ` in FILE, line N`."""
    trace = bad.__traceback__
    while trace is not None and trace.tb_frame.f_globals.get("__package__") == __package__:
        trace = trace.tb_next
    if trace is None:
        return ""
    name = trace.tb_frame.f_code.co_filename.rsplit("/", 1)[-1]
    return f" in {name}, line {trace.tb_lineno}"


def withheld(value: object) -> "tuple[object, str]":
    """What is kept of a payload that nobody could look at."""
    kept: dict[str, object] = {}
    if isinstance(value, dict):
        kept = {name: value[name] for name in STRUCTURE if isinstance(value.get(name), (str, int, float))}
    kept["_withheld"] = "a plugin that redacts failed"
    return kept, dumps(kept)


def mapped(value: object, change: "Callable[[str], str]") -> object:
    """A copy of parsed JSON in which every text, but no key, is what `change` makes of it. Does not recurse."""
    top: list[Any] = [value]
    stack: list[Any] = [top]
    while stack:
        box = stack.pop()
        for at, item in list(box.items() if isinstance(box, dict) else enumerate(box)):
            if isinstance(item, str):
                box[at] = change(item)
            elif isinstance(item, (dict, list)):
                box[at] = item.copy()
                stack.append(box[at])
    return top[0]


def _changed(value: object, text: str, change: "Callable[[str], str]") -> "tuple[object, str]":
    """The value with every text changed, and its JSON text; both the same where nothing changed."""
    is_same = True

    def noted(one: str) -> str:
        nonlocal is_same
        changed = change(one)
        is_same = is_same and changed == one
        return changed

    new = mapped(value, noted)
    if is_same and not has_duplicate_keys(text):  # what the value left out of the text was not looked at
        return value, text
    try:
        return new, dumps(new)
    except ValueError:  # a number beyond what Python holds: as text it is whole
        new = mapped(parse_numbers_as_text(text), change)
        return new, dumps(new)


def _plain(said: object, redactor: "Redactor") -> "dict[str, object] | None":
    """What an enricher answered, as JSON can hold it; ValueError, TypeError for what it cannot."""
    if said is None:
        return None
    if not isinstance(said, dict) or not all(isinstance(name, str) for name in said):
        raise TypeError(f"it answered a {type(said).__name__}, no dict with names")
    text = dumps(said)
    if len(text) > ENRICHED_MAX_CHARS:
        raise ValueError(f"it answered more than {ENRICHED_MAX_CHARS} characters")
    clean, _ = intake.clean(text, parse(text), redactor)
    return clean if isinstance(clean, dict) else None
