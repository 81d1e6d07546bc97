"""What Datasette says of a day, and of all days: titles, what columns hold, newest rows first.

Datasette's own metadata names each database, and days come by themselves; so the plugin says it. In 0.65 it is merged
into the metadata whenever somebody asks (`metadata`). 1.0 reads the texts from its internal database, where
`queries.add_to` enters them, and how a table is shown from its configuration (`configured`). Where a site's own
metadata says something of one day, that counts.
"""

from typing import Any

from markupsafe import Markup

from datasette_eyelet import compat, coverage, mounts
from datasette_eyelet.scope import Scope, scope_of
from eyelet_ingest.store import text_schema
from eyelet_ingest.store.layout import key_from_mount_name

TEXTS = ("title", "description")

# Only what its name does not say: Datasette lists these above the rows, and all 25 would fill the first screen.
_HOOKS: dict[str, Any] = {
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
_OVER_DAYS: dict[str, dict[str, Any]] = {
    "hooks": {
        **_HOOKS,
        "title": "Events of all days",
        "columns": {"context_name": "The context it was recorded in", **_HOOKS["columns"]},
    },
    "partitions": {
        "title": "Days",
        "description": "What there is of each context: a day is a database of its own.",
        "columns": {"database": "The day as a database", "sealed": "1 where it was sealed", "bytes": "Of its file"},
    },
    "calls": {
        **_CALLS,
        "description": "Each call of a tool, once: its question and its answer joined, also over midnight.",
    },
    "counts": {
        "title": "Counts",
        "description": "How often each value occurs in each hour: from the days' statistics where they hold.",
        "columns": {"hour_us": "Where the hour begins, in microseconds since 1970 UTC", "field": "The column counted"},
    },
    "daily_counts": {
        "title": "Counts by day",
        "description": "How often each value occurs in each day: from the days' statistics where they hold.",
        "columns": {"day_us": "Where the day begins, in microseconds since 1970 UTC", "field": "The column counted"},
    },
    "sessions": {
        "title": "Sessions",
        "description": "Each session of an agent: from when to when, how much, what failed.",
    },
    "sources": {"title": "Sources", "description": "Each src there is: how many events, how many failed, the newest."},
}
# How the tables are shown: what 0.65 reads among the metadata, and 1.0 from its configuration.
_SHOWN: dict[str, dict[str, Any]] = {
    "hooks": {"sort_desc": "id", "label_column": "src"},
    "eyelet_partition": {"hidden": True},
    "eyelet_hours": {"hidden": True},
    "eyelet_counts": {"hidden": True},
    **{name: {"hidden": True} for name in _OF_TEXT},
}


# A view is sorted where its days give that order: `sessions` and `sources` are counted before they can be.
_SHOWN_OVER_DAYS: dict[str, dict[str, Any]] = {
    "hooks": {"sort_desc": "id", "label_column": "src"},
    "calls": {"sort_desc": "id"},
    "partitions": {"sort_desc": "date"},
}


def database(name: str) -> dict[str, Any]:
    """Title and description of the database of ours of this name, and under `tables` of its tables and columns."""
    scope = scope_of(name)
    if scope is not None:
        return _over_days(scope)
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


def _over_days(scope: Scope) -> dict[str, Any]:
    where = "in every context" if scope.context is None else f"in the context {scope.context}"
    return {
        "title": "All days" if scope.context is None else f"{scope.context} · all days",
        "description": f"What was recorded {where}, as one database over every day.",
        "tables": {name: _copied(table) for name, table in _OVER_DAYS.items()},
    }


def is_ours(datasette: Any, name: str) -> bool:
    """Whether the running request could read a day, or a database over days, under this name."""
    return mounts.is_ours(datasette, name)


def has_events(datasette: Any, name: str) -> bool:
    """Whether its table `hooks` is there: a day that a writer began and never wrote is an empty file."""
    return is_ours(datasette, name) and datasette.databases[name].has_events


def metadata(datasette: Any) -> dict[str, Any]:
    """The metadata of the databases of ours that the running request sees, for the hook `get_metadata` of 0.65, which
    merges into it what the site says; made anew, since Datasette goes on adding to it."""
    days = {name: database(name) for name in getattr(datasette, "databases", ()) if is_ours(datasette, name)}
    for name, day in days.items():
        if warning := coverage.said(datasette, name):
            for described in (day, day["tables"]["hooks"]):
                described["description_html"] = Markup("<p>{}</p>{}").format(described["description"], warning)
        given = compat.metadata_of_site(datasette, name).get("tables") or {}
        for table, shown in _shown(datasette, name).items():
            day["tables"][table].update(_beside(given.get(table) or {}, shown))
    return {"databases": days} if days else {}


def configured(datasette: Any, name: str, given: dict[str, Any]) -> dict[str, Any]:
    """The configuration of a database in 1.0: what the site gives it, and how the tables of one of ours are shown."""
    if not is_ours(datasette, name):
        return given
    tables = dict(given.get("tables") or {})
    for table, shown in _shown(datasette, name).items():
        own = tables.get(table) or {}
        tables[table] = {**_beside(own, shown), **own}
    return {**given, "tables": tables}


def _shown(datasette: Any, name: str) -> dict[str, dict[str, Any]]:
    """How the tables are shown: of a table `hooks` without our columns nothing is said."""
    if scope_of(name) is not None:
        return _SHOWN_OVER_DAYS
    return _SHOWN if has_events(datasette, name) else {}


def _beside(own: dict[str, Any], shown: dict[str, Any]) -> dict[str, Any]:
    """What is left to say of a table beside what the site says: Datasette refuses two orders at once."""
    return {key: value for key, value in shown.items() if not (key == "sort_desc" and "sort" in own)}


def _copied(table: dict[str, Any]) -> dict[str, Any]:
    return {**table, "columns": dict(table.get("columns", {}))}
