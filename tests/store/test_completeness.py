"""How much the hooks caught: what is missing is what transcripts know besides, and why is told by what is recorded."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from eyelet_ingest import faults, lapses, pause, surroundings
from eyelet_ingest.cli import cli
from eyelet_ingest.errors import BadInput
from eyelet_ingest.events import Event
from eyelet_ingest.pipeline import ingest
from eyelet_ingest.store import completeness
from eyelet_ingest.store.completeness import REASONS, Fault, Rest
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

NOON = 1_774_008_000_000_000
MINUTE_US = 60_000_000


def event(time_us: int, **fields: Any) -> Event:
    fields = {"hook_type": "Stop", "origin": "hook", "session_id": "s", "agent": "claude", **fields}
    return Event(time_us=time_us, uid=os.urandom(16), **fields)


def hook(time_us: int, use_id: str | None, **fields: Any) -> list[Event]:
    named = {"tool_use_id": use_id, "tool_name": "Bash", **fields}
    return [
        event(time_us, hook_type="PreToolUse", status="pending", **named),
        event(time_us + 1_000, hook_type="PostToolUse", **named),
    ]


def told(time_us: int, use_id: str, **fields: Any) -> list[Event]:
    """The call as a transcript tells of it."""
    named = {"origin": "transcript", "tool_use_id": use_id, "tool_name": "Bash"}
    asked = {name: fields[name] for name in ("session_id", "agent", "agent_id", "project_dir") if name in fields}
    return [
        event(time_us, hook_type="assistant", role="assistant", **named, **asked),
        event(time_us + 2_000, hook_type="user", role="user", **named, **fields),
    ]


def only(store: Store, where: Filter = Filter(), **given: Any) -> dict[str, int]:  # noqa: B008  frozen
    return store.completeness(where, **given).missing


def test_what_hooks_and_transcripts_both_know_is_caught(store: Store) -> None:
    store.append([*hook(NOON, "a"), *told(NOON, "a"), *hook(NOON + 5, "only hooks know it")])
    store.append([*told(NOON + MINUTE_US, "b"), *hook(NOON + MINUTE_US, "b")[:1], *hook(NOON + 2 * MINUTE_US, "c")[1:]])
    store.append([*told(NOON + 2 * MINUTE_US, "c"), *told(NOON + MINUTE_US, "d")])
    found = store.completeness(Filter())
    assert (found.known, found.caught, found.missing, found.lost) == (4, 3, {"unknown": 1}, 1)
    (session,) = found.sessions
    assert (session.only_question, session.only_answer) == (1, 1)
    assert [(call.tool_use_id, call.tool_name, call.status, call.reason) for call in found.calls] == [
        ("d", "Bash", "ok", "unknown")
    ]


REFUSED = {"status": "error", "meta": {"execution": {"error_code": "tool_use_error"}}}
BETWEEN = [event(NOON - MINUTE_US), event(NOON + MINUTE_US)]  # hooks of the session on either side
CASES: dict[str, Callable[[], tuple[list[Event], dict[str, Any]]]] = {
    "rejected": lambda: ([*BETWEEN, *told(NOON, "a", **REFUSED)], {}),
    "server": lambda: ([*BETWEEN, *told(NOON, "srvtoolu_1")], {}),
    "paused": lambda: (
        [*BETWEEN, *told(NOON, "a", project_dir="/p/q")],
        {"rests": [Rest(NOON - 1, NOON + 1, "/p"), Rest(0, 1, "")]},
    ),
    "fault": lambda: ([*BETWEEN, *told(NOON, "a")], {"faults": [Fault(NOON + 5_000_000, "lost")]}),
    "not_installed": lambda: ([event(NOON + 1, agent="codex"), *told(NOON, "a")], {}),
    "no_hooks": lambda: ([event(NOON - 1, session_id="another"), *told(NOON, "a")], {}),
    "before_first": lambda: (
        [event(NOON - MINUTE_US, session_id="another"), event(NOON + MINUTE_US), *told(NOON, "a")],
        {},
    ),
    "after_last": lambda: ([event(NOON - MINUTE_US), *told(NOON, "a")], {}),
    "denied": lambda: ([*BETWEEN, *told(NOON, "a", status="denied")], {}),
    "interrupted": lambda: ([*BETWEEN, *told(NOON, "a", status="interrupted")], {}),
    "subagent": lambda: ([*BETWEEN, *told(NOON, "a", agent_id="sub")], {}),
    "unknown": lambda: (
        [*BETWEEN, *told(NOON, "a")],
        {"rests": [Rest(NOON - 1, NOON + 1, "/other")], "faults": [Fault(NOON + 10 * MINUTE_US, "lost")]},
    ),
}


def test_every_reason_has_a_case() -> None:
    assert set(CASES) == set(REASONS)


@pytest.mark.parametrize("reason", CASES)
def test_why_a_call_is_missing_is_said_where_it_can_be_known(store: Store, reason: str) -> None:
    events, known = CASES[reason]()
    store.append(events)
    assert only(store, **known) == {reason: 1}


def test_hooks_without_identifiers_count_as_many_calls_as_they_are(store: Store) -> None:
    store.append([*hook(NOON, None), *hook(NOON + 10_000, None, tool_name="Read"), *BETWEEN])
    store.append([one for n in range(3) for one in told(NOON + n, f"t{n}")])
    found = store.completeness(Filter())
    assert (found.known, found.caught, found.missing) == (3, 1, {"unknown": 2})


def test_sessions_and_ranges_are_asked_for_and_other_conditions_refused(store: Store) -> None:
    store.append([*told(NOON, "a"), *told(NOON + MINUTE_US, "b", session_id="t")])
    assert store.completeness(Filter(session_id=("t",))).known == 1
    assert [one.session_id for one in store.completeness(Filter()).sessions] == ["t", "s"]
    assert store.completeness(Filter(until_us=NOON + 1)).known == 1
    with pytest.raises(BadInput):
        store.completeness(Filter(tool_name=("Bash",)))


def test_missing_calls_are_named_up_to_a_number(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completeness, "NAMED_MOST", 2)
    store.append([one for n in range(4) for one in told(NOON + n, f"t{n}")])
    found = store.completeness(Filter())
    assert (len(found.calls), sum(found.missing.values())) == (2, 4)


def run(root: str, *args: str) -> Any:
    return CliRunner().invoke(cli, ["completeness", *args, "--root", root])


def test_the_exit_code_tells_whether_something_was_lost(store: Store) -> None:
    store.append([*hook(NOON, "a"), *told(NOON, "a"), *BETWEEN])
    done = run(store.root)
    assert (done.exit_code, done.stdout) == (0, "1 of 1 call caught, 100 %\n")
    store.append(told(NOON + 1_000, "b"))
    assert run(store.root).exit_code == 1
    said = json.loads(run(store.root, "s", "--json").stdout)
    assert (said["known"], said["caught"], said["lost"], said["missing"]) == (2, 1, 1, {"unknown": 1})
    assert [call["tool_use_id"] for call in said["calls"]] == ["b"]
    assert run(store.root, "no such session").exit_code == 1


def test_a_pause_that_is_over_explains_what_is_missing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    home = surroundings.home()
    clock = [NOON / 1e6 - 10]
    with monkeypatch.context() as patched:
        patched.setattr(pause.time, "time", lambda: clock[0])
        pause.rest(home, "", 0.0)
        clock[0] += 20
        pause.resume(home, "")
    assert pause.history(home) == [(NOON / 1e6 - 10, NOON / 1e6 + 10, "")]
    store.append([*BETWEEN, *told(NOON, "a")])
    done = run(store.root)
    assert done.exit_code == 0 and "paused" in done.stdout


def test_a_short_pause_explains_only_what_was_called_in_it(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, link, home = tmp_path / "project", tmp_path / "link", surroundings.home()
    project.mkdir()
    link.symlink_to(project)
    clock = [NOON / 1e6 + 0.25]
    with monkeypatch.context() as patched:
        patched.setattr(pause.time, "time", lambda: clock[0])
        pause.rest(home, str(link), 0.0)
        clock[0] += 0.25
        pause.resume(home, str(link))
    rests, _ = lapses.known()
    assert all((rest.from_us, rest.to_us) == (NOON + 250_000, NOON + 500_000) for rest in rests)
    for name, at_us in (("before", 240_000), ("in it", 300_000), ("after", 510_000)):
        store.append(told(NOON + at_us, name, project_dir=str(project)))
    store.append(BETWEEN)
    reasons = {call.tool_use_id: call.reason for call in store.completeness(Filter(), rests=rests).calls}
    assert reasons == {"before": "unknown", "in it": "paused", "after": "unknown"}


def test_a_fault_at_that_time_explains_what_is_missing(store: Store) -> None:
    faults.note(surroundings.home(), "lost", "the disk was full")
    now_us = faults.read(surroundings.home())[0].time_us
    store.append([event(now_us - MINUTE_US), *told(now_us - 2_000, "a"), event(now_us + MINUTE_US)])
    done = run(store.root)
    assert done.exit_code == 1 and "fault" in done.stdout


def test_of_real_transcripts_without_hooks_every_call_is_missing(real: Path, root: str) -> None:
    ingest([str(real / "transcripts")], root)
    with Store(root) as store:
        found = store.completeness(Filter())
    assert found.known == sum(found.missing.values()) > 400
    assert found.missing["rejected"] == 3  # answers that begin with <tool_use_error>
    assert found.lost == 0
