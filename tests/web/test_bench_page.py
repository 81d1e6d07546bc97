"""The page of the load generator: for who administers all; one run at a time, a process that ends with the server."""

import asyncio
import os
import re
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from datasette_eyelet import bench_view
from eyelet_ingest import surroundings
from eyelet_ingest.bench import measure, results, scratch
from eyelet_ingest.bench.results import Machine, Result
from eyelet_ingest.bench.scenario import Scenario
from eyelet_ingest.store import audit
from tests.web.conftest import OpenSite, Record, Serve, Site

BENCH = "/-/eyelet/bench"
ROOT = {"id": "root"}
LONG = {"scenario": "own", "rows": "2000", "days": "99", "seconds": "500"}
WAIT_S = 40.0


async def post(site: Site, actor: dict[str, str] | None = ROOT, forged: bool = False, /, **fields: str) -> Any:
    """The form of the page, sent by a browser: of this site, or of another (`forged`)."""
    cookies = {} if actor is None else {"ds_actor": site.datasette.sign({"a": actor}, "actor")}
    page = await site.datasette.client.get(BENCH, cookies=cookies)
    token = re.search(r'name="csrftoken" value="([^"]*)"', page.text)
    cookies |= dict(page.cookies)
    given = {**fields, **({"csrftoken": token[1]} if token and not forged else {})}
    headers = {"sec-fetch-site": "cross-site" if forged else "same-origin"}
    return await site.datasette.client.post(BENCH, data=given, cookies=cookies, headers=headers)


async def until(site: Site, wanted: Any) -> dict[str, Any]:
    """What the JSON tells once it is as wanted."""
    for _ in range(int(WAIT_S / 0.05)):
        said = await site.json(f"{BENCH}.json")
        if wanted(said):
            return said
        await asyncio.sleep(0.05)
    raise AssertionError(said)


def left() -> list[str]:
    """Folders of runs beside the root."""
    return [str(one) for one in Path(os.environ["TMPDIR"]).glob(f"{scratch.PREFIX}*")]


def a_result(number: int, ratio: float = 2.0, **changed: Any) -> Result:
    side = measure.Side(1.0, 2.0, 3.0)
    one = measure.Measure("day", "latest <b> of a day", "ms", side, side, ratio, 0.75, 5)
    machine = Machine("Linux <i>", 2, "3", "3", "0")
    given: dict[str, Any] = {
        "made_at_us": number * 10**12, "scenario": Scenario("A"), "scale": 1.0, "seed": 1, "state": results.WHOLE,
        "took_s": 1.0, "load": (0.5, 1.0), "bytes": (1, 2), "handles": (1, 2, 3), "machine": machine,
        "measures": (one,), "number": number, **changed,
    }  # fmt: skip
    return Result(**given)


async def test_a_form_has_it_measure_and_the_page_shows_the_result(site: Site, root: str) -> None:
    assert "Nothing was measured yet" in (await site.get(BENCH)).text
    done = await post(site, do="begin", scenario="own", rows="20", session="5", seconds="1", seed="7")
    assert (done.status_code, done.headers["location"]) == (302, BENCH)
    said = await until(site, lambda said: said["results"] or said["trouble"])
    (one,) = said["results"]
    assert (one["state"], one["seed"], one["scenario"]["rows_a_day"], said["trouble"]) == ("limit", 7, 20, "")
    assert "Result 1: own" in (page := (await site.get(BENCH)).text) and "ended by its limit" in page
    assert "rows in batches of 20" in page and "stated by the predecessor, not measured here" in page
    (line,) = audit.lines(root)
    assert (line.who, line.action) == ("root", "bench.begin")
    assert left() == []


async def test_one_run_at_a_time_shown_and_cancelled(site: Site, root: str) -> None:
    assert (await post(site, do="begin", **LONG)).status_code == 302
    said = await until(site, lambda said: said["running"] and said["running"]["stage"] == "writing rows")
    assert said["running"]["may_cancel"] and "folder" not in said["running"]
    page = (await site.get(BENCH)).text
    assert "writing rows" in page and "Cancel the run" in page and "data-eyelet-refresh" in page
    assert (await post(site, do="begin", **LONG)).status_code == 400
    assert len(left()) == 1
    assert (await post(site, do="cancel")).status_code == 302
    said = await site.json(f"{BENCH}.json")
    assert (said["running"], said["trouble"], said["results"], left()) == (None, "", [], [])
    assert (await post(site, do="cancel")).status_code == 400
    assert [line.action for line in audit.lines(root)] == ["bench.cancel", "bench.begin"]


async def test_a_run_that_fails_says_why(site: Site) -> None:
    os.makedirs(os.path.join(surroundings.home(), scratch.LOCK))
    assert (await post(site, do="begin", scenario="own", rows="20")).status_code == 302
    said = await until(site, lambda said: said["trouble"])
    assert scratch.LOCK in said["trouble"]
    assert scratch.LOCK in (await site.get(BENCH)).text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"scenario": "A", "scale": "1"}, "200,000 are the most"),
        ({"scenario": "E"}, "there is no scenario"),
        ({"scenario": "A", "scale": "x"}, "cannot use scale"),
        ({"scenario": "A", "scale": "0"}, "is not from"),
        ({"rows": "1e3"}, "cannot use rows"),
        ({"days": "100000"}, "cannot use days"),
        ({"errors": "101"}, "cannot use errors"),
        ({"seconds": "601"}, "cannot use seconds"),
        ({"seed": "-1"}, "cannot use seed"),
        ({"keep": "/"}, "has no field"),
    ],
)
async def test_what_cannot_be_measured_from_here_is_said_and_not_begun(
    site: Site, root: str, fields: dict[str, str], said: str
) -> None:
    done = await post(site, do="begin", **fields)
    assert done.status_code == 400 and said in done.text
    assert audit.lines(root) == []
    assert not (await site.json(f"{BENCH}.json"))["is_starting"]


async def test_only_who_administers_all_contexts_sees_and_begins(
    open_site: OpenSite, record: Record, root: str, noon_us: int
) -> None:
    record(noon_us, context="work")
    site = await open_site(allow=True, contexts={"work": {"admin": {"id": "carol"}}})
    for actor in (None, {"id": "carol"}):
        for path in (BENCH, f"{BENCH}.json"):
            assert (await site.get(path, actor)).status_code == 403
        assert (await post(site, actor, do="begin", scenario="A")).status_code == 403
    assert (await post(site, ROOT, True, do="begin", scenario="A")).status_code == 403
    assert audit.lines(root) == []


async def test_results_are_escaped_compared_and_drawn(site: Site) -> None:
    home = surroundings.home()
    for number, ratio in ((1, 0.5), (2, 40.0), (3, 3.0)):
        results.keep(home, a_result(number, ratio, seed=1 if number < 3 else 2))
    page = (await site.get(f"{BENCH}?result=2")).text
    assert "latest &lt;b&gt; of a day" in page and "<b>" not in page and "Linux <i>" not in page
    assert "ratio in 1" in page and "It measured different work" not in page
    assert "over results of the same work" in page
    other = (await site.get(f"{BENCH}?result=3&beside=1")).text
    assert "It measured different work" in other and "over results of the same work" not in other
    assert (await site.get(f"{BENCH}?result=9")).status_code == 400
    assert (await site.get(f"{BENCH}?resul=1")).status_code == 400


def test_bars_grow_to_the_left_where_days_are_better_and_end_at_the_edge() -> None:
    (better,) = bench_view.bars(a_result(1, 0.5), None)
    (worse,) = bench_view.bars(a_result(1, 2.0), a_result(2, 7.0))
    (absurd,) = bench_view.bars(a_result(1, 1e9), None)
    assert better.is_better and better.x + better.width == 50 == worse.x and better.width == worse.width
    assert (absurd.x, absurd.width, worse.earlier, worse.cpu) == (50, 50, "7.00", "0.75")


def test_lines_need_two_results_and_leave_gaps() -> None:
    assert bench_view.chart([a_result(1)]) is None
    drawn = bench_view.chart([a_result(1), a_result(2, measures=()), a_result(3, 4.0)])
    assert drawn is not None
    (line,) = drawn.lines
    assert (line.title, line.last, line.path.count("M")) == ("day", "4.00", 2)


@pytest.mark.parametrize("how", ["ends", "is killed"])
def test_a_run_ends_with_the_server(serve: Serve, how: str) -> None:
    import http.cookiejar
    import signal
    import urllib.parse
    import urllib.request

    with socket.socket() as free:  # of several servers that begin at once two may choose the same one
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    served = serve("--port", str(port))
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    opener.open(served.sign_in_url).read()
    url = urllib.parse.urljoin(served.search_url, BENCH)
    page = opener.open(url).read().decode()
    token = re.search(r'name="csrftoken" value="([^"]*)"', page)
    fields = urllib.parse.urlencode({"do": "begin", "csrftoken": token[1] if token else "", **LONG}).encode()
    opener.open(urllib.request.Request(url, fields, {"Sec-Fetch-Site": "same-origin"})).read()
    home = surroundings.home()
    deadline = time.monotonic() + WAIT_S
    while not left() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(left()) == 1 and scratch.running(home) is not None
    if how == "ends":
        served.end()
    else:
        served.process.send_signal(signal.SIGKILL)
        served.process.wait()
    while (left() or scratch.running(home)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left() == [] and scratch.running(home) is None
