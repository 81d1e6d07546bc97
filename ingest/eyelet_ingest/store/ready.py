"""Ready queries over all days: names, texts, parameters and SQL, for `eyelet sql --query` and for Datasette.

Datasette hides a table behind a query of its name, so none has the name of a table or view. Every parameter may be left
out, which binds '', and the SQL falls back on its default; so does what cannot be read as a time or a number, which
the command line refuses before (`check`). Times
prune days before anything is opened, so each query has a range, and where that could be long a default one that ends
with the newest event: an old log shows something, too.

Counts say events or calls. A call is told apart by its session and `tool_use_id`; an event without that counts where it
asks, as its answer would be a second one.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from eyelet_ingest.errors import BadInput
from eyelet_ingest.store import ready_sql

_TIMES = ("since", "until", "day")


class Query(NamedTuple):
    """One query on what there is over all days; `parameters` are bound by name, in the order of the form."""

    name: str
    title: str
    description: str
    parameters: tuple[str, ...]
    sql: str


_RANGE = "since, until: a time, as 7d, 6h, today, 2026-03-20 or 2026-03-20 14:05 (UTC); without since, "
_FROM_START = _RANGE + "from the beginning."
_HOW_MANY = " limit: how many, {} unless given."


def _last(days: int) -> str:
    return f"{_RANGE}the {days} days before the newest event."


QUERIES = (
    Query(
        "by_prefix",
        "By source",
        "The newest events of one src and of what lies below its dots: hero.proc finds hero.proc.worker and not "
        "hero.process. A star at the end makes it a plain prefix: hero.proc* finds both. Without src: every event. "
        f"{_FROM_START}{_HOW_MANY.format(100)}",
        ("src", "since", "until", "limit"),
        ready_sql.BY_PREFIX.strip(),
    ),
    Query(
        "errors",
        "Errors",
        f"The newest events that failed, with what is known of the reason. {_FROM_START}{_HOW_MANY.format(100)}",
        ("since", "until", "limit"),
        ready_sql.ERRORS.strip(),
    ),
    Query(
        "error_codes",
        "Error codes",
        "Which codes failures had, the most frequent first; a code of what was stopped is no error. By whole hours. "
        f"{_last(30)}{_HOW_MANY.format(100)}",
        ("since", "until", "limit"),
        ready_sql.ERROR_CODES.strip(),
    ),
    Query(
        "session",
        "One session",
        "What happened in a session, in order, over all its days. Without session_id: the session of the newest event. "
        "after: the id of the last event already seen, to go on from there." + _HOW_MANY.format(1000),
        ("session_id", "after", "limit"),
        ready_sql.SESSION.strip(),
    ),
    Query(
        "sessions_of_project",
        "Sessions of a project",
        "Sessions with events in the range, the latest first, and what they had in it, by whole hours. project: only "
        "those of this folder, and of what lies in it. "
        f"{_last(30)}{_HOW_MANY.format(100)}",
        ("project", "since", "until", "limit"),
        ready_sql.SESSIONS.strip(),
    ),
    Query(
        "tools",
        "Tools",
        "Calls of each tool, how many failed, and how long they took in milliseconds: half of them at most p50, 95 of "
        f"100 at most p95, of those whose duration is known. {_last(7)}{_HOW_MANY.format(100)}",
        ("since", "until", "limit"),
        ready_sql.TOOLS.strip(),
    ),
    Query(
        "slowest",
        "Slowest calls",
        f"The calls that took longest, in milliseconds. {_last(7)}{_HOW_MANY.format(100)}",
        ("since", "until", "limit"),
        ready_sql.SLOWEST.strip(),
    ),
    Query(
        "hourly",
        "Hour by hour",
        f"Events, and those that failed, in each hour (UTC) that has any. {_last(2)}{_HOW_MANY.format(1000)}",
        ("since", "until", "limit"),
        ready_sql.HOURLY.strip(),
    ),
    Query(
        "files",
        "Files most edited",
        f"Which files calls wrote or edited, the most frequent first. {_last(7)}{_HOW_MANY.format(100)}",
        ("since", "until", "limit"),
        ready_sql.FILES.strip(),
    ),
    Query(
        "commands",
        "Commands most run",
        f"Which command lines calls ran, the most frequent first. {_last(7)}{_HOW_MANY.format(100)}",
        ("since", "until", "limit"),
        ready_sql.COMMANDS.strip(),
    ),
    Query(
        "prompts",
        "Prompts",
        "What people asked, newest first, by hooks and by transcripts. session_id: only in this session. "
        f"{_FROM_START}{_HOW_MANY.format(100)}",
        ("session_id", "since", "until", "limit"),
        ready_sql.PROMPTS.strip(),
    ),
    Query(
        "denials",
        "Denials",
        f"What a person or a rule did not allow, newest first. {_FROM_START}{_HOW_MANY.format(100)}",
        ("since", "until", "limit"),
        ready_sql.DENIALS.strip(),
    ),
    Query(
        "mcp_servers",
        "MCP servers",
        "Events of the tools of each MCP server, by whole hours; a call may be several events. "
        f"{_last(30)}{_HOW_MANY.format(100)}",
        ("since", "until", "limit"),
        ready_sql.MCP_SERVERS.strip(),
    ),
    Query(
        "subagents",
        "Subagents",
        f"Subagents, the latest first: what they did, and how long. {_last(7)}{_HOW_MANY.format(100)}",
        ("since", "until", "limit"),
        ready_sql.SUBAGENTS.strip(),
    ),
    Query(
        "compare",
        "Today against yesterday",
        "A day (UTC) beside the day before: events, errors, prompts, sessions, and events of each tool; of the day "
        "before as much as the day has hours by now, and the whole. day: 2026-03-20, today or yesterday; without it "
        "the newest that has events." + _HOW_MANY.format(100),
        ("day", "limit"),
        ready_sql.COMPARE.strip(),
    ),
    Query(
        "would_deny",
        "What would this rule have denied?",
        "Calls that a rule would have met. tool: as Read, mcp__github__* for all that begins so, * for every tool, "
        "Bash where it is left out. pattern: what the "
        "command, file or address is, * being anything: *.env; git push:* is that command alone or with something "
        "behind it, also after && or another command. denied_then: how many were not allowed at the time. "
        f"{_last(30)}{_HOW_MANY.format(100)}",
        ("tool", "pattern", "since", "until", "limit"),
        ready_sql.WOULD_DENY.strip(),
    ),
)


def check(conn: Any, values: Mapping[str, str]) -> None:
    """BadInput for a time or a number that the SQL would not understand: it would take its default, as a form's empty
    field does. Who writes a value on the command line means it."""
    for name in _TIMES:
        text = values.get(name, "")
        if text and conn.execute(f"select {ready_sql.moment(name)}", {name: text}).fetchone()[0] is None:
            hint = "write 7d, 6h, today, yesterday, 2026-03-20 or 2026-03-20 14:05"
            raise BadInput("cannot read the time", f"-p {name} {text!r}", "", hint)
    for name in ("limit", "after"):
        text = values.get(name, "")
        if text and not (text.isascii() and text.isdigit() and (name == "after" or int(text))):
            raise BadInput("cannot read the number", f"-p {name} {text!r}", "", "write a whole number above 0")
