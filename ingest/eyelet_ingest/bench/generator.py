"""The rows of a scenario, drawn from a seed: what the demonstration's agents do, again and again, as other sessions.

The demonstration is normalised once; a row is one of its events with another session, time and identity, brought to
the size, depth of src and share of failures that the scenario asks for. The same seed gives the same rows.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from eyelet_ingest import demo
from eyelet_ingest.bench.scenario import Scenario
from eyelet_ingest.events import Event
from eyelet_ingest.sources import claude_hooks
from eyelet_ingest.store import layout

# The day after the last one. Long past, so that the days are finished, which is when they get their statistics.
END_US = layout.PartitionKey("default", 2025, 300).bounds_us[0]
DRAWN_AT_US = END_US + layout.DAY_US // 2
RARE_EVERY = (10, 4_999)  # one row in so many, at least and at most, has the rare src, and another one the rare word
RARE_A_WEEK = 20  # of one context, where its week is not large
RARE_SRC, RARE_WORD = "rare", "zephyrkey"
SESSIONS_AT_ONCE, CONVERSATIONS_AT_ONCE = 4, 50
NAMES_BELOW = 5  # different ones, where a src is made deeper
TEMPLATE_DAYS = 5
PROSE_WORDS = 60_000
WORDS = (
    "the store keeps every event of a day and finds it again by time or text while builds pass tests fail once "
    "then pass lines move to where they belong and nobody waits"
)


@dataclass(frozen=True, slots=True)
class _Template:
    """One event of the demonstration; `data` holds `session` and, where it is a tool's, `use_id`, to be replaced."""

    hook_type: str
    tool_name: str | None
    src: str
    status: str
    role: str | None
    model: str | None
    project_dir: str | None
    session: str
    use_id: str
    data: str


def context_names(scenario: Scenario) -> list[str]:
    return ["default"] if scenario.contexts == 1 else [f"context-{at:03d}" for at in range(scenario.contexts)]


def span_us(scenario: Scenario) -> tuple[int, int]:
    """From the first day's beginning to the last one's end."""
    return END_US - scenario.days * layout.DAY_US, END_US


class Generator:
    """Rows of one scenario; `day(n)` may be asked in any order, `more` gives further ones of the last day, rising."""

    def __init__(self, scenario: Scenario, seed: int) -> None:
        self.scenario, self.seed = scenario, seed
        self.contexts = context_names(scenario)
        self._stories = _stories(seed)
        words = max(PROSE_WORDS, scenario.payload_bytes)
        self._prose = " ".join(
            random.Random(seed).choices(WORDS.split(), k=words)
        )  # a slice is ten times as fast as words
        self._rare_src = rare_src(scenario)
        week = min(scenario.days, 7) * scenario.rows_a_day
        self._rare_every = min(max(week // RARE_A_WEEK, RARE_EVERY[0]), RARE_EVERY[1])
        self._more = 0

    def rows(self) -> Iterator[tuple[str, Event]]:
        """All there are, in order of time: (name of the context, event). No two have the same time or uid."""
        for day in range(self.scenario.days):
            yield from self.day(day)

    def day(self, number: int) -> Iterator[tuple[str, Event]]:
        scenario, contexts = self.scenario, self.contexts
        chance = random.Random(f"{self.seed}:{number}")
        sources = [self._sessions(chance, f"{number}:{context}", number * scenario.rows_a_day) for context in contexts]
        start_us = END_US - (scenario.days - number) * layout.DAY_US
        # The last tenth of the day is left to `more`.
        step_us = layout.DAY_US * 9 // 10 // (scenario.rows_a_day * len(contexts))
        for at in range(scenario.rows_a_day):
            for which, context in enumerate(contexts):
                yield context, next(sources[which])(start_us + (at * len(contexts) + which) * step_us)

    def more(self, count: int) -> list[tuple[str, Event]]:
        """Further events of the first context's last day, later than all before them."""
        chance = random.Random(f"{self.seed}:more:{self._more}")
        made = self._sessions(chance, f"more:{self._more}", self.scenario.rows + self._more)
        first_us = END_US - layout.DAY_US // 10 + self._more * 100
        self._more += count
        return [(self.contexts[0], next(made)(first_us + at * 100)) for at in range(count)]

    def session(self, day: int, context: int, number: int) -> str:
        """The identifier of the session of this number of a day and context, as its rows have it."""
        return _session_id(self.seed, f"{day}:{self.contexts[context]}", number)

    @property
    def sessions_a_day(self) -> int:
        """How many sessions of a day and context are begun for certain."""
        return max(self.scenario.rows_a_day // self.scenario.session_rows, 1)

    def _sessions(self, chance: random.Random, of: str, at: int) -> "Iterator[partial[Event]]":
        """Events that only lack their time, of a few sessions at once, each as long as the scenario says. `at` is how
        many rows there are before in this context."""
        length, begun = self.scenario.session_rows, 0
        running: list[list[int]] = []  # number of the session, events so far, which story
        most = CONVERSATIONS_AT_ONCE if self.scenario.is_conversation else SESSIONS_AT_ONCE
        at_once = min(most, self.sessions_a_day)
        while True:
            if len(running) < at_once:
                running.append([begun, 0, chance.randrange(len(self._stories))])
                begun += 1
            one = running[at % len(running)]
            story = self._stories[one[2]]
            template, again = story[one[1] % len(story)], one[1] // len(story)
            yield partial(self._event, chance, template, _session_id(self.seed, of, one[0]), again, at)
            at, one[1] = at + 1, one[1] + 1
            if one[1] >= length:
                running.remove(one)

    def _event(
        self, chance: random.Random, template: _Template, session: str, again: int, at: int, time_us: int
    ) -> Event:
        failed = template.hook_type == "PostToolUse" and chance.random() * 100 < self.scenario.error_percent
        src = _deepened(template.src, self.scenario.src_depth, at)
        if at % self._rare_every == self._rare_every // 2:
            src = self._rare_src
        data = template.data.replace(template.session, session)
        use_id = None
        if template.use_id:
            use_id = f"{template.use_id[:16]}{session[:8]}{again:06x}"
            data = data.replace(template.use_id, use_id)
        return Event(
            time_us=time_us,
            uid=chance.randbytes(16),
            session_id=session,
            hook_type="PostToolUseFailure" if failed else template.hook_type,
            tool_name=template.tool_name,
            tool_use_id=use_id,
            src=src,
            status="error" if failed else template.status,
            error=int(failed),
            agent="claude",
            role=template.role,
            model=template.model,
            project_dir=template.project_dir,
            data=self._sized(chance, data, at),
            meta={"execution": {"error_code": f"exit:{1 + at % 3}", "status": "error"}} if failed else None,
        )

    def _sized(self, chance: random.Random, data: str, at: int) -> str:
        """The payload with an answer of words behind it that brings it to its size, from a half to one and a half."""
        wanted = self.scenario.payload_bytes * chance.randrange(50, 151) // 100
        text = RARE_WORD if at % self._rare_every == self._rare_every // 3 else ""
        lacking = wanted - len(data)
        if lacking > 0:
            begin = chance.randrange(len(self._prose) - lacking)
            text += " " + self._prose[begin : begin + lacking]
        return f'{data[:-1]},"last_assistant_message":"{text}"}}' if text else data


def rare_src(scenario: Scenario) -> str:
    """The src that few rows have, as deep as the others."""
    return f"{_deepened('claude.posttooluse.bash', scenario.src_depth - 1, 0)}.{RARE_SRC}"


def common_src(scenario: Scenario) -> str:
    """The src below which many rows lie."""
    return _deepened("claude.posttooluse.read", min(scenario.src_depth, 3), 0)


def _stories(seed: int) -> list[list[_Template]]:
    """The demonstration's sessions, each as its events in order."""
    stories: dict[str, list[_Template]] = {}
    for payload in demo.generate(DRAWN_AT_US, TEMPLATE_DAYS, seed):
        payload.pop("timestamp")  # the demonstration's own: agents hand over none
        payload.pop("last_assistant_message", None)  # of which each row gets its own
        data = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
        event = claude_hooks.normalise(payload, data)
        if event.error:
            continue  # failures come as the scenario says
        template = _Template(
            hook_type=event.hook_type,
            tool_name=event.tool_name,
            src=event.src,
            status=event.status,
            role=event.role,
            model=event.model,
            project_dir=event.project_dir,
            session=event.session_id,
            use_id=event.tool_use_id or "",
            data=data,
        )
        stories.setdefault(event.session_id, []).append(template)
    return list(stories.values())


def _session_id(seed: int, of: str, number: int) -> str:
    bits = random.Random(f"{seed}:{of}:{number}").getrandbits(128)
    text = f"{bits:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _deepened(src: str, depth: int, at: int) -> str:
    parts = src.split(".")[:depth]
    parts += [f"n{(at + level) % NAMES_BELOW}" for level in range(depth - len(parts))]
    return ".".join(parts)
