"""A session as lists show it, and as JSON says it. Everything recorded passes `one_line`; the templates escape it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from datasette_eyelet import rows
from datasette_eyelet.links import Links, is_linkable
from datasette_eyelet.visible import one_line
from eyelet_ingest import session_state
from eyelet_ingest.session_state import State
from eyelet_ingest.store.sessions import Listed
from eyelet_ingest.store.token_shapes import Tokens
from eyelet_ingest.synopsis import synopsis

PROMPT_MAX_CHARS = 160
NAME_MAX_CHARS = 60
ID_MAX_CHARS = 36
WHAT_MAX_CHARS = 200
STATE_SAID = {
    session_state.WORKING: "works",
    session_state.WAITING: "waits for you",
    session_state.IDLE: "idle",
    session_state.SILENT: "silent",
    session_state.ENDED: "ended",
}


@dataclass(frozen=True, slots=True)
class SessionView:
    """`url` is the session's page, "" where its id can be no part of one. `state` is one of session_state.STATES, ""
    for one that was over long ago; `state_what` what it is about, `state_ago` since when. `failed_url` are the failures
    of the session as a search, `failure` the last of its latest events that failed. Numbers not known are ""."""

    id: str
    title: str
    has_prompt: bool
    url: str
    agent: str
    project: str
    project_whole: str
    project_url: str
    branch: str
    branch_url: str
    model: str
    context: str
    started: str
    started_iso: str
    last: str
    last_iso: str
    ago: str
    duration: str
    events: str
    calls: str
    failed: int
    failed_url: str
    subagents: int
    tokens: str
    tokens_said: str
    state: str
    state_said: str
    state_what: str
    state_ago: str
    state_url: str
    failure: str
    failure_ago: str
    failure_url: str
    failure_us: int


def view(listed: Listed, links: Links, narrowed: Any, tz: tzinfo, now_us: int) -> SessionView:
    """`narrowed(name, value)` is the URL of the list with only this value of a filter."""
    facts = listed.facts
    name = one_line(listed.session_id, ID_MAX_CHARS)
    first_us, last_us = (facts.first_us, facts.last_us) if facts else (None, listed.place_us)
    prompt = session_state.prompt_of(facts.prompts) if facts else ""
    names = {key: values[0] if values else "" for key, values in facts.names.items()} if facts else {}
    project, branch = names.get("project_dir", ""), names.get("git_branch", "")
    every = (("range", "all"), *links.tz, ("session", listed.session_id))
    return SessionView(
        id=name,
        title=one_line(prompt, PROMPT_MAX_CHARS) or name,
        has_prompt=bool(prompt),
        url=links.session(listed.session_id),
        agent=_named(facts.names["agent"]) if facts else "",
        project=one_line(project.rstrip("/").rpartition("/")[2] or project, NAME_MAX_CHARS),
        project_whole=one_line(project, 500),
        project_url=narrowed("project", project),
        branch=one_line(branch, NAME_MAX_CHARS),
        branch_url=narrowed("branch", branch),
        model=_named(facts.names["model"]) if facts else "",
        context=", ".join(facts.contexts) if facts else "",
        started=rows.moment(first_us, tz)[:16] if first_us is not None else "",
        started_iso=iso(first_us) if first_us is not None else "",
        last=rows.moment(last_us, tz)[:16],
        last_iso=iso(last_us),
        ago=ago(now_us - last_us),
        duration=rows.duration((last_us - first_us) / 1_000) if first_us is not None else "",
        events=f"{facts.events:,}" if facts else "",
        calls=f"{facts.calls:,}" if facts else "",
        failed=facts.failed if facts else 0,
        failed_url=links.search((*every, ("errors", "1"))) if is_linkable(listed.session_id) else "",
        subagents=len(facts.subagents) if facts else 0,
        tokens=short(sum(listed.tokens)) if listed.tokens is not None and any(listed.tokens) else "",
        tokens_said=tokens_said(listed.tokens) if listed.tokens is not None else "",
        **_doing(listed, links, now_us),
    )


def _doing(listed: Listed, links: Links, now_us: int) -> dict[str, Any]:
    """Those fields of a view that tell what the session does, and failed at."""
    facts = listed.facts
    state, failure = state_of(listed, now_us), session_state.failure_of(facts.latest) if facts else None
    failure_us = int(str(failure["id"])) if failure else 0
    context = facts.contexts[0] if facts else ""
    return {
        "state": state.name if state else "",
        "state_said": STATE_SAID[state.name] if state else "",
        "state_what": one_line(state.what, WHAT_MAX_CHARS) if state else "",
        "state_ago": ago(now_us - state.since_us) if state else "",
        "state_url": _event(links, context, state.row) if state and state.row else "",
        "failure": one_line(synopsis(failure), WHAT_MAX_CHARS) if failure else "",
        "failure_ago": ago(now_us - failure_us) if failure else "",
        "failure_url": _event(links, context, failure) if failure else "",
        "failure_us": failure_us,
    }


def state_of(listed: Listed, now_us: int) -> State | None:
    """What the session does; None for one whose latest events are of no interest any more."""
    facts = listed.facts
    if facts is None or not facts.latest:
        return None
    return session_state.state_of(facts.latest, facts.last_us, now_us)


def as_json(listed: Listed, links: Links, now_us: int) -> dict[str, object]:
    facts = listed.facts
    found: dict[str, object] = {"session_id": listed.session_id, "place_us": listed.place_us}
    if facts is not None:
        state = state_of(listed, now_us)
        found |= {
            "prompt": session_state.prompt_of(facts.prompts),
            "contexts": list(facts.contexts),
            "agents": list(facts.names["agent"]),
            "projects": list(facts.names["project_dir"]),
            "branches": list(facts.names["git_branch"]),
            "models": list(facts.names["model"]),
            "first_us": facts.first_us,
            "last_us": facts.last_us,
            "events": facts.events,
            "errors": facts.errors,
            "calls": facts.calls,
            "failed": facts.failed,
            "subagents": len(facts.subagents),
            "state": None if state is None else {"name": state.name, "what": state.what, "since_us": state.since_us},
        }
    found["tokens"] = None if listed.tokens is None else listed.tokens._asdict()
    found["links"] = {"session": links.session(listed.session_id) or None}
    return found


def iso(us: int) -> str:
    """`2026-03-20T14:03:22Z`; "" for what is no time."""
    from datetime import datetime, timezone

    try:
        return f"{datetime.fromtimestamp(us // 1_000_000, timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
    except (OverflowError, ValueError, OSError):
        return ""


def ago(us: int) -> str:
    """How long ago: `now`, `40 s ago`, `5 m ago`, `3 h ago`, `2 d ago`."""
    seconds = us // 1_000_000
    if seconds < 1:
        return "now"
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= 2 * size or (seconds >= size and unit != "m"):
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


def short(number: int) -> str:
    """`950`, `12.3 k`, `4.5 M`."""
    if number < 1_000:
        return str(number)
    for size, unit in ((1_000_000_000, "G"), (1_000_000, "M")):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number / 1_000:.1f} k"


def tokens_said(tokens: Tokens) -> str:
    """What the number is made of."""
    written = tokens.cache_write_5m + tokens.cache_write_1h
    fresh = f"{tokens.input:,} in, {tokens.output:,} out"
    return f"{fresh}, {tokens.cache_read:,} read from and {written:,} written to the cache"


def _event(links: Links, context: str, row: Mapping[str, object]) -> str:
    return links.event(str(row.get("context_name") or context), int(str(row["id"])))


def _named(values: tuple[str, ...]) -> str:
    more = f" +{len(values) - 2}" if len(values) > 2 else ""
    return one_line(", ".join(values[:2]), NAME_MAX_CHARS) + more
