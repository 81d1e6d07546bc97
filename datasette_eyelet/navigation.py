"""The bar that leads from each page of ours to the others. Pure.

A template says which entry it is itself, before its blocks: `{% set eyelet_page = "sessions" %}`.
"""

from typing import Any
from urllib.parse import urlencode

from datasette_eyelet.links import DAYS, HEALTH, NOW, OVERVIEW, SEARCH, SESSIONS, SOURCES, VALUE_MAX_CHARS

# (name, label, path), as they stand
ENTRIES = (
    ("overview", "Overview", OVERVIEW),
    ("search", "Search", SEARCH),
    ("sessions", "Sessions", SESSIONS),
    ("sources", "Sources", SOURCES),
    ("now", "Now", NOW),
    ("days", "Days", DAYS),
)
# Those of who may administer all of it
ADMINISTERED = (("health", "Health", HEALTH),)
# Those that show times, and keep the zone in which somebody reads them
_WITH_ZONE = frozenset({OVERVIEW, SEARCH, SESSIONS, SOURCES, NOW})


def bar(datasette: Any, request: Any, may_administer: bool) -> list[tuple[str, str, str]]:
    """Name, label and URL of each page that the actor may see, in the zone of this request."""
    tz = request.args.get("tz") or ""
    zone = f"?{urlencode({'tz': tz}, errors='replace')}" if tz.strip() and len(tz) <= VALUE_MAX_CHARS else ""
    return [
        (name, label, f"{datasette.urls.path(path)}{zone if path in _WITH_ZONE else ''}")
        for name, label, path in (*ENTRIES, *(ADMINISTERED if may_administer else ()))
    ]
