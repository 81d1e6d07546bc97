"""A session as a file: one HTML page that needs nothing else and runs no script, Markdown, or JSON.

It is written step by step while it is read: memory is bounded by a hundred steps, however long the session is.
"""

import base64
import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from datasette_eyelet import rows
from datasette_eyelet.session_json import step_json, summary_json
from datasette_eyelet.session_query import SessionLinks
from datasette_eyelet.session_view import StepView, inside, span, steps_view, title_of
from datasette_eyelet.visible import one_line, visible
from eyelet_ingest import said, synopsis
from eyelet_ingest.store.answers import Row, Unreadable
from eyelet_ingest.store.session import Session, rows_of
from eyelet_ingest.store.steps import CALL, Step
from eyelet_ingest.store.store import Store
from eyelet_ingest.store.usage import Usage

HERE = os.path.dirname(os.path.abspath(__file__))
BATCH = 100  # steps whose events are read together
PAYLOAD_CHARS = 200_000  # of an event that are read
TEXT_CHARS = 100_000  # of each text in the file
DEPTH_MOST = 20  # of subagents in subagents
_RUNS = re.compile("`+")


@dataclass(frozen=True, slots=True)
class Line:
    """One step in the file: what was said, or what a call was given and answered; `depth` is 0 for the session itself,
    and one more for each subagent."""

    step: Step
    view: StepView
    depth: int
    given: str
    answered: str


class StoryExport:
    """The steps of a session in the order of a story: what a subagent did stands behind the call that started it.
    Iterate once, for rows that hold a `Line` each; `events` counts the steps that were given."""

    def __init__(self, store: Store, told: Session, links: SessionLinks, tz: tzinfo) -> None:
        self.store, self.told, self.links, self.tz = store, told, links, tz
        self.roots = store.roots
        self.events = 0
        self._last: Step | None = None
        self.unreadable: dict[tuple[str, ...], Unreadable] = {
            (bad.context, bad.day): bad for bad in told.partitions.unreadable
        }

    def __iter__(self) -> Iterator[Row]:
        waiting: list[tuple[Step, int]] = []
        for one in self._in_order():
            waiting.append(one)
            if len(waiting) == BATCH:
                yield from self._lines(waiting)
                waiting = []
        yield from self._lines(waiting)

    def _in_order(self) -> Iterator[tuple[Step, int]]:
        of: dict[str, list[Step]] = {}
        for step in self.told.steps:
            of.setdefault(step.agent_id, []).append(step)
        given: set[str] = set()

        def story(agent_id: str, depth: int) -> Iterator[tuple[Step, int]]:
            given.add(agent_id)
            for step in of.get(agent_id, ()):
                yield step, depth
                if step.child and step.child in of and step.child not in given and depth < DEPTH_MOST:
                    yield from story(step.child, depth + 1)

        yield from story("", 0)
        for agent_id in of:  # those that nothing leads to
            if agent_id not in given:
                yield from story(agent_id, 1)

    def _lines(self, some: list[tuple[Step, int]]) -> Iterator[Row]:
        steps = [step for step, _ in some]
        views = steps_view(self.store, self.told, steps, self.links, self.tz, self._last, TEXT_CHARS)
        self._last = steps[-1] if steps else self._last
        by_key = {view.key: view for view in views}
        events = [one for step in steps if step.kind == CALL for one in (step.row, step.answer) if one]
        found = rows_of(self.store.roots, events, PAYLOAD_CHARS)
        for step, depth in some:
            view = by_key.get(step.key)
            if view is None:
                continue
            self.events += 1
            asked, got = found.get(step.row[0]), found.get(step.answer[0]) if step.answer else None
            yield {"line": Line(step, view, depth, *_texts(step, asked, got))}


def _texts(step: Step, asked: Row | None, got: Row | None) -> tuple[str, str]:
    """What a call was given and what it answered, as texts."""
    if step.kind != CALL or asked is None:
        return "", ""
    first = said.said(synopsis.payload_of(asked["data"]), step.tool_use_id)
    answered = first.answered
    if got is not None:
        answered = said.said(synopsis.payload_of(got["data"]), step.tool_use_id).answered
    return _text(first.given), _text(answered)


def _text(value: object) -> str:
    if value is None:
        return ""
    plain = said.plain(value)
    text = plain if plain is not None else json.dumps(value, ensure_ascii=False, indent=2)
    return visible(text if len(text) <= TEXT_CHARS else f"{text[:TEXT_CHARS]}\n… ({len(text)} characters)")


class _Form:
    """What the forms have in common. `kind` is how the file's name ends."""

    kind = ""
    content_type = ""

    def __init__(self, told: Session, usage: Usage | None, tz: tzinfo, tz_name: str) -> None:
        self.told, self.usage, self.tz, self.tz_name = told, usage, tz, tz_name

    def facts(self) -> dict[str, Any]:
        """What the file says of the session as a whole, safe to show."""
        told, totals = self.told, self.told.totals
        tokens = self.usage.tokens if self.usage is not None and self.usage.answers else None
        return {
            "session": one_line(told.id, 500),
            "title": one_line(title_of(told), 200),
            "totals": totals,
            "began": rows.moment(totals.first_us, self.tz)[:19],
            "ended": rows.moment(totals.last_us, self.tz)[:19],
            "took": span(totals.last_us - totals.first_us),
            "tz": self.tz_name,
            "tokens": tokens,
            "agents": len(told.agents) - 1,
            "names": {name: [one_line(one, 200) for one in some] for name, some in told.names.items() if some},
            "files": [(one_line(inside(one.path, told.names["projects"]), 300), one) for one in told.files[:500]],
            "is_cut": told.is_cut,
        }


class JsonForm(_Form):
    """`{"session": {…}, "steps": […], "export": {…}, "ok": …}`."""

    kind, content_type = "session.json", "application/json; charset=utf-8"
    _before = ""

    def begin(self) -> bytes:
        return f'{{"session": {json.dumps(summary_json(self.told, self.usage))}, "steps": [\n'.encode()

    def row(self, row: Row) -> bytes:
        line: Line = row["line"]  # type: ignore[assignment]  # as StoryExport gives them
        before, self._before = self._before, ",\n"
        body = {**step_json(line.step, line.view), "depth": line.depth, "given": line.given, "answered": line.answered}
        return (before + json.dumps(body)).encode()

    def end(self, told: dict[str, object]) -> bytes:
        return b"\n], " + json.dumps({"export": told, "ok": told["complete"]})[1:].encode() + b"\n"


class MarkdownForm(_Form):
    """Headings and lists of ours; everything recorded stands in fences, which it cannot leave."""

    kind, content_type = "session.md", "text/markdown; charset=utf-8"

    def begin(self) -> bytes:
        facts = self.facts()
        totals = facts["totals"]
        lines = [
            f"# Session {_code(facts['title'])}",
            "",
            f"- id: {_code(facts['session'])}",
            f"- from {facts['began']} to {facts['ended']} {facts['tz']} ({facts['took']})",
            f"- {totals.prompts} prompts, {totals.calls} calls, {totals.failed} failed, {facts['agents']} subagents",
        ]
        if facts["tokens"] is not None:
            lines.append(
                f"- tokens: {facts['tokens'].output:,} out, {sum(facts['tokens']) - facts['tokens'].output:,} in"
            )
        lines += [
            f"- {name}: {', '.join(map(_code, values))}" for name, values in facts["names"].items() if name != "roots"
        ]
        return ("\n".join(lines) + "\n").encode("utf-8", "replace")

    def row(self, row: Row) -> bytes:
        line: Line = row["line"]  # type: ignore[assignment]  # as StoryExport gives them
        view = line.view
        marks = "#" * min(3 + line.depth, 6) if line.step.kind == "prompt" else "**"
        ended = f" · {view.status}{' ' + view.error_code if view.error_code else ''}" if view.status != "ok" else ""
        took = f" · {view.took}" if view.took else ""
        whose = "" if not line.depth else f" · subagent {_code(one_line(line.step.agent_id, 60))}"
        head = f"{view.at} {_plain(view.label)}{took}{ended}{whose}"
        parts = ["", f"## {view.day}", ""] if view.day and not line.depth else [""]
        parts.append(f"{marks} {head}" if marks != "**" else f"**{head}**")
        if line.step.kind == CALL:
            parts.append(_code(view.gist) if view.gist else "")
        for text in (view.text, line.given, line.answered):
            if text:
                parts += ["", _fenced(text)]
        return ("\n".join(parts) + "\n").encode("utf-8", "replace")

    def end(self, told: dict[str, object]) -> bytes:
        if told["complete"]:
            return f"\n---\n\n{told['events']} steps. This is the whole session.\n".encode()
        return f"\n---\n\n**This is not everything**: {_code(json.dumps(told))}\n".encode("utf-8", "replace")


class HtmlForm(_Form):
    """One page with its style in it; its policy forbids everything else, scripts above all."""

    kind, content_type = "session.html", "text/html; charset=utf-8"

    def __init__(self, environment: Any, *rest: Any) -> None:
        super().__init__(*rest)
        self.environment = environment.overlay(enable_async=False)  # rendered in threads
        self.step = self.environment.get_template("eyelet/session_export_step.html")
        self.frame = self.environment.get_template("eyelet/session_export.html")

    def begin(self) -> bytes:
        with open(os.path.join(HERE, "static", "session_export.css"), encoding="utf-8") as file:
            style = f"\n{file.read()}"
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
        return self._rendered(part="begin", style=style, policy=policy, **self.facts())

    def row(self, row: Row) -> bytes:
        return str(self.step.render(line=row["line"])).encode("utf-8", "replace")

    def end(self, told: dict[str, object]) -> bytes:
        return self._rendered(part="end", told=told)

    def _rendered(self, **context: Any) -> bytes:
        return str(self.frame.render(**context)).encode("utf-8", "replace")


def _fenced(text: str) -> str:
    """In a fence that is longer than any in the text."""
    fence = "`" * max(3, 1 + max((len(run) for run in _RUNS.findall(text)), default=0))
    return f"{fence}text\n{text}\n{fence}"


def _code(text: str) -> str:
    """On one line as code, whatever it holds."""
    ticks = "`" * (1 + max((len(run) for run in _RUNS.findall(text)), default=0))
    pad = " " if text.startswith("`") or text.endswith("`") or not text.strip() else ""
    return f"{ticks}{pad}{text}{pad}{ticks}"


def _plain(text: str) -> str:
    """A name that is no markup."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~-])", r"\\\1", text)
