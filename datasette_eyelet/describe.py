"""What Datasette says of a day: titles, what its columns hold, newest rows first.

Datasette's own metadata names each database, and days come by themselves; so the plugin says it. In 0.65 it is merged
into the metadata whenever somebody asks (`metadata`). 1.0 reads the texts from its internal database, where
`queries.add_to` enters them, and how a table is shown from its configuration (`configured`). Where a site's own
metadata says something of one day, that counts.
"""

from typing import Any

from datasette_eyelet import compat, mounts
from eyelet_ingest.store import text_schema
from eyelet_ingest.store.layout import key_from_mount_name

TEXTS = ("title", "description")

# Only what its name does not say: Datasette lists these above the rows, and all 25 would fill the first screen.
_HOOKS = {
    "title": "Events",
    "description": "Every event, whole. One call of a tool may be several: before it, after it, in the transcript.",
    "columns": {
        "id": "When it happened: microseconds since 1970 UTC, moved on where two events share one",
        "src": "Where it comes from: agent, event, tool and detail, with dots between",
        "status": "pending, ok, error, denied or interrupted: as known when it was written",
        "tool_use_id": "Joins the events of one call",
        "data": "The payload as JSON, secrets withheld, otherwise as received",
        "meta": "JSON of what was added: execution, git, source, …",
    },
}
_PARTITION = {
    "title": "About this day",
    "description": "The context as it was given, and where the day begins and ends, in microseconds since 1970 UTC.",
    "columns": {"key": "context, given, start_us or end_us", "value": "Its value"},
}
_HOURS: dict[str, Any] = {
    "title": "Statistics: hours",
    "description": "How many events each finished hour has, for counts that need not read them.",
}
_COUNTS: dict[str, Any] = {
    "title": "Statistics: values",
    "description": "How many events of each finished hour have which value.",
}
_CALLS: dict[str, Any] = {
    "title": "Calls",
    "description": "Each call of a tool on this day, once: its question and its answer joined.",
}
_WITNESSES: dict[str, Any] = {
    "title": "Witnesses of calls",
    "description": "Each event of a call, and which part it has in it.",
}
_TEXT: dict[str, Any] = {
    "title": "Text of events",
    "description": "What a search for text looks at, taken out of each event: the text index is over these columns.",
    "columns": {
        "command": "What was run",
        "path": "Files, folders, addresses",
        "prompt": "What a person asked",
        "answer": "What the agent said",
        "output": "What a tool gave",
        "error": "Messages of failures",
        "other": "All other text",
    },
}
_OF_TEXT = (text_schema.KEYS, text_schema.GONE, text_schema.WIDE, text_schema.TERMS)
# How the tables are shown: what 0.65 reads among the metadata, and 1.0 from its configuration.
_SHOWN: dict[str, dict[str, Any]] = {
    "hooks": {"sort_desc": "id", "label_column": "src"},
    "eyelet_partition": {"hidden": True},
    "eyelet_hours": {"hidden": True},
    "eyelet_counts": {"hidden": True},
    **{name: {"hidden": True} for name in _OF_TEXT},
}


def database(name: str) -> dict[str, Any]:
    """Title and description of the day mounted as `name`, and under `tables` those of its tables and columns."""
    key = key_from_mount_name(name)
    if key is None:
        raise ValueError(f"{name!r} is no mount name")
    return {
        "title": f"{key.context} · {key.date}",
        "description": f"What was recorded on {key.date} (UTC) in the context {key.context}.",
        "tables": {
            "hooks": _copied(_HOOKS),
            "eyelet_partition": _copied(_PARTITION),
            "eyelet_hours": _copied(_HOURS),
            "eyelet_counts": _copied(_COUNTS),
            "calls": _copied(_CALLS),
            "call_witnesses": _copied(_WITNESSES),
            text_schema.VIEW: _copied(_TEXT),
            **{name: {"columns": {}} for name in _OF_TEXT},
        },
    }


def is_day(datasette: Any, name: str) -> bool:
    """Whether the running request reads a day mounted under this name."""
    return key_from_mount_name(name) is not None and mounts.is_ours(datasette, name)


def has_events(datasette: Any, name: str) -> bool:
    """Whether it is a day whose table `hooks` is there: one that a writer began and never wrote is an empty file."""
    return is_day(datasette, name) and datasette.databases[name].has_events


def metadata(datasette: Any) -> dict[str, Any]:
    """The metadata of the day that the running request reads, for the hook `get_metadata` of 0.65, which merges into
    it what the site says; made anew, since Datasette goes on adding to it."""
    days = {name: database(name) for name in getattr(datasette, "databases", ()) if is_day(datasette, name)}
    for name, day in days.items():
        given = compat.metadata_of_site(datasette, name).get("tables") or {}
        for table, shown in _shown(datasette, name).items():
            day["tables"][table].update(_beside(given.get(table) or {}, shown))
    return {"databases": days} if days else {}


def configured(datasette: Any, name: str, given: dict[str, Any]) -> dict[str, Any]:
    """The configuration of a database in 1.0: what the site gives it, and how a day's tables are shown."""
    if not is_day(datasette, name):
        return given
    tables = dict(given.get("tables") or {})
    for table, shown in _shown(datasette, name).items():
        own = tables.get(table) or {}
        tables[table] = {**_beside(own, shown), **own}
    return {**given, "tables": tables}


def _shown(datasette: Any, name: str) -> dict[str, dict[str, Any]]:
    """How the tables of a day are shown: of a table `hooks` without our columns nothing is said."""
    return _SHOWN if has_events(datasette, name) else {}


def _beside(own: dict[str, Any], shown: dict[str, Any]) -> dict[str, Any]:
    """What is left to say of a table beside what the site says: Datasette refuses two orders at once."""
    return {key: value for key, value in shown.items() if not (key == "sort_desc" and "sort" in own)}


def _copied(table: dict[str, Any]) -> dict[str, Any]:
    return {**table, "columns": dict(table.get("columns", {}))}
