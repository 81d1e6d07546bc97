"""`/-/eyelet/session/<id>`: a session as a story, part by part; the same as JSON, and as pieces for a script."""

import asyncio
import json
from datetime import tzinfo
from typing import Any

from datasette import Response

from datasette_eyelet import instance, responses, session_query
from datasette_eyelet.api import audited
from datasette_eyelet.api.export import Answer
from datasette_eyelet.export_forms import Form
from datasette_eyelet.instance import Instance
from datasette_eyelet.links import SESSIONS, Links, Pairs
from datasette_eyelet.rows import moment
from datasette_eyelet.session_export import HtmlForm, JsonForm, MarkdownForm, StoryExport
from datasette_eyelet.session_json import step_json, summary_json
from datasette_eyelet.session_query import KINDS, Asked, SessionLinks
from datasette_eyelet.session_view import (
    LABELS,
    agents_view,
    failures_view,
    files_view,
    prompts_view,
    span,
    steps_view,
    title_of,
)
from datasette_eyelet.stories import usage_of
from datasette_eyelet.timeline import timeline
from datasette_eyelet.visible import one_line, visible
from eyelet_ingest.ranges import display_time, zone
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.session import Pages, Session, page
from eyelet_ingest.store.steps import Step
from eyelet_ingest.store.store import Store
from eyelet_ingest.store.usage import Usage

NAMES_SHOWN = 12
TOOLS_SHOWN = 12


async def view(datasette: Any, request: Any, seen: frozenset[str] | None) -> Any:
    asked, links = _asked(datasette, request)
    context = await asyncio.to_thread(_context, instance.of(datasette), seen, asked, links)
    if context is None:
        return await _unknown(datasette, request, as_json=False)
    return await responses.page(datasette, request, "session.html", context)


async def part_view(datasette: Any, request: Any, seen: frozenset[str] | None) -> Any:
    """Some steps as HTML without a page around them; without a place they are in a list of their own."""
    asked, links = _asked(datasette, request)
    context = await asyncio.to_thread(_part, instance.of(datasette), seen, asked, links)
    if context is None:
        return await _unknown(datasette, request, as_json=False)
    return await responses.fragment(datasette, request, "session_part.html", context)


async def json_view(datasette: Any, request: Any, seen: frozenset[str] | None) -> Any:
    asked, links = _asked(datasette, request)
    body = await asyncio.to_thread(_json, instance.of(datasette), seen, asked, links)
    if body is None:
        return await _unknown(datasette, request, as_json=True)
    return responses.json_text(body)


async def export_view(datasette: Any, request: Any, seen: frozenset[str] | None) -> Any:
    """The whole session as a file, sent while it is read; the audit knows of it."""
    asked, links = _asked(datasette, request)
    held = instance.of(datasette)
    made = await asyncio.to_thread(_export, held, seen, asked, links)
    if made is None:
        return await _unknown(datasette, request, as_json=False)
    export, usage, facts = made
    about = (export.told, usage, zone(asked.tz), asked.tz or "UTC")
    kind = request.url_vars["kind"]
    form: Form
    if kind == "html":
        form = HtmlForm(responses.environment_of(datasette, request), *about)
    else:
        form = MarkdownForm(*about) if kind == "md" else JsonForm(*about)
    if request.method == "HEAD":
        return Response("", headers={"cache-control": "no-store"}, content_type=form.content_type)
    return Answer(datasette, request, export, facts, form)


def _export(
    held: Instance, seen: frozenset[str] | None, asked: Asked, links: SessionLinks
) -> tuple[StoryExport, Usage | None, dict[str, object]] | None:
    held.drain_when_due()
    store = held.store_for(seen)
    found = held.stories.get(store, seen, asked.id)
    if not found.steps and not found.totals.events:
        return None
    facts = audited.facts(Filter(session_id=(asked.id,)), seen, held.redactor())
    return StoryExport(store, found, links, zone(asked.tz)), usage_of(store, found), facts


def _asked(datasette: Any, request: Any) -> tuple[Asked, SessionLinks]:
    asked = session_query.parse(request)
    tz: Pairs = (("tz", asked.tz),) if asked.tz else ()
    return asked, SessionLinks(Links(datasette, tz), asked)


async def _unknown(datasette: Any, request: Any, *, as_json: bool) -> Any:
    reason = "there is no event of this session: it was never recorded, or its days were removed or cannot be read"
    return await responses.problem(
        datasette, request, status=404, title="No such session", reason=reason, as_json=as_json
    )


def told(held: Instance, store: Store, seen: frozenset[str] | None, asked: Asked, *, is_part: bool = False) -> Session:
    """The session that is asked for. One of more events than are told at once is told from where the zoom begins."""
    found = held.stories.get(store, seen, asked.id, is_part=is_part)
    if found.is_cut and asked.is_zoomed:
        choice = asked.choice
        found = store.session(asked.id, since_us=choice.since_us, until_us=choice.until_us)
    return found


def chosen(found: Session, asked: Asked) -> list[Step]:
    """The steps that are asked for, of all parts."""
    return [step for step in found.steps if asked.choice.has(step)]


def pages_of(found: Session, asked: Asked) -> tuple[Pages, Step | None]:
    """The part that is asked for, and the step before it."""
    steps = chosen(found, asked)
    some = page(steps, asked.size, after=asked.after, before=asked.before, at=asked.at)
    before = steps[steps.index(some.steps[0]) - 1] if some.before and some.steps else None
    return some, before


def _context(held: Instance, seen: frozenset[str] | None, asked: Asked, links: SessionLinks) -> dict[str, Any] | None:
    """All that the template shows. Not for the event loop."""
    held.drain_when_due()
    store, tz = held.store_for(seen), zone(asked.tz)
    found = told(held, store, seen, asked)
    if not found.steps and not found.totals.events:
        return None
    return {
        **_story(store, found, asked, links, tz),
        **_facts(store, found, tz),
        **_zoom(found, asked, links, tz),
        "session": one_line(asked.id, 200),
        "title_text": one_line(title_of(found), 160),
        "kinds": _kinds(found, asked, links),
        "agents": agents_view(store, found, links),
        "agent": _current(found, asked),
        "main_url": links.here(agent=""),
        "everybody_url": links.here(agent="*"),
        "is_everybody": asked.choice.agent is None,
        "prompts": prompts_view(found, links, tz),
        "failures": failures_view(store, found, links, tz),
        "files": files_view(found, links),
        "files_total": len(found.files),
        "totals_agents": len(found.agents) - 1,
        "sessions_url": str(links.links.path(SESSIONS)),
        "file": one_line(asked.choice.file, 300),
        "no_file_url": links.here(file=""),
        "search_url_here": links.search(),
        "quiet": found.totals.quiet,
        "exports": [
            (label, links.export(kind)) for label, kind in (("HTML", "html"), ("Markdown", "md"), ("JSON", "json"))
        ],
        "truth": _truth(found),
        "tz": "UTC" if not asked.tz else asked.tz,
        "alternate_url_json": links.json(),
    }


def _part(held: Instance, seen: frozenset[str] | None, asked: Asked, links: SessionLinks) -> dict[str, Any] | None:
    store = held.store_for(seen)
    found = told(held, store, seen, asked, is_part=True)
    if not found.steps:
        return None
    is_inner = not (asked.after or asked.before or asked.at)
    return {**_story(store, found, asked, links, zone(asked.tz)), "is_inner": is_inner}


def _story(store: Store, found: Session, asked: Asked, links: SessionLinks, tz: tzinfo) -> dict[str, Any]:
    some, before = pages_of(found, asked)
    first = some.steps[0].key if some.steps else ""
    last = some.steps[-1].key if some.steps else ""
    return {
        "steps": steps_view(store, found, some.steps, links, tz, before),
        "chosen": some.chosen,
        "earlier_url": links.here(before=first) if some.before and first else "",
        "more_url": links.here(after=last) if some.after and last else "",
        "more_part_url": links.part(after=last) if some.after and last else "",
        "start_url": links.here() if some.before else "",
    }


def _facts(store: Store, found: Session, tz: tzinfo) -> dict[str, Any]:
    totals = found.totals
    usage = usage_of(store, found)
    tokens = usage.tokens if usage is not None and usage.answers else None
    return {
        "totals": totals,
        "is_timed": any(step.is_timed for step in found.steps),
        "began": moment(totals.first_us, tz)[:19],
        "ended": moment(totals.last_us, tz)[:19],
        "took": span(totals.last_us - totals.first_us),
        "active": span(totals.active_us),
        "outcomes": [(one_line(name, 40), count) for name, count in totals.outcomes.most_common()],
        "tools": [
            (one_line(name or "?", 80), count, totals.failed_tools[name])
            for name, count in totals.tools.most_common(TOOLS_SHOWN)
        ],
        "more_tools": max(len(totals.tools) - TOOLS_SHOWN, 0),
        "tokens": tokens,
        "tokens_in": 0 if tokens is None else sum(tokens) - tokens.output,
        "answers_counted": 0 if usage is None else usage.answers,
        "names": [
            (name, [one_line(value, 160) for value in values[:NAMES_SHOWN]], max(len(values) - NAMES_SHOWN, 0))
            for name, values in found.names.items()
            if values and (name != "roots" or len(values) > 1)
        ],
    }


def _zoom(found: Session, asked: Asked, links: SessionLinks, tz: tzinfo) -> dict[str, Any]:
    """The timeline over what is zoomed into, else over the whole session."""
    choice, totals = asked.choice, found.totals
    since_us = totals.first_us if choice.since_us is None else choice.since_us
    until_us = totals.last_us + 1 if choice.until_us is None else choice.until_us
    until_us = max(until_us, since_us + 1)
    steps = chosen(found, asked)
    made = timeline(steps, found.agents, found.pauses, since_us, until_us)
    stretches = made.stretches[:40]
    return {
        "timeline": made,
        "bars": [
            (bar, links.at(bar.key, agent=asked.agent if asked.choice.agent is not None else "*"), _bar_title(bar, tz))
            for bar in made.bars
        ],
        "marks": [(mark, one_line(mark.gist, 120)) for mark in made.marks],
        "lanes": [
            (lane, links.here(agent=lane.agent, kind="", file="", failed=""), one_line(lane.name, 80))
            for lane in made.lanes
        ],
        "axis": (display_time(since_us, tz)[:19], display_time(until_us, tz)[:19]),
        "is_zoomed": asked.is_zoomed,
        "whole_url": links.here(from_="", to=""),
        "stretches": [
            (f"{display_time(a, tz)[:16]}, {span(b - a)}", links.here(from_=str(a), to=str(b + 1)))
            for a, b in stretches
        ]
        if len(stretches) > 1
        else [],
    }


def _bar_title(bar: Any, tz: tzinfo) -> str:
    failed = f", {bar.failed} failed" if bar.failed else ""
    return f"{display_time(bar.at_us, tz)[:19]}: {bar.steps} steps{failed}"


def _kinds(found: Session, asked: Asked, links: SessionLinks) -> list[tuple[str, int, str, bool]]:
    """Name, number of steps, address and whether it is chosen, of each kind that the story has."""
    choice = asked.choice
    counts: dict[str, int] = {}
    failed = everything = 0
    for step in found.steps:
        if choice.agent is None or step.agent_id == choice.agent:
            everything += 1
            counts[step.kind] = counts.get(step.kind, 0) + 1
            failed += step.failed
    shown = [("everything", everything, links.here(kind="", failed=""), not choice.kinds and not choice.failed)]
    if failed:
        shown.append(("failed", failed, links.here(kind="", failed="1"), choice.failed))
    return shown + [
        (LABELS.get(kind, "Call").lower(), counts[kind], links.here(kind=kind, failed=""), choice.kinds == (kind,))
        for kind in KINDS
        if kind in counts
    ]


def _current(found: Session, asked: Asked) -> str:
    """The subagent whose story is shown, "" for the session itself."""
    agent = found.agents.get(asked.agent)
    return one_line(agent.name or agent.id, 160) if agent is not None and agent.id else one_line(asked.agent, 160)


def _truth(found: Session) -> dict[str, Any]:
    partitions = found.partitions
    bad = [(visible(one.context), one.day, one_line(one.error, 500)) for one in partitions.unreadable]
    return {
        "scanned": partitions.scanned,
        "total": partitions.scanned + partitions.skipped + partitions.unasked + len(bad),
        "unasked": partitions.unasked,
        "elapsed_ms": found.elapsed_ms,
        "unreadable": bad,
        "is_cut": found.is_cut,
    }


def _json(held: Instance, seen: frozenset[str] | None, asked: Asked, links: SessionLinks) -> str | None:
    held.drain_when_due()
    store = held.store_for(seen)
    found = told(held, store, seen, asked, is_part=bool(asked.after))
    if not found.steps and not found.totals.events:
        return None
    some, _ = pages_of(found, asked)
    steps = steps_view(store, found, some.steps, links, zone(asked.tz))
    shown = {step.key: step for step in steps}
    body = {
        "ok": True,
        "session": summary_json(found, usage_of(store, found)),
        "steps": [step_json(step, shown[step.key]) for step in some.steps if step.key in shown],
        "next": some.steps[-1].key if some.after and some.steps else None,
        "partitions": found.partitions.as_json(),
        "elapsed_ms": found.elapsed_ms,
    }
    return json.dumps(body)
