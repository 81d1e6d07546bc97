"""Pages that follow what arrives: whatever comes is told once, to whom it concerns, and costs nothing else."""

import json
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from datasette.app import Datasette

from eyelet_ingest.events import Event
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
from tests.web.conftest import SECRET, Record, RunDatasette, Running
from tests.web.following import Follows

LIVE = "/-/eyelet/live"

MakeEvent = Callable[..., Event]
Follow = Callable[..., Follows]


class Shared:
    """One server for all tests of the file; each has a context of its own there."""

    def __init__(self, running: Running, store: Store) -> None:
        self.running, self.store = running, store


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    home = tmp_path_factory.mktemp("live")
    root = str(home / "root")
    with pytest.MonkeyPatch.context() as patch, Store(root) as store:
        patch.setenv("HOME", str(home))
        running = Running(root, home / "datasette.log", {"contexts": {"work": {"allow": {"id": "carol"}}}}, None)
        yield Shared(running, store)
        running.process.kill()
        running.process.wait()


@pytest.fixture
def record(shared: Shared, make_event: MakeEvent, request: pytest.FixtureRequest) -> Record:
    """Stores events at these times in the test's own context; returns their ids."""

    def recorded(*times_us: int, context: str = "", **fields: object) -> list[int]:
        events = [make_event(time_us, **fields) for time_us in times_us]
        shared.store.append(events, context or request.node.name)
        return list(times_us)

    return recorded


@pytest.fixture
def follow(shared: Shared, request: pytest.FixtureRequest) -> Iterator[Follow]:
    """Follows the test's own context."""
    followers: list[Follows] = []

    def opened(query: str = "", *, actor: str = "root", anywhere: bool = False, **named: Any) -> Follows:
        path = f"{LIVE}?{query}" + ("" if anywhere else f"&context={request.node.name}")
        followers.append(Follows(shared.running.port, path, cookie(actor), **named))
        return followers[-1]

    yield opened
    for one in followers:
        one.drop()


def cookie(actor: str) -> dict[str, str]:
    signed = Datasette(secret=SECRET).sign({"a": {"id": actor}}, "actor")
    return {"cookie": f"ds_actor={signed}"}


def now_us() -> int:
    return time.time_ns() // 1_000


def test_what_arrives_is_told_as_the_page_shows_it_and_as_json(
    follow: Follow, record: Record, request: pytest.FixtureRequest
) -> None:
    record(now_us())
    page = follow()
    assert page.until("open").data == {"rows_per_s": 20}
    assert page.until("rows").data["rows"] == []
    (at,) = record(now_us(), tool_name="Bash", data='{"tool_input":{"command":"<b>\\u202e</b>\\n"}}')
    (told,) = page.rows(1)
    assert (told["key"], told["row"]["id"]) == (f"{request.node.name}-{at}", at)
    assert told["row"]["tool_name"] == "Bash"
    assert told["html"].startswith("<tr")
    assert "&lt;b&gt;" in told["html"] and "\u202e" not in told["html"]


def test_a_call_is_one_row_that_takes_the_place_of_the_one_before(follow: Follow, record: Record) -> None:
    page, events = follow(), follow("rows=events")
    for one in (page, events):
        one.until("rows")
    call = {"tool_name": "Bash", "tool_use_id": "t-1", "session_id": "s", "origin": "hook"}
    record(now_us(), hook_type="PreToolUse", status="pending", **call)
    (asked,) = page.rows(1)
    record(now_us(), hook_type="PostToolUse", status="ok", **call)
    (answered,) = page.rows(1)
    assert asked["call"] == answered["call"] != ""
    assert (asked["row"]["outcome"], answered["row"]["outcome"]) == ("pending", "ok")
    assert [one["call"] for one in events.rows(2)] == ["", ""]


def test_only_what_the_search_finds_is_told(follow: Follow, record: Record) -> None:
    page, without, text = follow("tool=Bash&range=1h"), follow("-tool=Read"), follow("q=tool:Bash+word")
    for one in (page, without, text):
        one.until("rows")
    record(now_us(), tool_name="Read", data='{"prompt":"word"}')
    record(now_us() - 7_200_000_000, tool_name="Bash")
    (at,) = record(now_us(), tool_name="Bash", data='{"prompt":"a word"}')
    for one in (page, text):
        assert [told["row"]["id"] for told in one.rows(1)] == [at]
    assert at in [told["row"]["id"] for told in without.rows(1)]


def test_who_was_cut_off_comes_back_without_loss_or_repeat(follow: Follow, record: Record) -> None:
    page = follow("range=all")
    page.until("rows")
    first = record(now_us(), now_us() + 1)
    assert [one["row"]["id"] for one in page.rows(2)] == first
    page.drop()
    yesterday = now_us() - 86_400_000_000
    missed = record(now_us(), now_us() + 1) + record(yesterday)
    again = follow("range=all", last_id=page.id)
    assert sorted(one["row"]["id"] for one in again.rows(3)) == sorted(missed)
    (last,) = record(now_us())
    assert [one["row"]["id"] for one in again.rows(1)] == [last]


def test_a_page_begins_where_its_search_ended(follow: Follow, record: Record, shared: Shared) -> None:
    record(now_us())
    position = shared.store.position(Filter())
    (at,) = record(now_us())
    assert [one["row"]["id"] for one in follow(f"_after={position}").rows(1)] == [at]


def test_more_than_the_rate_is_counted(follow: Follow, record: Record) -> None:
    page = follow("range=all&rows=events")
    page.until("rows")
    begin_us = now_us()
    record(*range(begin_us, begin_us + 500))
    told = page.until("rows").data
    assert len(told["rows"]) <= 20
    assert len(told["rows"]) + told["more"] == 500


def test_who_may_see_one_context_hears_of_no_other(follow: Follow, record: Record) -> None:
    record(now_us(), context="work")
    page = follow(actor="carol", anywhere=True)
    page.until("rows")
    record(now_us())
    (at,) = record(now_us(), context="work")
    assert [one["row"]["id"] for one in page.rows(1)] == [at]
    assert page.id.count("~") <= 1
    refused = follow(actor="mallory")
    assert (refused.status, json.loads(refused.answer.read())["ok"]) == (403, False)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("sesion=1", "did you mean session"),
        ("_after=x", "not one this software gave"),
        ("q=%22make", "quote"),
    ],
)
def test_what_cannot_be_followed_is_refused_with_the_reason(follow: Follow, query: str, said: str) -> None:
    refused = follow(query, anywhere=True)
    assert refused.status == 400
    assert said in json.loads(refused.answer.read())["error"]


def test_the_server_ends_though_pages_follow(run_datasette: RunDatasette) -> None:
    running = run_datasette()
    page = Follows(running.port, LIVE, cookie("root"))
    page.until("rows")
    running.process.send_signal(signal.SIGINT)
    assert page.until("end").data == {"reason": "the server ends", "retry": True}
    assert running.process.wait(20) is not None
    assert "Traceback" not in running.said and "rror" not in running.said
    page.drop()
