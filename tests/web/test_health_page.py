"""The pages of health: whom they are for, what they tell, what their buttons do; hostile text stays text."""

import json
import os
import re
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from datasette_eyelet import background, instance, navigation
from datasette_eyelet.pages import alive
from eyelet_ingest import settings, tokens
from eyelet_ingest.health import alerts, doctor, looking
from eyelet_ingest.health.finding import ERROR, OK, WARN, Finding
from eyelet_ingest.health.looking import Look
from eyelet_ingest.health.score import of
from eyelet_ingest.store import audit, connect, layout
from eyelet_ingest.store.layout import PartitionKey, key_for
from tests.web.conftest import OpenSite, Record, Site
from tests.web.test_background import Lifespan, until

HEALTH = "/-/eyelet/health"
ROOT, BOB, ALICE = {"id": "root"}, {"id": "bob"}, {"id": "alice"}
HOSTILE = "</script><script>alert(1)</script><b>\u202e\x1b[2J"


@pytest.fixture
def day(root: str, record: Record, noon_us: int) -> PartitionKey:
    """A day of `work` with two events, one of them failed; and one of `home`."""
    record(noon_us, context="work")
    record(noon_us + 1, context="work", status="error", error=1)
    record(noon_us, context="home")
    return key_for("work", noon_us)


def fire(root: str, *findings: Finding, now_us: int = 1_700_000_000_000_000) -> None:
    alerts.evaluate(root, findings, None, settings.of_files("", ""), now_us)


def path_of(key: PartitionKey) -> str:
    return f"{HEALTH}/day/{key.context}/{key.date}"


async def post(site: Site, path: str, actor: Any = ROOT, forged: bool = False, /, **fields: str) -> Any:
    """The form of a page, sent by a browser: of this site, or of another (`forged`)."""
    cookies = {} if actor is None else {"ds_actor": site.datasette.sign({"a": actor}, "actor")}
    page = await site.datasette.client.get("/-/eyelet/saved", cookies={**cookies, **_root(site)})
    token = re.search(r'name="csrftoken" value="([^"]*)"', page.text)
    cookies |= dict(page.cookies)
    given = {**fields, **({"csrftoken": token[1]} if token and not forged else {})}
    headers = {"sec-fetch-site": "cross-site" if forged else "same-origin"}
    return await site.datasette.client.post(path, data=given, cookies=cookies, headers=headers)


def _root(site: Site) -> dict[str, str]:
    return {"ds_actor": site.datasette.sign({"a": ROOT}, "actor")}


async def told(site: Site, answer: Any) -> str:
    """The page after a button."""
    assert answer.status_code == 302, answer.text
    cookies = {**_root(site), **dict(answer.cookies)}
    page = await site.datasette.client.get(answer.headers["location"], cookies=cookies)
    found = re.findall(r'<p class="message-\w+">(.*?)</p>', page.text, re.DOTALL)
    assert len(found) == 1, page.text
    return str(found[0])


# Who may


@pytest.mark.parametrize("path", [HEALTH, f"{HEALTH}.json", "/-/eyelet/metrics"])
async def test_nobody_and_who_administers_one_context_see_nothing(
    open_site: OpenSite, day: PartitionKey, path: str
) -> None:
    site = await open_site(contexts={"work": {"allow": BOB, "admin": BOB}}, allow=ALICE)
    for actor in (None, BOB, ALICE, {"id": "mallory"}):
        answer = await site.get(path, actor)
        assert answer.status_code == 403
        assert not any(word in answer.text for word in ("integrity", "# TYPE", "eyelet-area"))
    assert (await site.get(path)).status_code == 200


async def test_a_token_that_may_administer_reads_health_and_metrics_and_no_other_does(
    site: Site, root: str, day: PartitionKey
) -> None:
    for allow, status in ((("admin",), 200), (("view",), 403), (("write",), 403)):
        said, _ = tokens.create(root, f"t-{allow[0]}", allow=allow)
        for path in (f"{HEALTH}.json", "/-/eyelet/metrics"):
            answer = await site.datasette.client.get(path, headers={"authorization": f"Bearer {said}"})
            assert answer.status_code == status, (allow, path, answer.text)


async def test_a_day_is_for_who_may_see_its_context_and_its_buttons_for_who_administers_that(
    open_site: OpenSite, root: str, day: PartitionKey
) -> None:
    site = await open_site(contexts={"work": {"allow": {"id": ["bob", "alice"]}, "admin": BOB}})
    other = path_of(PartitionKey("home", day.year, day.day))
    for path in (path_of(day), f"{path_of(day)}.json"):
        assert (await site.get(path, ALICE)).status_code == 200
        assert (await site.get(path, None)).status_code == 403
    assert 'name="do"' not in (await site.get(path_of(day), ALICE)).text
    assert 'value="check-quick"' in (await site.get(path_of(day), BOB)).text
    assert (await post(site, path_of(day), ALICE, do="check-quick")).status_code == 403
    assert (await post(site, path_of(day), BOB, do="check-quick")).status_code == 302
    assert [line.who for line in audit.lines(root)] == ["bob"]
    for actor in (ALICE, BOB):
        ghost = await site.get(f"{HEALTH}/day/nowhere/{day.date}.json", actor)
        assert (await site.get(f"{other}.json", actor)).text == ghost.text
        assert (await site.get(other, actor)).status_code == 404
        assert (await post(site, other, actor, do="check-quick")).status_code == 404
    assert len(audit.lines(root)) == 1


async def test_who_may_only_see_a_day_is_not_told_where_the_root_is(
    open_site: OpenSite, root: str, day: PartitionKey
) -> None:
    site = await open_site(contexts={"work": {"allow": {"id": ["bob", "alice"]}, "admin": BOB}})
    with open(layout.db_path(root, day), "r+b") as file:
        file.write(b"garbage" * 100)
    assert (await site.get(HEALTH)).status_code == 200  # a look, whose findings the day's page shows
    for path in (path_of(day), f"{path_of(day)}.json"):
        seen, whole = [(await site.get(path, actor)).text for actor in (ALICE, BOB)]
        assert "cannot be read" in seen and root not in seen
        assert root in whole


async def test_forms_of_other_sites_and_of_who_may_not_change_nothing(
    open_site: OpenSite, root: str, day: PartitionKey
) -> None:
    site = await open_site(contexts={"work": {"allow": BOB, "admin": BOB}})
    fire(root, Finding(WARN, "so", name="wal"))
    for path, fields in ((HEALTH, {"do": "acknowledge", "name": "wal"}), (path_of(day), {"do": "seal"})):
        assert (await post(site, path, ROOT, True, **fields)).status_code == 403
        assert (await post(site, path, None, **fields)).status_code == 403
    assert (await post(site, HEALTH, BOB, do="acknowledge", name="wal")).status_code == 403
    assert audit.lines(root) == [] and alerts.current(root)[0].state == "firing"


async def test_the_bar_and_the_menu_lead_to_health_for_who_administers(open_site: OpenSite, day: PartitionKey) -> None:
    site = await open_site(allow=ALICE)
    (_, _, path), *_ = navigation.ADMINISTERED
    for actor, is_there in ((ROOT, True), (ALICE, False)):
        for page in ("/-/eyelet/days", "/-/eyelet/overview"):
            assert (f'href="{path}"' in (await site.get(page, actor)).text) is is_there


# What it tells


async def test_the_page_and_its_json_say_score_areas_findings_alerts_trends_and_days(
    site: Site, root: str, day: PartitionKey
) -> None:
    fire(root, Finding(ERROR, "a page is damaged", "eyelet restore", {"pages": 3}, name="integrity"))
    body = await site.json(f"{HEALTH}.json")
    assert body["ok"] is True and 0 <= body["score"] <= 100 and len(body["areas"]) == 6
    assert {one["check"] for one in body["findings"]} >= {"integrity", "disk", "wal"}
    assert set(body["findings"][0]) == {
        "check", "status", "message", "fix", "evidence", "context", "day", "repairable",
    }  # fmt: skip
    (alert,) = body["alerts"]
    assert (alert["name"], alert["level"], alert["state"], alert["evidence"]["pages"]) == (
        "integrity", "error", "firing", 3,
    )  # fmt: skip
    days = {(one["context"], one["day"]): one for one in body["days"]}
    assert (days["work", day.date]["events"], days["work", day.date]["errors"]) == (2, 1)
    assert days["work", day.date]["bytes"] == os.path.getsize(layout.db_path(root, day))
    page = (await site.get(HEALTH)).text
    assert f'aria-label="Score {body["score"]} of 100"' in page and page.count("eyelet-area ") == 6
    assert f'href="{path_of(day)}"' in page and "2 rows, 1 errors" in page
    assert "data-eyelet-command>eyelet restore</code>" in page


async def test_what_a_url_cannot_mean_is_said(site: Site, day: PartitionKey) -> None:
    for query in ("span=9y", "show=smell", "year=26", "nope=1"):
        assert (await site.get(f"{HEALTH}?{query}")).status_code == 400
    for query in ("span=7d&show=health", "show=rows&context=work", "show=errors&year=1999", "context=never"):
        assert (await site.get(f"{HEALTH}?{query}")).status_code == 200


async def test_the_day_says_its_figures(site: Site, root: str, day: PartitionKey) -> None:
    body = await site.json(f"{path_of(day)}.json")
    assert (body["events"], body["errors"], body["state"], body["damages"]) == (2, 1, "open", [])
    assert body["schema_version"] == body["schema_newest"] and body["pages"] > 0 and body["sealed_us"] is None
    for path in (f"{HEALTH}/day/work/2026-13-01", f"{HEALTH}/day/work/never", f"{HEALTH}/day/%2e%2e/{day.date}"):
        assert (await site.get(path)).status_code == 404


async def test_a_damaged_day_is_found_by_its_button_and_shown_on_the_calendar(
    site: Site, root: str, day: PartitionKey
) -> None:
    path = layout.db_path(root, day)
    conn = connect.open_writer(path)
    conn.execute("pragma wal_checkpoint(truncate)")
    pages = conn.execute("pragma page_count").fetchone()[0]
    (size,) = conn.execute("pragma page_size").fetchone()
    conn.close()
    with open(path, "r+b") as file:
        for page in range(2, pages):
            file.seek(page * size)
            file.write(b"\xff" * 64)
    said = await told(site, await post(site, path_of(day), do="check-full"))
    assert "damaged" in said or "cannot be read" in said
    body = await site.json(f"{HEALTH}.json")
    assert [one["status"] for one in body["days"] if one["context"] == "work"] == [ERROR]
    assert f'<a href="{path_of(day)}" class="eyelet-heat-error' in (await site.get(f"{HEALTH}?show=health")).text


async def test_hostile_messages_contexts_and_names_stay_text(site: Site, root: str, day: PartitionKey) -> None:
    fire(root, Finding(ERROR, HOSTILE, HOSTILE, {HOSTILE: HOSTILE}, name=HOSTILE))
    held = instance.of(site.datasette)
    found = (Finding(ERROR, HOSTILE, HOSTILE, name=HOSTILE, day=day), Finding(OK, HOSTILE, name=HOSTILE))
    look = Look(1, 1.0, found, of(found, (), {HOSTILE: "wal"}), {HOSTILE: HOSTILE}, 80, 50)
    held.health._look = (float("inf"), look)
    for path in (HEALTH, path_of(day), "/-/eyelet/days"):
        text = (await site.get(path)).text
        assert "<script>alert" not in text and "<b>\\" not in text and "\x1b" not in text and "\u202e" not in text
    answer = await post(site, HEALTH, do="acknowledge", name=HOSTILE)
    assert "<script>alert" not in await told(site, answer)
    assert "<script>" not in (await post(site, path_of(day), do=HOSTILE)).text.split("<main")[1].split("</main")[0]


async def test_the_banner_is_for_who_administers_and_counts_what_fires(
    open_site: OpenSite, root: str, day: PartitionKey
) -> None:
    fire(root, Finding(WARN, "the WAL is long", name="wal"), Finding(ERROR, "it is full", name="disk"))
    site = await open_site(allow=ALICE)
    page = (await site.get("/-/eyelet/days")).text
    assert 'class="eyelet-alarm eyelet-alarm-error"' in page and "2 alerts</a>" in page and "disk: it is full" in page
    assert "eyelet-alarm" not in (await site.get("/-/eyelet/days", ALICE)).text
    assert "eyelet-alarm" not in (await site.get("/-/eyelet/days", None)).text
    for name in ("wal", "disk"):
        await post(site, HEALTH, do="acknowledge", name=name)
    assert "eyelet-alarm" not in (await site.get("/-/eyelet/days")).text


# What its buttons do


async def test_acknowledging_is_told_audited_and_only_for_what_fires(site: Site, root: str, day: PartitionKey) -> None:
    fire(root, Finding(WARN, "so", name="wal"))
    assert "wal is acknowledged" in await told(site, await post(site, HEALTH, do="acknowledge", name="wal"))
    assert "acknowledged by <bdi>root</bdi>" in (await site.get(HEALTH)).text
    (line,) = audit.lines(root)
    assert (line.who, line.action) == ("root", "alert.acknowledge")
    assert (await post(site, HEALTH, do="acknowledge", name="nothing")).status_code == 400
    assert (await post(site, HEALTH, do="explode")).status_code == 400
    assert (await post(site, HEALTH, do="acknowledge", name="wal", more="1")).status_code == 400


async def test_a_finding_with_a_safe_repair_is_put_right_by_its_button(
    site: Site, root: str, day: PartitionKey
) -> None:
    path = layout.db_path(root, day)
    os.chmod(path, 0o644)
    page = (await site.get(HEALTH)).text
    form = re.search(r'name="name" value="modes">\s*<input type="hidden" name="about" value="([^"]*)"', page)
    assert form, page
    said = await told(site, await post(site, HEALTH, do="repair", name="modes", about=form[1]))
    assert said.startswith("modes: ")
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert [line.action for line in audit.lines(root)] == ["repair"]
    said = await told(site, await post(site, HEALTH, do="repair", name="modes", about=form[1]))
    assert "nothing to put right" in said


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"do": "check-quick"}, "is whole"),
        ({"do": "check-full"}, "is whole"),
        ({"do": "checkpoint", "mode": "passive"}, "Checkpoint passive: "),
        ({"do": "checkpoint", "mode": "full"}, "Checkpoint full: "),
        ({"do": "checkpoint", "mode": "restart"}, "Checkpoint restart: "),
        ({"do": "checkpoint", "mode": "truncate"}, "Checkpoint truncate: "),
        ({"do": "text"}, "holds all that arrived"),
        ({"do": "optimise"}, "The planner knows"),
        ({"do": "seal"}, "It is sealed"),
    ],
    ids=lambda value: value.strip(": ") if isinstance(value, str) else value["do"],
)
async def test_each_button_of_a_day_does_it_tells_it_and_is_audited(
    site: Site, root: str, day: PartitionKey, fields: dict[str, str], said: str
) -> None:
    conn = connect.open_writer(layout.db_path(root, day))  # who has it open keeps what is written in a WAL
    try:
        if fields["do"] == "checkpoint":
            conn.execute("create table theirs (x)")
        answer = await told(site, await post(site, path_of(day), **fields))
    finally:
        conn.close()
    if connect.may_checkpoint(connect.driver().sqlite_version):
        assert said in answer
    (line,) = audit.lines(root)
    what = json.loads(line.what)
    assert (line.who, line.action, what["days"]) == ("root", f"page.{fields['do']}", [day.mount_name])
    assert what.get("mode") == fields.get("mode")


async def test_a_button_that_there_is_not_does_nothing(site: Site, root: str, day: PartitionKey) -> None:
    for fields in ({"do": "drop"}, {"do": "checkpoint", "mode": "off"}, {"do": "seal", "x": "1"}, {}):
        assert (await post(site, path_of(day), **fields)).status_code == 400
    gone = path_of(PartitionKey("work", 2001, 1))
    assert (await post(site, gone, do="seal")).status_code == 404
    assert audit.lines(root) == []


async def test_a_sealed_day_that_is_analysed_is_sealed_again(site: Site, root: str, day: PartitionKey) -> None:
    await post(site, path_of(day), do="seal")
    await post(site, path_of(day), do="optimise")
    body = await site.json(f"{path_of(day)}.json")
    assert (body["state"], body["late"]) == ("sealed", 0)


# Alive


async def test_alive_says_yes_to_everybody_and_nothing_else(site: Site, root: str, day: PartitionKey) -> None:
    for actor in (ROOT, None):
        answer = await site.get("/-/eyelet/alive", actor)
        assert (answer.status_code, answer.text) == (200, '{"ok": true}')
    assert sorted(os.listdir(root)) == sorted(set(os.listdir(root)) - {"alive"})


async def test_alive_is_no_where_the_root_cannot_be_used(open_site: OpenSite, root: str, tmp_path: Path) -> None:
    Path(root).write_text("a file")
    answer = await (await open_site()).get("/-/eyelet/alive", None)
    assert (answer.status_code, answer.text) == (503, '{"ok": false}')
    assert alive.can_record(str(tmp_path / "not" / "yet")) is True
    assert alive.can_record("/proc/self/nowhere") is False


async def test_alive_does_not_wait_for_a_disk_that_does_not_answer(
    site: Site, day: PartitionKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    answers = threading.Event()
    asked: list[str] = []

    def hangs(root: str) -> bool:
        asked.append(root)
        return answers.wait(30)

    monkeypatch.setattr(alive, "can_record", hangs)
    monkeypatch.setattr(alive, "WAIT_S", 0.05)
    for _ in range(3):
        assert (await site.get("/-/eyelet/alive", None)).status_code == 503
    assert len(asked) == 1  # no thread after another
    answers.set()


async def test_figures_are_as_prometheus_reads_them(site: Site, root: str, day: PartitionKey) -> None:
    answer = await site.get("/-/eyelet/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "# TYPE eyelet_" in answer.text and answer.text.endswith("\n")
    assert "no-store" in answer.headers["cache-control"]


# By itself


async def test_a_server_looks_by_itself_and_alerts(
    open_site: OpenSite, root: str, day: PartitionKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "HEALTH_FIRST_S", 0.02)
    os.chmod(layout.db_path(root, day), 0o666)
    site = await open_site()
    async with Lifespan(site.datasette.app()):
        await until(lambda: any(one.name == "modes" for one in alerts.current(root)))
        await until(lambda: instance.of(site.datasette).health._alerts[0] < 0)
        assert "eyelet-alarm" in (await site.get("/-/eyelet/days")).text
    assert [one.title for one in _trends(root)][:1] == ["Score"]


def _trends(root: str) -> list[Any]:
    from datasette_eyelet.pages.health import trends

    now_us = int(datetime.now(timezone.utc).timestamp() * 1e6)
    return trends(root, "6h", now_us)


async def test_many_pages_cost_one_look(site: Site, day: PartitionKey, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[None] = []
    quick: Callable[..., Look] = looking.quick

    def counted(*given: Any) -> Look:
        looks.append(None)
        return quick(*given)

    monkeypatch.setattr(looking, "quick", counted)
    for _ in range(5):
        assert (await site.get(HEALTH)).status_code == 200
    assert len(looks) == 1


async def test_a_root_that_cannot_be_used_is_said(open_site: OpenSite, root: str) -> None:
    Path(root).write_text("a file")
    answer = await (await open_site()).get(HEALTH)
    assert answer.status_code == 503 and "not a folder" in answer.text


async def test_a_round_sees_that_a_costly_check_is_well_again(site: Site, root: str, day: PartitionKey) -> None:
    """A quick look leaves it out: its alert would stay for ever."""
    checks = doctor.checks()
    assert checks["completeness"].is_costly
    fire(root, Finding(ERROR, "calls are missed", name="completeness"))
    held = instance.of(site.datasette)
    held.health.evaluate()
    (one,) = [one for one in alerts.current(root) if one.name == "completeness"]
    assert one.eased_us is not None
