"""Tokens: each answer once, whoever witnessed it, equal to a count that knows nothing of ours."""

import json
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from eyelet_ingest.errors import BadInput
from eyelet_ingest.events import Event
from eyelet_ingest.pipeline import ingest
from eyelet_ingest.store import token_shapes
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
from eyelet_ingest.store.token_shapes import Tokens
from eyelet_ingest.store.usage import FIELDS

NOON = 1_774_008_000_000_000  # 2026-03-20 12:00 UTC
SECOND_US = 1_000_000
DAY_US = 86_400_000_000


def record(time_us: int, data: dict[str, Any], **fields: Any) -> Event:
    fields = {"uid": os.urandom(16), "origin": "transcript", "session_id": "s", "agent": "claude", **fields}
    return Event(time_us=time_us, data=json.dumps(data), **fields)


def line(time_us: int, answer: str | None, output: int, request: str | None = "r", **fields: Any) -> Event:
    """A line of a Claude Code transcript."""
    message: dict[str, Any] = {"id": answer, "model": fields.get("model", "m")}
    message["usage"] = {"input_tokens": 3, "output_tokens": output, "cache_read_input_tokens": 10}
    return record(
        time_us, {"message": message, "requestId": request}, hook_type="assistant", **{"model": "m", **fields}
    )


def codex(time_us: int, total: int | None, last: int | None, **fields: Any) -> Event:
    def tokens(count: int) -> dict[str, int]:
        return {"input_tokens": 10 * count, "cached_input_tokens": 4 * count, "output_tokens": count}

    info = {name: tokens(count) for name, count in (("total_token_usage", total), ("last_token_usage", last)) if count}
    data = {"type": "event_msg", "payload": {"type": "token_count", "info": info or None}}
    return record(time_us, data, hook_type="token_count", **{"agent": "codex", "model": "gpt", **fields})


def telemetry(time_us: int, output: int, request: str | None, **fields: Any) -> Event:
    attributes = {"input_tokens": "3", "output_tokens": output, "cache_read_tokens": 10, "cache_creation_tokens": 5}
    data = {"attributes": attributes | ({"request_id": request} if request else {})}
    return record(time_us, data, hook_type="claude_code.api_request", origin="otlp", **{"model": "m", **fields})


def total(store: Store, where: Filter = Filter()) -> tuple[int, Tokens]:  # noqa: B008  frozen
    found = store.usage(where, ())
    return found.answers, found.tokens


def test_of_the_lines_of_an_answer_the_largest_counts(store: Store) -> None:
    store.append([line(NOON, "a", 1), line(NOON + 1, "a", 70), line(NOON + 2, "a", 5), line(NOON + 3, "b", 2)])
    assert total(store) == (2, Tokens(6, 72, 0, 0, 20))


def test_an_answer_is_known_by_message_and_request_and_without_both_by_its_record(store: Store) -> None:
    store.append([line(NOON, "a", 1), line(NOON + 1, "a", 2, "other"), line(NOON + 2, "a", 4, None)])
    store.append([line(NOON + 3, None, 8, None), line(NOON + 4, None, 16, None)])
    assert total(store)[1].output == 31


def test_a_forks_copies_count_once_across_contexts_and_roots(tmp_path: Path) -> None:
    copies = [line(NOON, None, 8, None, uid=b"u" * 16), line(NOON + 1, "a", 1)]
    other = str(tmp_path / "other")
    with Store(other) as store:
        store.append(copies)
    with Store(str(tmp_path / "mine"), also=[other]) as store:
        store.append(copies)
        store.append(copies, "work")
        assert total(store)[1].output == 9


def test_answers_that_the_agent_made_up_itself_are_skipped(store: Store) -> None:
    store.append([line(NOON, "a", 1, model="<synthetic>")])
    assert total(store) == (0, Tokens())


def test_an_answer_over_midnight_is_one_of_the_day_it_began(store: Store) -> None:
    midnight = NOON + DAY_US // 2
    store.append([line(midnight - 1, "a", 1), line(midnight + 1, "a", 9), line(midnight + 2, "b", 2)])
    days = {row.day: (row.answers, row.tokens.output) for row in store.usage(Filter(), ["day"]).rows}
    assert days == {"2026-03-20": (1, 9), "2026-03-21": (1, 2)}
    assert total(store, Filter(until_us=midnight)) == (1, Tokens(3, 9, 0, 0, 10))
    assert total(store, Filter(since_us=midnight)) == (1, Tokens(3, 2, 0, 0, 10))


def test_codex_adds_up_and_each_answer_is_the_difference(store: Store) -> None:
    store.append([codex(NOON, 5, 5), codex(NOON + 1, 5, 5), codex(NOON + 2, None, None), codex(NOON + 3, 12, 7)])
    store.append([codex(NOON + 4, 2, 2)])  # it began anew
    store.append([codex(NOON + 5, 1_000, 3, session_id="fork"), codex(NOON + 6, 1_001, 1, session_id="fork")])
    store.append([codex(NOON + 7, 4, 4, agent_id="sub")])
    rows = {row.session: row.tokens.output for row in store.usage(Filter(), ["session"]).rows}
    assert rows == {"s": 12 + 2 + 4, "fork": 3 + 1}
    assert total(store)[1] == Tokens(6 * 22, 22, 0, 0, 4 * 22)


def test_codex_goes_on_after_midnight_where_it_stopped(store: Store) -> None:
    store.append([codex(NOON, 5, 5), codex(NOON + DAY_US, 5, 5), codex(NOON + DAY_US + 1, 8, 3)])
    assert [(row.day, row.tokens.output) for row in store.usage(Filter(), ["day"]).rows] == [
        ("2026-03-20", 5),
        ("2026-03-21", 3),
    ]
    assert total(store, Filter(since_us=NOON + DAY_US - 1))[1].output == 3


def test_an_answer_that_telemetry_witnesses_too_is_one(store: Store) -> None:
    store.append([telemetry(NOON, 9, "r"), line(NOON + 1, "a", 9), telemetry(NOON + 2, 4, "a request of its own")])
    store.append([telemetry(NOON + 3, 100, None), telemetry(NOON + 4, 30, None, session_id="only telemetry")])
    assert {row.session: row.tokens.output for row in store.usage(Filter(), ["session"]).rows} == {
        "s": 9 + 4,
        "only telemetry": 30,
    }


@pytest.mark.parametrize(
    ("found", "tokens"),
    [
        (
            token_shapes.claude({"input_tokens": 1, "output_tokens": 2, "cache_creation_input_tokens": 9}),
            Tokens(1, 2, 9, 0, 0),
        ),
        (
            token_shapes.claude(
                {
                    "cache_creation_input_tokens": 9,
                    "cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 7},
                }
            ),
            Tokens(0, 0, 2, 7, 0),
        ),
        (
            token_shapes.gemini({"input": 50, "cached": 30, "output": 4, "thoughts": 6, "tool": 1}),
            Tokens(21, 10, 0, 0, 30),
        ),
        (
            token_shapes.opencode({"input": 5, "output": 4, "reasoning": 2, "cache": {"read": 8, "write": 9}}),
            Tokens(5, 6, 9, 0, 8),
        ),
        (token_shapes.cursor(100, 7, 80, 15), Tokens(5, 7, 15, 0, 80)),
        (
            token_shapes.otlp(
                "codex.sse_event",
                {
                    "event.kind": "response.completed",
                    "input_token_count": "9",
                    "cached_token_count": 4,
                    "output_token_count": 2,
                },
            ),
            Tokens(5, 2, 0, 0, 4),
        ),
        (
            token_shapes.claude({"input_tokens": -1, "output_tokens": float("inf"), "cache_read_input_tokens": True}),
            Tokens(),
        ),
    ],
)
def test_every_agents_numbers_mean_the_same(found: Tokens, tokens: Tokens) -> None:
    assert found == tokens


def test_gemini_and_cursor_count_a_message_and_a_turn_once(store: Store) -> None:
    def message(at: int, count: int) -> Event:
        return record(NOON + at, {"id": "m", "tokens": {"output": count}}, hook_type="gemini", agent="gemini")

    turn = {"generation_id": "g", "input_tokens": 5, "output_tokens": 3}
    store.append([message(0, 1), message(1, 6)])
    store.append([record(NOON + at, turn, hook_type="stop", origin="hook", agent="cursor") for at in (2, 3)])
    assert {row.agent: row.tokens.output for row in store.usage(Filter(), ["agent"]).rows} == {"gemini": 6, "cursor": 3}


def test_what_is_asked_for_is_what_is_counted(store: Store) -> None:
    store.append([line(NOON, "a", 1), line(NOON + 1, "b", 2, model="n", session_id="t")])
    store.append([line(NOON + 2, "c", 4, agent_id="sub")], "work")
    assert total(store, Filter(session_id=("s",)))[1].output == 5
    assert total(store, Filter(model=("n",)))[1].output == 2
    assert total(store, Filter(contexts=("work",)))[1].output == 4
    for where, by in ((Filter(text="x"), ()), (Filter(), ("tool",))):
        with pytest.raises(BadInput):
            store.usage(where, by)
    assert {tuple(getattr(row, name) for name in FIELDS) for row in store.usage(Filter(), FIELDS).rows} == {
        ("s", "claude", "m", "2026-03-20", "default"),
        ("t", "claude", "n", "2026-03-20", "default"),
        ("s", "claude", "m", "2026-03-20", "work"),
    }


def test_the_tokens_of_real_transcripts_are_those_that_their_lines_say(real: Path, root: str) -> None:
    """Counted once more from the files alone."""
    largest: dict[tuple[str, str | None], tuple[int, ...]] = {}
    whose: dict[tuple[str, str | None], tuple[str, str, str]] = {}
    seen: set[str] = set()
    for path in sorted((real / "transcripts").rglob("*.jsonl")):
        for text in path.read_text("utf-8").splitlines():
            said = json.loads(text)
            if said.get("type") != "assistant" or said["message"]["model"] == "<synthetic>" or said["uuid"] in seen:
                continue
            seen.add(said["uuid"])
            usage, key = said["message"]["usage"], (said["message"]["id"], said.get("requestId"))
            parts = usage["cache_creation"]
            numbers = (
                *(usage["input_tokens"], usage["output_tokens"]),
                *(parts["ephemeral_5m_input_tokens"], parts["ephemeral_1h_input_tokens"]),
                usage["cache_read_input_tokens"],
            )
            if key not in largest or numbers[1] > largest[key][1]:
                largest[key] = numbers
            whose.setdefault(key, (said["sessionId"], said["message"]["model"], said["timestamp"][:10]))
    sums: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0] * 6)
    for key, numbers in largest.items():
        sums[whose[key]] = [a + b for a, b in zip(sums[whose[key]], (1, *numbers), strict=True)]
    ingest([str(real / "transcripts")], root)
    with Store(root) as store:
        found = store.usage(Filter(), ("session", "model", "day"))
    assert {(row.session, row.model, row.day): [row.answers, *row.tokens] for row in found.rows} == dict(sums)
    assert found.answers == len(largest) > 300


@pytest.mark.parametrize("request_name", ["r", None], ids=["named", "unnamed"])
def test_what_telemetry_said_before_midnight_is_one_with_what_a_transcript_says_after_it(
    store: Store, request_name: str | None
) -> None:
    midnight = NOON + DAY_US // 2
    store.append([telemetry(midnight - 1, 9, request_name), line(midnight + 1, "a", 9)])
    assert total(store)[1].output == 9


def test_where_a_transcript_names_no_requests_telemetry_adds_nothing(store: Store) -> None:
    store.append([line(NOON, "a", 9, None), telemetry(NOON + 1, 9, "r"), telemetry(NOON + 2, 4, "q", session_id="t")])
    assert total(store)[1].output == 9 + 4


@pytest.mark.parametrize(
    "said",
    [
        '{"message": {"usage": {"output_tokens": ' + "9" * 5_000 + "}}}",
        '{"message": {"usage": ' + "[" * 990 + "]" * 990 + "}}",
        '{"message": {"usage": {"output_tokens": -3, "input_tokens": 1e999, "cache_read_input_tokens": "12.5"}}}',
        '{"message": {"id": ["a"], "usage": {"output_tokens": [4], "cache_creation": 5}}, "requestId": {"a": 1}}',
        '{"message": 5}',
        "5",
        "null",
        "not JSON",
    ],
    ids=lambda said: str(said)[:40],
)
def test_what_no_count_can_be_counts_nothing_and_hides_no_other(store: Store, said: str) -> None:
    from eyelet_ingest.store import connect, layout

    store.append([line(NOON, "a", 7), record(NOON + 1, {}, hook_type="assistant", model="m", tool_use_id="x")])
    conn = connect.driver().connect(layout.db_path(store.root, layout.key_for("default", NOON)), isolation_level=None)
    conn.execute("pragma ignore_check_constraints = 1")
    conn.execute("update hooks set data = ? where tool_use_id = 'x'", (said,))
    conn.close()
    assert total(store)[1] == Tokens(3, 7, 0, 0, 10)
    assert store.usage(Filter()).partitions.unreadable == ()
