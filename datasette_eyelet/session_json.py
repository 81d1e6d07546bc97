"""A session and its steps as JSON documents them (docs/session.md)."""

from dataclasses import asdict, fields
from typing import Any

from datasette_eyelet.session_view import StepView
from eyelet_ingest.store.session import Session
from eyelet_ingest.store.steps import Step
from eyelet_ingest.store.usage import Usage


def summary_json(told: Session, usage: Usage | None) -> dict[str, Any]:
    """What the session adds up to. Times are microseconds since 1970 UTC; `tokens` is null where they were not counted
    in time."""
    totals = {field.name: getattr(told.totals, field.name) for field in fields(told.totals)}
    return {
        "id": told.id,
        "title": told.title,
        **totals,
        **{name: list(values) for name, values in told.names.items() if name != "roots"},
        "subagents": [asdict(one) for one in told.agents.values() if one.id],
        "files": [asdict(one) for one in told.files],
        "tokens": None if usage is None else {"answers": usage.answers, **usage.tokens._asdict()},
        "is_cut": told.is_cut,
    }


def step_json(step: Step, view: StepView) -> dict[str, Any]:
    """One step; `said` is what it says or, of a call, what it was asked to do in one line."""
    return {
        "key": step.key,
        "kind": step.kind,
        "at_us": step.at_us,
        "last_us": step.last_us,
        "context": step.context,
        "agent_id": step.agent_id,
        "tool": step.tool,
        "tool_use_id": step.tool_use_id,
        "status": step.status,
        "error_code": step.error_code,
        "duration_ms": step.duration_ms,
        "model": step.model,
        "said": view.text or view.gist,
        "truncated": view.is_cut,
        "files": list(step.files),
        "subagent": step.child,
        "witnesses": list(step.witnesses),
        "url": view.url,
    }
