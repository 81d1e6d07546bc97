"""A generated demonstration: what a week of work with a coding agent looks like in the log. Nobody's real data.

Everything is drawn from a seed and the day: the same seed and the same "now" give the same events, and the days
before today are the same at any hour.
"""

import json
import random
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

from eyelet_ingest import intake, redactors
from eyelet_ingest.demo_projects import (
    FOLLOW_UPS,
    FORBIDDEN,
    MODELS,
    NOTIFICATIONS,
    PROJECTS,
    SUBAGENTS,
    Change,
    Command,
    Project,
)
from eyelet_ingest.events import Event
from eyelet_ingest.jsontext import canonical
from eyelet_ingest.redaction import Redactor
from eyelet_ingest.sources import claude_hooks, times
from eyelet_ingest.store import identity
from eyelet_ingest.store.store import Appended, Store

CONTEXT = "demo"
DAYS_MAX = 90

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_DAY_S = 86_400
_US = 1_000_000
# Sessions begin in these hours, most of them in the morning and after lunch.
_HOURS = (8, 9, 9, 10, 10, 11, 13, 14, 14, 15, 16, 17, 20)
_SESSIONS_WORKDAY, _SESSIONS_WEEKEND = (6, 9), (2, 4)


def generate(now_us: int, days: int = 7, seed: int = 1) -> Iterator[dict[str, object]]:
    """Hook payloads with a `timestamp`, day by day and in order of time, from `days` days ago up to `now_us`."""
    return (payload for _, payload in generate_with_branch(now_us, days, seed))


def generate_with_branch(now_us: int, days: int = 7, seed: int = 1) -> Iterator[tuple[str, dict[str, object]]]:
    """As `generate`, each payload with the git branch that was checked out."""
    today = now_us // _US // _DAY_S
    for day in range(today - days, today + 1):
        dice = random.Random(f"{seed}:{day}")
        began = [(day * _DAY_S + second) * _US for second in _session_starts(dice, day)]
        events = [event for start_us in began for event in _session(dice, start_us)]
        if day == today:
            events += _session_up_to(now_us, seed)
        events.sort(key=lambda event: event[0])
        since_us = now_us - days * _DAY_S * _US
        for time_us, branch, payload in events:
            if since_us <= time_us <= now_us:
                yield branch, payload


def record(store: Store, now_us: int, days: int = 7, seed: int = 1) -> Appended:
    """Store the demonstration in the context `demo`; what is there already is not stored again."""
    identity.make_private_dir(store.root)
    key = identity.load_key(store.root)
    redactor = redactors.of_root(store.root)
    events = (_event(key, redactor, branch, payload) for branch, payload in generate_with_branch(now_us, days, seed))
    return store.append(events, CONTEXT)


def _event(key: bytes, redactor: Redactor, branch: str, payload: dict[str, object]) -> Event:
    """The event of a payload by the same steps as an imported one, so that importing it would be a duplicate."""
    clean, data = intake.clean(json.dumps(payload, ensure_ascii=False), payload, redactor)
    event = claude_hooks.normalise(clean if isinstance(clean, dict) else {}, data)
    event.time_us = times.of_payload(payload) or 0
    event.uid = identity.timed_uid(key, canonical(payload).encode(), event.time_us)
    event.meta |= {"git": {"branch": branch}, "demonstration": True}
    return event


def _session_starts(dice: random.Random, day: int) -> list[int]:
    """Seconds of the day at which its sessions begin; fewer on Saturday and Sunday."""
    weekend = (day + 3) % 7 >= 5  # 1 January 1970 was a Thursday
    count = dice.randint(*(_SESSIONS_WEEKEND if weekend else _SESSIONS_WORKDAY))
    return sorted(dice.choice(_HOURS) * 3_600 + dice.randrange(3_600) for _ in range(count))


def _session_up_to(now_us: int, seed: int) -> list[tuple[int, str, dict[str, object]]]:
    """The session whose last event has only just happened, so that the newest range is never empty.

    Drawn from now: one that is recorded an hour later is another session, not more of the same one.
    """
    draft = _session(random.Random(f"{seed}:{now_us}"), 0)
    lasted_us = draft[-1][0] - draft[0][0]
    return _session(random.Random(f"{seed}:{now_us}"), now_us - lasted_us - 30 * _US)


def _session(dice: random.Random, start_us: int) -> list[tuple[int, str, dict[str, object]]]:
    """One session from its start to its end: (time, branch, payload) in order."""
    work = _Session(dice, start_us)
    work.emit("SessionStart", source=dice.choice(("startup", "startup", "resume")), model=work.model)
    for change in dice.sample(work.project.changes, k=dice.randint(1, len(work.project.changes))):
        work.turn_of_change(change)
        for prompt in dice.sample(FOLLOW_UPS, k=dice.randint(0, 2)):
            work.turn_of_question(prompt, change)
    if dice.random() < 0.8:
        work.emit("SessionEnd", reason=dice.choice(("prompt_input_exit", "clear", "logout", "other")))
    return work.events


class _Session:
    """An agent at work: a clock, a project, and the events so far."""

    def __init__(self, dice: random.Random, start_us: int) -> None:
        self.events: list[tuple[int, str, dict[str, object]]] = []
        self.project: Project = dice.choice(PROJECTS)
        self.model: str = dice.choice(MODELS)
        self._dice, self._time_us = dice, start_us
        self._branch = dice.choice(self.project.branches)
        self._id = _uuid(dice)
        self._mode = dice.choice(("default", "default", "acceptEdits", "plan"))
        self._agent: dict[str, object] = {}

    def emit(self, event: str, **fields: object) -> None:
        """One hook event, now; the clock moves on a little."""
        folder = self.project.folder
        then = _EPOCH + timedelta(microseconds=self._time_us)
        payload: dict[str, object] = {
            "session_id": self._id,
            "transcript_path": f"/home/robin/.claude/projects/{folder.replace('/', '-')}/{self._id}.jsonl",
            "cwd": folder,
            "permission_mode": self._mode,
            "hook_event_name": event,
            **self._agent,
            **fields,
            "timestamp": then.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
        # The payload's own time counts, and it is written in milliseconds.
        self.events.append((self._time_us // 1_000 * 1_000, self._branch, payload))
        self._wait(0.02, 0.3)

    def turn_of_change(self, change: Change) -> None:
        """A wish, and the work on it: look, change, test, perhaps look again, report."""
        dice, project = self._dice, self.project
        self._ask(change.prompt)
        self._search(dice.choice(project.patterns))
        for path in dice.sample(project.files, k=dice.randint(1, 3)):
            self._read(path)
        self._read(change.path)
        if dice.random() < 0.35:
            self._fetch(dice.choice(project.pages))
        if dice.random() < 0.4:
            self._use_server()
        if dice.random() < 0.4:
            self._delegate()
        self._edit(change)
        if not self._run(project.commands[0], failing=0.35):
            self._read(change.path)
            self._edit(change)
            self._run(project.commands[0], failing=0.1)
        for command in dice.sample(project.commands[1:], k=dice.randint(1, 3)):
            self._run(command, failing=0.15)
        if dice.random() < 0.15:
            self._be_refused(FORBIDDEN)
        if dice.random() < 0.3:
            self._write(f"notes/{dice.randrange(100):02d}.md", f"# Why\n\n{change.report}\n")
        self._report(change.report)

    def turn_of_question(self, prompt: str, change: Change) -> None:
        """A short question after the work."""
        self._ask(prompt)
        if self._dice.random() < 0.5:
            self._read(change.path)
        self._run(self._dice.choice(self.project.commands), failing=0.1)
        self._report(f"Done. {change.report}")

    def _ask(self, prompt: str) -> None:
        self._wait(20, 300)
        self.emit("UserPromptSubmit", prompt=prompt)
        self._wait(3, 15)

    def _report(self, text: str) -> None:
        self._wait(2, 20)
        if self._dice.random() < 0.04:
            self.emit("StopFailure", error="rate_limit", error_details="Too many requests, try again shortly")
            return
        self.emit("Stop", stop_hook_active=False, last_assistant_message=text)
        if self._dice.random() < 0.4:
            self._wait(60, 90)
            message, kind = NOTIFICATIONS[0]
            self.emit("Notification", message=message, notification_type=kind)

    def _call(self, tool: str, given: dict[str, object], response: object, seconds: float) -> None:
        """A tool that does what it was asked for: its two witnesses share the tool_use_id."""
        call: dict[str, object] = {"tool_name": tool, "tool_input": given, "tool_use_id": self._tool_use_id()}
        self._wait(1, 12)
        self.emit("PreToolUse", **call)
        lasted_ms = self._last(seconds)
        self.emit("PostToolUse", **call, tool_response=response, duration_ms=lasted_ms)

    def _search(self, pattern: str) -> None:
        found = self._dice.sample(self.project.files, k=2)
        response: dict[str, object] = {"mode": "files_with_matches", "filenames": found, "numFiles": len(found)}
        self._call("Grep", {"pattern": pattern, "output_mode": "files_with_matches"}, response, 0.05)

    def _read(self, path: str) -> None:
        lines = self._dice.randint(20, 400)
        file: dict[str, object] = {
            "filePath": self._absolute(path),
            "content": f"# {path}\n" + "…\n" * self._dice.randint(3, 40),
            "numLines": lines,
            "startLine": 1,
            "totalLines": lines,
        }
        self._call("Read", {"file_path": self._absolute(path)}, {"type": "text", "file": file}, 0.02)

    def _edit(self, change: Change) -> None:
        given: dict[str, object] = {
            "file_path": self._absolute(change.path),
            "old_string": change.before,
            "new_string": change.after,
            "replace_all": False,
        }
        patch = {"oldStart": 40, "newStart": 40, "lines": [f"-{change.before}", f"+{change.after}"]}
        self._call("Edit", given, {"filePath": given["file_path"], "structuredPatch": [patch]}, 0.06)

    def _write(self, path: str, content: str) -> None:
        given: dict[str, object] = {"file_path": self._absolute(path), "content": content}
        self._call("Write", given, {"type": "create", "filePath": given["file_path"]}, 0.04)

    def _fetch(self, url: str) -> None:
        given: dict[str, object] = {"url": url, "prompt": "What does this page say about our case?"}
        response = {"code": 200, "bytes": self._dice.randint(2_000, 90_000), "result": "It describes the call."}
        self._call("WebFetch", given, response, 2.5)

    def _use_server(self) -> None:
        tool, argument, answer = self._dice.choice(self.project.server_tools)
        given: dict[str, object] = {argument: self._dice.choice(self.project.patterns)}
        response = [{"type": "text", "text": answer}]
        self._call(f"mcp__{self.project.server}__{tool}", given, response, 0.7)

    def _run(self, command: Command, failing: float) -> bool:
        """A shell command, which fails, is interrupted or is answered; whether it went well."""
        given: dict[str, object] = {"command": command.line, "description": command.description}
        if not command.exit_code or self._dice.random() >= failing:
            response = {"stdout": command.prints, "stderr": "", "interrupted": False, "isImage": False}
            self._call("Bash", given, response, 3.0)
            return True
        call: dict[str, object] = {"tool_name": "Bash", "tool_input": given, "tool_use_id": self._tool_use_id()}
        interrupted = self._dice.random() < 0.1
        error = "interrupted" if interrupted else f"Exit code {command.exit_code}\n{command.complaint}"
        self._wait(1, 8)
        self.emit("PreToolUse", **call)
        lasted_ms = self._last(6.0)
        self.emit("PostToolUseFailure", **call, error=error, is_interrupt=interrupted, duration_ms=lasted_ms)
        return False

    def _be_refused(self, command: Command) -> None:
        """A command that the person does not allow."""
        given: dict[str, object] = {"command": command.line, "description": command.description}
        call: dict[str, object] = {"tool_name": "Bash", "tool_input": given}
        message, kind = NOTIFICATIONS[1]
        use_id = self._tool_use_id()
        self.emit("PreToolUse", **call, tool_use_id=use_id)
        self.emit("PermissionRequest", **call)
        self.emit("Notification", message=message, notification_type=kind)
        self._wait(4, 40)
        self.emit("PermissionDenied", **call, tool_use_id=use_id, reason="Not now: leave the builds alone.")

    def _delegate(self) -> None:
        """A subagent that reads around and reports."""
        kind, description, prompt = self._dice.choice(SUBAGENTS)
        given: dict[str, object] = {"description": description, "prompt": prompt, "subagent_type": kind}
        call: dict[str, object] = {"tool_name": "Task", "tool_input": given, "tool_use_id": self._tool_use_id()}
        self.emit("PreToolUse", **call)
        began_us = self._time_us
        self._agent = {"agent_id": f"a{self._dice.getrandbits(28):07x}", "agent_type": kind}
        self.emit("SubagentStart")
        self._search(self._dice.choice(self.project.patterns))
        for path in self._dice.sample(self.project.files, k=self._dice.randint(1, 3)):
            self._read(path)
        self.emit("SubagentStop", stop_hook_active=False, last_assistant_message="Three places, all in src.")
        self._agent = {}
        answer = {"status": "completed", "content": [{"type": "text", "text": "Three places, all in src."}]}
        lasted_ms = (self._time_us - began_us) // 1_000
        self.emit("PostToolUse", **call, tool_response=answer, duration_ms=lasted_ms)

    def _last(self, seconds: float) -> int:
        """Let the clock run for about so long; returns the milliseconds."""
        lasted_ms = max(1, round(self._dice.lognormvariate(0, 0.7) * seconds * 1_000))
        self._time_us += lasted_ms * 1_000
        return lasted_ms

    def _wait(self, least_s: float, most_s: float) -> None:
        self._time_us += round(self._dice.uniform(least_s, most_s) * _US)

    def _absolute(self, path: str) -> str:
        return f"{self.project.folder}/{path}"

    def _tool_use_id(self) -> str:
        return f"toolu_{self._dice.getrandbits(96):024x}"


def _uuid(dice: random.Random) -> str:
    text = f"{dice.getrandbits(128):032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
