"""Pages that follow what arrives: whatever comes is told once, to whom it concerns, and costs nothing else."""

import json
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from datasette.app import Datasette

from eyelet_ingest.store.store import Store
from tests.web.conftest import SECRET, Record, RunDatasette, Running
from tests.web.following import Follows

LIVE = "/-/eyelet/live"

Follow = Callable[..., Follows]


@pytest.fixture
def running(run_datasette: RunDatasette) -> Running:
    return run_datasette()


@pytest.fixture
def follow(running: Running) -> Iterator[Follow]:
    followers: list[Follows] = []

    def opened(query: str = "", *, actor: str = "root", **named: Any) -> Follows:
        followers.append(Follows(running.port, f"{LIVE}?{query}", cookie(actor), **named))
        return followers[-1]

    yield opened
    for one in followers:
        one.drop()


def cookie(actor: str) -> dict[str, str]:
    signed = Datasette(secret=SECRET).sign({"a": {"id": actor}}, "actor")
    return {"cookie": f"ds_actor={signed}"}


def now_us() -> int:
    return time.time_ns() // 1_000


def test_what_arrives_is_told_as_the_page_shows_it_and_as_json(follow: Follow, record: Record) -> None:
    record(now_us())
    page = follow()
    assert page.until("open").data == {"rows_per_s": 20}
    assert page.until("rows").data["rows"] == []
    (at,) = record(now_us(), tool_name="Bash", data='{"tool_input":{"command":"<b>\\u202e</b>\\n"}}')
    (told,) = page.rows(1)
    assert (told["key"], told["row"]["id"], told["row"]["tool_name"]) == (f"default-{at}", at, "Bash")
    assert told["html"].startswith("<tr")
    assert "&lt;b&gt;" in told["html"] and "\u202e" not in told["html"]


def test_only_what_the_search_finds_is_told(follow: Follow, record: Record) -> None:
    page = follow("tool=Bash&range=1h")
    page.until("rows")
    record(now_us(), tool_name="Read")
    record(now_us() - 7_200_000_000, tool_name="Bash")
    (at,) = record(now_us(), tool_name="Bash")
    assert [one["row"]["id"] for one in page.rows(1)] == [at]


def test_who_was_cut_off_comes_back_without_loss_or_repeat(follow: Follow, record: Record) -> None:
    page = follow("range=all")
    page.until("rows")
    first = record(now_us(), now_us() + 1)
    assert [one["row"]["id"] for one in page.rows(2)] == first
    page.drop()
    yesterday = now_us() - 86_400_000_000
    missed = record(now_us(), now_us() + 1) + record(yesterday) + record(yesterday, context="other")
    again = follow("range=all", last_id=page.id)
    assert sorted(one["row"]["id"] for one in again.rows(4)) == sorted(missed)
    (last,) = record(now_us())
    assert [one["row"]["id"] for one in again.rows(1)] == [last]


def test_a_page_begins_where_its_search_ended(follow: Follow, record: Record, store: Store) -> None:
    from eyelet_ingest.store.select import Filter

    record(now_us())
    position = store.position(Filter())
    (at,) = record(now_us())
    assert [one["row"]["id"] for one in follow(f"_after={position}").rows(1)] == [at]


def test_more_than_the_rate_is_counted(follow: Follow, record: Record) -> None:
    page = follow("range=all")
    page.until("rows")
    begin_us = now_us()
    record(*range(begin_us, begin_us + 500))
    told = page.until("rows").data
    assert len(told["rows"]) <= 20
    assert len(told["rows"]) + told["more"] == 500


def test_who_may_see_one_context_hears_of_no_other(run_datasette: RunDatasette, record: Record) -> None:
    record(now_us(), context="work")
    record(now_us(), context="home")
    running = run_datasette(contexts={"work": {"allow": {"id": "carol"}}})
    page = Follows(running.port, LIVE, cookie("carol"))
    page.until("rows")
    record(now_us(), context="home")
    (at,) = record(now_us(), context="work")
    assert [one["row"]["id"] for one in page.rows(1)] == [at]
    assert "home" not in page.id
    page.drop()
    refused = Follows(running.port, LIVE, cookie("mallory"))
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
    refused = follow(query)
    assert refused.status == 400
    assert said in json.loads(refused.answer.read())["error"]


def test_of_too_many_pages_one_is_refused_and_one_that_goes_makes_room(run_datasette: RunDatasette) -> None:
    running = run_datasette(max_live_pages=2)
    pages = [Follows(running.port, LIVE, cookie("root")) for _ in range(2)]
    for page in pages:
        page.until("open")
    refused = Follows(running.port, LIVE, cookie("root"))
    assert refused.status == 429 and refused.answer.headers["Retry-After"]
    assert "2 pages follow" in json.loads(refused.answer.read())["error"]
    pages[0].drop()
    end_s = time.monotonic() + 20
    while time.monotonic() < end_s:
        late = Follows(running.port, LIVE, cookie("root"))
        if late.status == 200:
            break
        time.sleep(0.1)
    assert late.status == 200
    for page in (late, pages[1]):
        page.drop()


def test_the_server_ends_though_pages_follow(running: Running, follow: Follow) -> None:
    page = follow()
    page.until("rows")
    running.process.send_signal(signal.SIGINT)
    assert page.until("end").data == {"reason": "the server ends", "retry": True}
    assert running.process.wait(20) is not None
    assert "Traceback" not in running.said
