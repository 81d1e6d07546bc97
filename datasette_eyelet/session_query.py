"""The address of a session's page: which part of the story it asks for, and the addresses of all other parts. Pure."""

import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from datasette_eyelet.links import VALUE_MAX_CHARS, Links, Pairs, with_query
from eyelet_ingest.errors import BadInput
from eyelet_ingest.ranges import resolve
from eyelet_ingest.store.session import Choice, read_position

SIZE, SIZE_MOST = 100, 1_000
KINDS = (
    *("prompt", "answer", "thought", "call", "subagent", "permission", "compaction", "error", "stopped", "session"),
    "note",
)
PLACES = ("after", "before", "at")  # where a part begins or ends: at most one of them
NAMES = ("from", "to", "tz", "agent", "kind", "file", "failed", *PLACES, "_size")
EVERYBODY = "*"  # as `agent`: the steps of the session itself and of all its subagents


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of the session `id`. `pairs` are its own parameters that mean something, without the place."""

    id: str
    choice: Choice
    after: str
    before: str
    at: str
    size: int
    tz: str
    pairs: Pairs

    @property
    def agent(self) -> str:
        return self.choice.agent or ""

    @property
    def is_zoomed(self) -> bool:
        return self.choice.since_us is not None or self.choice.until_us is not None


def parse(request: Any) -> Asked:
    """BadInput for a parameter that is none of ours, or says what cannot be meant."""
    args = request.args
    for name in args:
        if name not in NAMES and not name.startswith("_"):
            raise BadInput("there is no parameter", repr(name[:60]), "", f"there are {', '.join(NAMES)}")
    given = {name: args.get(name).strip() for name in NAMES if name in args and args.get(name).strip()}
    for name, value in given.items():
        if len(value) > VALUE_MAX_CHARS * 2:
            raise BadInput(f"cannot use {name}", reason=f"it has {len(value)} characters", hint="shorten it")
    if sum(name in given for name in PLACES) > 1:
        raise BadInput("cannot read the address", reason="after, before and at", hint="give one of them")
    for name in PLACES:
        if name in given:
            read_position(given[name])
    kinds = tuple(dict.fromkeys(kind for kind in args.getlist("kind") if kind.strip()))
    for kind in kinds:
        if kind not in KINDS:
            raise BadInput("there is no kind", repr(kind[:60]), "", f"write some of {', '.join(KINDS)}")
    times = resolve(
        since=given.get("from", ""), until=given.get("to", ""), tz=given.get("tz", ""), now_us=time.time_ns() // 1_000
    )
    agent = given.get("agent", "")
    choice = Choice(
        agent=None if agent == EVERYBODY else agent,
        kinds=kinds,
        file=given.get("file", ""),
        since_us=times.since_us,
        until_us=times.until_us,
        failed=given.get("failed", "") not in ("", "0"),
    )
    pairs = [(name, given[name]) for name in NAMES if name in given and name not in (*PLACES, "kind")]
    pairs += [("kind", kind) for kind in kinds]
    after, before, at = (given.get(name, "") for name in PLACES)
    return Asked(session_of(request), choice, after, before, at, _size(given), given.get("tz", ""), tuple(pairs))


def session_of(request: Any) -> str:
    """The session that the address names."""
    return unquote(request.url_vars["session"], errors="replace")


class SessionLinks:
    """The addresses of a session's page, of its parts and of its files."""

    def __init__(self, links: Links, asked: Asked) -> None:
        self.links, self.asked = links, asked
        self.base = links.session_path(asked.id)

    def here(self, **changed: str) -> str:
        """This view with other values: "" leaves one out; the place always goes, but for one that is given."""
        return self._url(self.base, changed)

    def part(self, **changed: str) -> str:
        """The same as HTML without a page around it."""
        return self._url(f"{self.base}/part", changed)

    def json(self, **changed: str) -> str:
        return self._url(f"{self.base}.json", changed)

    def at(self, key: str, **changed: str) -> str:
        """Where the step of this key stands, in the story of its agent."""
        return f"{self.here(at=key, kind='', file='', failed='', **changed)}#{anchor(key)}"

    def export(self, kind: str) -> str:
        return with_query(f"{self.base}/export.{kind}", self.links.tz)

    def search(self, *more: tuple[str, str]) -> str:
        """The events of this session, in the search."""
        return self.links.session_search(self.asked.id, more)

    def _url(self, path: str, changed: dict[str, str]) -> str:
        names = {{"from_": "from", "size": "_size"}.get(name, name): value for name, value in changed.items()}
        kept = [pair for pair in self.asked.pairs if pair[0] not in names]
        return with_query(path, [*kept, *((name, value) for name, value in names.items() if value)])


def anchor(key: str) -> str:
    """The step's id in the page."""
    return f"s-{key}"


def _size(given: dict[str, str]) -> int:
    said = given.get("_size", str(SIZE))
    size = int(said) if said.isascii() and said.isdigit() and len(said) < 10 else 0
    if not 1 <= size <= SIZE_MOST:
        raise BadInput("cannot use _size", repr(said[:60]), "", f"a part has 1 to {SIZE_MOST:,} steps")
    return size
