"""Datasette's own search box on a table of events: the text index, brought up to date by the request that uses it.

Datasette offers its box where a table has an index, and believes what stands there. So a look at the table makes the
index where there is none, for a moment; a question (`_search`) waits, longer, until nothing of the day is missing in
it. Where that takes longer still, a page says that it is not all, and JSON and CSV, which could not, are an error.
"""

import contextlib
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

from datasette_eyelet import instance, mounts
from eyelet_ingest.errors import EyeletError
from eyelet_ingest.store import text_index
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.text_schema import TEXT_VERSION

LOOK_MS = 250  # for a first look: then the box is there
ASKED_MS = 3_000
PROGRAM_MS = 20_000  # JSON and CSV: whoever asks for them waits, and no page does

SEARCH, MODE = "_search", "_searchmode"
TABLE_PATHS = ("/hooks", "/hooks.json", "/hooks.csv")

# What FTS5 says of a text it cannot read: https://sqlite.org/src/file/ext/fts5/fts5_expr.c, fts5_index.c, fts5parse.y
_OF_FTS5 = ("fts5:", "fts5 expression", "unterminated string", "unknown special query", "expected integer")
_OF_FTS5_RAW = (*_OF_FTS5, "no such column")
_LACKS = "eyelet_text_lacks"  # in the scope of a request: what its day's index does not hold, in words


def asks(scope: dict[str, Any]) -> bool:
    """Whether a request asks Datasette's search box, or a column of it."""
    query = scope.get("query_string", b"").decode("latin-1")
    return any(_is_asked(name) for name, value in parse_qsl(query) if value.strip())


async def made_current(datasette: Any, scope: dict[str, Any], day: mounts.Day, rest: str) -> str:
    """Before the day's table `rest` is shown: its index there, and where it is asked up to date, each within bounds.
    The day may have another schema after that.

    "", or why it cannot be answered: to a program half an answer is none.
    """
    if rest not in TABLE_PATHS or scope["method"] not in ("GET", "HEAD") or not day.has_events:
        return ""
    is_asked, is_page = asks(scope), rest == TABLE_PATHS[0]
    if not (is_asked or is_page) or await day.read(partial(_is_current, is_asked=is_asked)):
        return ""
    held = instance.of(datasette)
    deadline_ms = LOOK_MS if not is_asked else ASKED_MS if is_page else PROGRAM_MS
    lacks, has_index = await held.apart(_caught_up, held, day.key, deadline_ms, is_asked)
    if not lacks:
        return ""
    scope[_LACKS] = lacks
    return "" if is_page and has_index else f"{lacks}. With _q in the place of _search nothing is missed."


async def made_current_over_days(database: Any, scope: dict[str, Any], rest: str) -> str:
    """Before the table over all days is searched: the newest days' indexes up to date, within bounds. What these lack
    all the same is read, so nothing is missed; it takes longer.

    "", or why there is no such search: Datasette would show all rows as found.
    """
    if rest not in TABLE_PATHS or scope["method"] not in ("GET", "HEAD") or not asks(scope):
        return ""
    if await database.fts_table("hooks") is None:
        return (
            "The text index over all days needs the extension, which is not used here. Say _q in the place of _search"
        )
    held = instance.of(database.ds)
    deadline_ms = ASKED_MS if rest == TABLE_PATHS[0] else PROGRAM_MS
    await held.apart(_index, held, database.scope.context, deadline_ms)
    return ""


def mistake(request: Any, said: str) -> str:
    """What SQLite said of the search that a request asks, with what helps; "" where it is about something else."""
    is_raw = request.args.get(MODE) == "raw"
    if not asks(request.scope) or not said.startswith(_OF_FTS5_RAW if is_raw else _OF_FTS5):
        return ""
    return (
        f"SQLite cannot read the text of _search: {said}. With _searchmode=raw that is SQLite's own query language; "
        "without it, plain words and quoted phrases. With _q in the place of _search it is the language of the search "
        "page, which says where a text goes wrong."
    )


def lacking(request: Any) -> str:
    """What the index that this request asks does not hold; "" where it holds all."""
    return str(request.scope.get(_LACKS, ""))


def _caught_up(held: instance.Instance, key: PartitionKey, deadline_ms: float, is_asked: bool) -> tuple[str, bool]:
    """Catches up with the day; what its index lacks after that, where that `is_asked`, and whether there is one:
    without an index Datasette would show all rows as found."""
    held.let_go(key)
    store = held.store
    current = store.text_catch_up(key, deadline_ms)
    if not is_asked:
        return "", True
    try:
        state = store.text_state(key)
    except EyeletError:  # why a day cannot be read is said where it is mounted
        return "", True
    if state.version != TEXT_VERSION:
        return f"{key.date} has no text index yet: it is being built, or nobody may write there", False
    if not current:
        return f"The text index of {key.date} is still being built", True
    if not state.changed:
        return "", True
    events = "1 event" if state.changed == 1 else f"{state.changed:,} events"
    return f"{events} changed since the text index was made (eyelet text rebuild {key.date})", True


def _index(held: instance.Instance, context: str | None, deadline_ms: float) -> None:
    """A round over the days, those of the context first."""
    with contextlib.suppress(EyeletError):  # what is wrong with the root, the page says
        store = held.store
        first = [key for key in reversed(store.catalog.partitions()) if key.context == context]
        store.index_text(deadline_ms, first, before=held.let_go)


def _is_current(conn: Any, is_asked: bool) -> bool:
    """Whether the index of the day holds all that arrived; where it `is_asked`, also nothing that changed since."""
    return text_index.is_current(conn) and not (is_asked and text_index.state(conn).changed)


def _is_asked(name: str) -> bool:
    return name == SEARCH or (name.startswith(f"{SEARCH}_") and name != MODE)
