"""The search form: its controls as the URL has them, whether that can be meant or not."""

from collections.abc import Iterable

from datasette_eyelet import rows
from datasette_eyelet.links import RANGE_NAMES, Pairs
from datasette_eyelet.query import EXCLUDED, LOOK, SEVERAL, STATUSES
from datasette_eyelet.visible import visible
from eyelet_ingest.store import text_schema

TYPES = (
    "PreToolUse",
    "PostToolUse",
    "PostToolUseFailure",
    "UserPromptSubmit",
    "Notification",
    "Stop",
    "SubagentStop",
    "SessionStart",
    "SessionEnd",
    "user",
    "assistant",
)
ZONES = (
    "UTC",
    "Europe/London",
    "Europe/Berlin",
    "America/New_York",
    "America/Los_Angeles",
    "Asia/Kolkata",
    "Asia/Tokyo",
)
OPTION_MAX_CHARS = 200

# URL name → the column whose values in the rows shown are offered
_OFFERED = {
    "src": "src",
    "type": "hook_type",
    "tool": "tool_name",
    "error_code": "error_code",
    "branch": "git_branch",
    "agent": "agent",
    "model": "model",
    "project": "project_dir",
    "level": "loglevel",
}
# The part of the form that holds a control, where what is wrong with it is said. Any other parameter: above.
_PLACES = {
    **dict.fromkeys(("q", "by", "errors"), "bar"),
    **dict.fromkeys((*RANGE_NAMES, "tz"), "times"),
    **dict.fromkeys(SEVERAL, "filters"),
}


def form(
    pairs: Pairs, *, errors: bool, shown: Iterable[rows.Row] = (), contexts: Iterable[str] = (), wrong: str = ""
) -> dict[str, object]:
    """What the template needs. `wrong` names the parameter that cannot be meant: it keeps its text where it has a
    control, and does not travel on where it has none.

    A control shows one value; further ones of its name travel hidden, and so does what has no control: values that are
    left out, and how the page looks.
    """
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    hidden = [(name, value) for name in SEVERAL for value in values.get(name, [])[1:]]
    carried = ("_size", *EXCLUDED, *LOOK)
    if "from" not in values and "to" not in values:
        carried = ("range", *carried)
    hidden += [(name, value) for name in carried if name != wrong for value in values.get(name, [])]
    shown = list(shown)
    seen = {
        name: sorted({rows.text(row.get(column)) for row in shown} - {""})[:100] for name, column in _OFFERED.items()
    }
    options = {
        **seen,
        "context": list(contexts)[:500],
        "status": list(STATUSES),
        "type": sorted({*TYPES, *seen["type"]}),
    }
    return {
        "value": {name: values.get(name, [""])[0] for name in (*SEVERAL, *RANGE_NAMES, "tz", "q", "by")},
        "errors": errors,
        "hidden": hidden,
        "options": {name: [text for text in found if _is_plain(text)] for name, found in options.items()},
        "zones": ZONES,
        "is_filtered": any(values.get(name) for name in (*SEVERAL, "from", "to", "tz")),
        "more_is_open": wrong in SEVERAL,
        "text_columns": text_schema.TEXT_COLUMNS,
        "wrong": wrong,
        "wrong_place": _PLACES.get(wrong, "above"),
    }


def _is_plain(text: str) -> bool:
    return len(text) <= OPTION_MAX_CHARS and text == visible(text)
