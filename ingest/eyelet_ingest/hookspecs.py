"""What a plugin may do: the hooks of pluggy's namespace `eyelet`, and what is handed over. docs/plugins.md shows each.

A plugin is a module: of an installed package (entry-point group `eyelet`), or a file in `plugins/` beside the settings.
Its functions carry `@hookimpl`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pluggy import HookimplMarker, HookspecMarker

from eyelet_ingest.events import Event
from eyelet_ingest.health.finding import Check, Finding, Patient
from eyelet_ingest.health.strategies import Wal
from eyelet_ingest.plugged import Seen
from eyelet_ingest.store.columns import Column

NAMESPACE = "eyelet"
hookspec = HookspecMarker(NAMESPACE)
hookimpl = HookimplMarker(NAMESPACE)

__all__ = [
    "Check",
    "CheckpointStrategy",
    "Column",
    "Embedder",
    "Event",
    "Finding",
    "Patient",
    "Seen",
    "Source",
    "Wal",
    "hookimpl",
]

Payload = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Source:
    """A kind of recording that `eyelet ingest` understands besides its own: JSON objects, one after the other.

    `recognises` says of a record whether it is of this kind; `event` makes an Event of one that was redacted, and of
    its JSON text. `time_us` finds the record's time where it has no usual name; None where it has none. Time and uid of
    the event are set by the import. `endings` are names of files that a folder's import takes besides the usual.
    """

    name: str
    recognises: Callable[[Payload], bool]
    event: Callable[[Payload, str], Event]
    time_us: Callable[[Payload], int | None] | None = None
    endings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckpointStrategy:
    """When a WAL goes into its file: of its size in bytes and the seconds since its day was last written, the mode
    (`passive`, `full`, `restart`, `truncate`) or None for not now. `of_wal`, where there is one, is asked in place of
    `mode`, with all that is known of the WAL: size, age, idle time, priority of the day, load, waits for locks."""

    name: str
    mode: Callable[[int, float], str | None] | None = None
    of_wal: Callable[[Wal], str | None] | None = None


@dataclass(frozen=True, slots=True)
class Embedder:
    """Texts → vectors of `dimensions` numbers, one for each text."""

    name: str
    dimensions: int
    embed: Callable[[Sequence[str]], Sequence[Sequence[float]]]


@hookspec
def register_sources() -> Sequence[Source]:
    """Kinds of recordings."""
    return ()


@hookspec
def redact(text: str) -> str | None:
    """A text of a payload without what must not be stored; None where there is nothing."""


@hookspec
def enrich(event: Seen) -> Mapping[str, Any] | None:
    """What stands in `meta.plugins.<name of the plugin>` of an event; None for nothing."""


@hookspec
def register_columns() -> Sequence[Column]:
    """Columns of days."""
    return ()


@hookspec
def register_checks() -> Sequence[Check]:
    """Checks."""
    return ()


@hookspec
def register_checkpoint_strategies() -> Sequence[CheckpointStrategy]:
    """Strategies for checkpoints."""
    return ()


@hookspec
def register_embedders() -> Sequence[Embedder]:
    """Embedders."""
    return ()
