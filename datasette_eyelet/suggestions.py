"""What the search box offers while one writes: the values that there are of a field, as the language writes them."""

from collections.abc import Sequence
from dataclasses import dataclass

from datasette_eyelet import facet_view, words
from datasette_eyelet.visible import one_line
from eyelet_ingest import session_state
from eyelet_ingest.errors import BadInput
from eyelet_ingest.store.calls import STATUSES
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

MOST = 20  # values of one answer
COUNTED = 5_000  # values among which those are looked for that have what was begun
SESSIONS = 50  # the newest, which are offered with what they were begun for
SHOWN_MAX_CHARS = 80
BEGUN_MAX_CHARS = 200
DEADLINE_MS = 700
# URL name → field of the store; of sessions `_sessions` knows more
FIELDS = {**facet_view.FIELDS, "session": "session_id", "error_code": "error_code"}


@dataclass(frozen=True, slots=True)
class Suggestion:
    """`value` as it is recorded, `written` as it stands behind `name:` in a text, `shown` for people. `events` is how
    many have it, None where that was not counted; `says` what it is about."""

    value: str
    written: str
    shown: str
    events: int | None
    says: str = ""


@dataclass(frozen=True, slots=True)
class Suggested:
    """`more`: others have what was begun, too. `complete` is whether there was time to count."""

    values: tuple[Suggestion, ...]
    more: bool
    complete: bool


def suggested(store: Store, name: str, begun: str, where: Filter) -> Suggested:
    """The values of a field that have what was begun in them, whatever its case: those that begin so first, then the
    frequent ones. Of src these are the names one level below the last dot of what was begun; of sessions the newest,
    found by what they were begun for, too. BadInput for a name that is no field, and for more than can be a value."""
    if name not in FIELDS:
        raise BadInput(
            "suggest values", reason=f"there is no field {name[:60]!r}", hint=f"there are {', '.join(FIELDS)}"
        )
    if len(begun) > BEGUN_MAX_CHARS:
        raise BadInput("suggest values", reason=f"more than {BEGUN_MAX_CHARS} characters", hint="begin a shorter one")
    complete = True
    found: list[tuple[str, int | None, str]] = []
    if name == "session":
        found, complete = _sessions(store, begun, where)
    if name != "session" or begun:
        below = begun.rpartition(".")[0] if name == "src" else ""
        field = FIELDS[name]
        counted = store.facets(where, (field,), limit=COUNTED, src_below=below, deadline_ms=DEADLINE_MS)
        complete = complete and counted.partitions.complete
        found += [(value, events, "") for value, events in counted.fields[field].values]
    if name == "status":
        found += [(value, None, "") for value in STATUSES]
    return _chosen(name, begun.lower(), found, complete)


def _sessions(store: Store, begun: str, where: Filter) -> tuple[list[tuple[str, int | None, str]], bool]:
    """The newest sessions, with what each was begun for: those whose id or prompt has what was begun."""
    listed = store.sessions(where, limit=SESSIONS, tokens=False, deadline_ms=DEADLINE_MS)
    found = []
    for one in listed.rows:
        said = session_state.prompt_of(one.facts.prompts) if one.facts else ""
        if begun.lower() in one.session_id.lower() or begun.lower() in said.lower():
            found.append((one.session_id, one.facts.events if one.facts else None, one_line(said, SHOWN_MAX_CHARS)))
    return found, listed.complete


def _chosen(name: str, begun: str, found: Sequence[tuple[str, int | None, str]], complete: bool) -> Suggested:
    fitting: dict[str, tuple[int | None, str]] = {}
    for value, events, says in found:
        if (says or begun in value.lower()) and words.is_plain(value) and (name != "status" or value in STATUSES):
            fitting.setdefault(value, (events, says))
    ordered = sorted(fitting, key=lambda value: not value.lower().startswith(begun))
    values = tuple(
        Suggestion(value, words.written(name, value), one_line(value, SHOWN_MAX_CHARS), *fitting[value])
        for value in ordered[:MOST]
    )
    return Suggested(values, len(ordered) > MOST, complete)
