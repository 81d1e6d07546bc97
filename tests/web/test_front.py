"""The front page's entry, the page of all days and the database `eyelet`: every day, for those who may see it."""

import os
import re
import shutil
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from datasette.app import Datasette
from hypothesis import given
from hypothesis import strategies as st

from datasette_eyelet import calendar, front
from eyelet_ingest.store import layout
from eyelet_ingest.store.connect import driver
from eyelet_ingest.store.layout import DAY_US, PartitionKey

ALICE = {"id": "alice"}
ONE_CONTEXT = {"contexts": {"mine": {"allow": ALICE}}}

MakeDays = Callable[..., list[str]]


@pytest.fixture
def make_days(root: str) -> MakeDays:
    """Makes folders of days of a context, as many from this date on, and returns their mount names."""

    def made(context: str, first: str, days: int) -> list[str]:
        begin = date.fromisoformat(first)
        names = []
        for day in (begin + timedelta(days=number) for number in range(days)):
            key = PartitionKey(context, day.year, day.timetuple().tm_yday)
            os.makedirs(layout.partition_dir(root, key))
            names.append(key.mount_name)
        return names

    return made


def day_links(html: str) -> list[str]:
    """The mount names linked from calendars, in order."""
    return re.findall(r'<a href="/([a-z0-9_-]+-\d{4}-\d{3})"(?: class="c\d")?(?: aria-current="date")? title=', html)


def page_links(html: str) -> set[str]:
    return {unescape(url) for url in re.findall(r'href="(/-/eyelet/days[^"]*)"', html) if ".json" not in url}


def entry(html: str) -> str:
    """What stands on the front page before Datasette's own listing."""
    return html[html.index('<section class="eyelet-front"') :].split("<h2 style")[0].split("<footer")[0]


async def text(site: Any, path: str, actor: dict[str, str] | None = {"id": "root"}) -> str:  # noqa: B006
    answer = await site.get(path, actor)
    assert answer.status_code == 200, answer.text
    found: str = answer.text
    return found


async def test_every_day_of_every_context_is_linked_once(site: Any, make_days: MakeDays) -> None:
    names = make_days("default", "2025-11-20", 100) + make_days("work", "2024-02-01", 60)
    html = await text(site, "/")
    assert sorted(day_links(html)) == sorted(names)
    assert '<a href="/default-2026-001"' in html and 'title="2026-01-01" aria-label="2026-01-01">1</a>' in html
    assert "160 days in 2 contexts" in html
    assert "100 days, " in html and ">2025-11-20</a> to" in html


async def test_a_context_leads_to_its_search_and_the_entry_to_its_database(
    site: Any, record: Any, noon_us: int
) -> None:
    record(noon_us, context="work", hook_type="Stop")
    html = entry(await text(site, "/"))
    for path in ("/eyelet", "/-/eyelet?context=work", "/-/eyelet/days", "/-/eyelet"):
        assert f'href="{path}"' in html
        await text(site, path)
    await text(site, "/" + day_links(html)[0])


async def test_the_entry_stands_in_the_place_of_the_plain_listing(site: Any, make_days: MakeDays) -> None:
    make_days("default", "2026-03-20", 1)
    html = await text(site, "/")
    assert html.count('href="/eyelet"') == 1
    assert "partitions" not in html
    assert "_memory" in html
    assert re.search(r"<title>Datasette: eyelet, _memory", html)


async def test_who_may_see_nothing_sees_datasettes_own_page(site: Any, make_days: MakeDays) -> None:
    make_days("default", "2026-03-20", 3)
    for path in ("/", "/.json"):
        assert "eyelet" not in await text(site, path, None)
    for path in ("/eyelet", "/eyelet/partitions", "/eyelet/partitions.json", "/-/eyelet/days", "/-/eyelet/days.json"):
        answer = await site.get(path, None)
        assert answer.status_code == 403, path
        assert "default-2026" not in answer.text


async def test_who_may_see_one_context_sees_nothing_of_another(open_site: Any, make_days: MakeDays, root: str) -> None:
    site = await open_site(**ONE_CONTEXT)
    mine = make_days("mine", "2026-03-20", 3)
    make_days("theirs", "2025-05-05", 9)
    os.symlink("loop", os.path.join(root, "logs", "loop"))
    for asked in (ALICE, {"id": "root"}, ALICE):  # what one was shown is not kept for the other
        pages = [await text(site, path, asked) for path in ("/", "/-/eyelet/days", "/-/eyelet/days.json")]
        for html in pages:
            assert ("theirs" in html) == (asked != ALICE)
            assert ("loop" in html) == (asked != ALICE)
            assert "mine" in html
        if asked == ALICE:
            assert day_links(pages[0]) == mine
            assert 'href="/eyelet"' not in pages[0]
            assert "2025" not in pages[1]
    assert (await site.get("/eyelet/partitions.json", ALICE)).status_code == 403
    theirs = (await site.get("/-/eyelet/days.json?context=theirs", ALICE)).json()
    nowhere = (await site.get("/-/eyelet/days.json?context=nowhere", ALICE)).json()
    assert theirs == nowhere


async def test_new_days_appear_and_removed_ones_vanish(site: Any, make_days: MakeDays, root: str) -> None:
    make_days("default", "2026-03-20", 2)
    pages = ("/", "/-/eyelet/days", "/-/eyelet/days.json", "/eyelet/partitions.json")
    for path in pages:
        assert "default-2026-079" in await text(site, path)
    make_days("default", "2026-03-22", 1)
    make_days("fresh", "2026-03-22", 1)
    shutil.rmtree(os.path.join(root, "logs", "default", "2026", "079"))
    for path in pages:
        html = await text(site, path)
        assert "default-2026-079" not in html, path
        assert "default-2026-081" in html and "fresh-2026-081" in html, path


async def test_nothing_on_disk_breaks_the_front_page(site: Any, record: Any, noon_us: int, root: str) -> None:
    record(noon_us, hook_type="Stop")
    record(noon_us, context="torn", hook_type="Stop")
    key = layout.key_for("torn", noon_us)
    Path(layout.db_path(root, key)).write_bytes(b"\xff" * 8192)
    logs = Path(root, "logs")
    (logs / "file").write_text("not a folder")
    (logs / "default" / "1999").write_text("not a folder")
    (logs / "default" / "2020").mkdir()
    (logs / "default" / "2020" / "007").write_text("not a folder")
    (logs / "default" / "2021").symlink_to("2021")
    (logs / "loop").symlink_to("loop")
    (logs / "Bad Name <script>").mkdir()
    html = entry(await text(site, "/"))
    assert key.mount_name in html and layout.key_for("default", noon_us).mount_name in html
    assert "<code>loop</code>" in html and "<code>default/2021</code>" in html
    assert "Bad Name" not in html
    assert (await site.get("/default-2020-007")).status_code == 404
    assert (await site.get(f"/{key.mount_name}")).status_code == 503
    days = await site.json("/-/eyelet/days.json")
    assert [(bad["context"], bad["year"]) for bad in days["unreadable"]] == [("default", 2021), ("loop", None)]
    assert "<code>loop</code>" in await text(site, "/-/eyelet/days")
    await text(site, "/.json")
    await text(site, "/eyelet/partitions")


async def test_a_root_that_is_a_file_is_said_and_breaks_nothing(open_site: Any, tmp_path: Path) -> None:
    wrong = tmp_path / "file"
    wrong.write_text("")
    site = await open_site(root=str(wrong))
    assert "it is a file, not a folder" in entry(await text(site, "/"))
    await text(site, "/.json")
    assert (await site.json("/eyelet/partitions.json"))["rows"] == []
    assert (await site.get("/-/eyelet/days")).status_code == 503


async def test_an_empty_root_says_how_to_begin(site: Any) -> None:
    assert "Nothing is recorded yet" in entry(await text(site, "/"))
    assert "Nothing is recorded yet" in await text(site, "/-/eyelet/days")


async def test_however_many_days_the_page_stays_small_and_leads_to_each(site: Any, make_days: MakeDays) -> None:
    names = [
        name
        for context in ("a", "b", "c")
        for year in range(2001, 2026)
        for name in make_days(context, f"{year}-03-20", 50)
    ]
    html = await text(site, "/")
    assert len(html) < 250_000
    found = set(day_links(html))
    assert 1_000 < len(found) <= front.INLINE_DAYS
    seen: set[str] = set()
    waiting = page_links(html)
    while waiting:
        path = waiting.pop()
        seen.add(path)
        html = await text(site, path)
        found.update(day_links(html))
        waiting |= page_links(html) - seen
    assert found == set(names)


async def test_many_contexts_are_bounded_too(site: Any, make_days: MakeDays) -> None:
    for number in range(front.INLINE_CONTEXTS + 50):
        make_days(f"c{number}", "2026-03-20", 1)
    html = await text(site, "/")
    assert len(day_links(html)) == front.INLINE_CONTEXTS
    assert "50 more contexts" in html
    assert len(day_links(await text(site, "/-/eyelet/days"))) == front.INLINE_CONTEXTS + 50


async def test_the_calendar_is_made_once_for_each_state(
    site: Any, make_days: MakeDays, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_days("default", "2026-03-20", 5)
    made: list[int] = []
    months = calendar.months

    def counted(keys: Any) -> Any:
        made.append(len(keys))
        return months(keys)

    monkeypatch.setattr(calendar, "months", counted)
    pages = [await text(site, "/") for _ in range(3)]
    assert made == [5]
    assert entry(pages[0]) == entry(pages[2])
    make_days("default", "2026-03-25", 1)
    await text(site, "/")
    assert made == [5, 6]


async def test_today_is_marked(site: Any, make_days: MakeDays, now_us: int) -> None:
    today = layout.key_for("default", now_us)
    [_, name] = make_days("default", layout.key_for("default", now_us - DAY_US).date, 2)
    assert name == today.mount_name
    for path in ("/", "/-/eyelet/days"):
        marked = re.findall(r'<a href="/([^"]+)"[^>]* aria-current="date"', await text(site, path))
        assert marked == [name]


async def test_the_entry_brings_no_script_and_no_style(site: Any, make_days: MakeDays) -> None:
    make_days("default", "2026-03-20", 5)
    html = entry(await text(site, "/"))
    assert "<script" not in html and "<style" not in html
    assert not re.search(r"\s(?:style|on\w+)=", html)
    answer = await site.get("/-/eyelet/days")
    assert " style=" not in answer.text
    assert "style-src 'self'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("base_url", ["/", "/logs/"])
async def test_links_know_where_the_site_begins(open_site: Any, make_days: MakeDays, base_url: str) -> None:
    site = await open_site(datasette={"settings": {"base_url": base_url}})
    make_days("default", "2026-03-20", 1)
    html = await text(site, "/")
    for path in ("default-2026-079", "-/eyelet/days", "eyelet"):
        assert f'href="{base_url}{path}"' in html
    assert f'href="{base_url}default-2026-079"' in await text(site, "/eyelet/partitions")


# The page of all days


async def test_days_are_listed_newest_first_and_paged(site: Any, make_days: MakeDays) -> None:
    names = make_days("default", "2025-12-01", 60)
    found: list[str] = []
    cursor = ""
    while cursor is not None:
        answer = await site.json(f"/-/eyelet/days.json?_size=25&_next={cursor}")
        found += [day["database"] for day in answer["days"]]
        cursor = answer["next"]
    assert found == names[::-1]
    assert answer["contexts"] == [
        {"context": "default", "days": 60, "first": "2025-12-01", "newest": "2026-01-29"},
    ]
    assert answer["days"][-1] == {"context": "default", "date": "2025-12-01", "database": "default-2025-335"}


async def test_days_are_narrowed_by_context_and_year(site: Any, make_days: MakeDays) -> None:
    make_days("default", "2025-12-30", 4)
    made = make_days("work", "2025-12-30", 4)
    answer = await site.json("/-/eyelet/days.json?context=work&year=2026")
    assert [day["database"] for day in answer["days"]] == made[:1:-1]
    html = await text(site, "/-/eyelet/days?context=work&year=2026")
    assert day_links(html) == made[2:]
    assert '<a href="/-/eyelet/days?context=work&amp;year=2026" aria-current="true">2026' in html
    both = await site.json("/-/eyelet/days.json?context=work&context=default")
    assert len(both["days"]) == 8


@pytest.mark.parametrize(
    "query", ["year=26", "year=20x6", "_size=0", "_size=1001", "_size=x", "_next=nonsense", "contxt=a", "range=today"]
)
async def test_what_cannot_be_meant_is_refused_with_its_reason(site: Any, query: str) -> None:
    assert (await site.get(f"/-/eyelet/days?{query}")).status_code == 400
    answer = await site.get(f"/-/eyelet/days.json?{query}")
    assert answer.status_code == 400
    assert query.split("=")[0] in answer.json()["error"]


async def test_what_an_address_says_is_escaped(site: Any, make_days: MakeDays) -> None:
    make_days("default", "2026-03-20", 1)
    html = await text(site, "/-/eyelet/days?context=%3Cb%3E%E2%80%AEx")
    assert "<b>" not in html.split("eyelet-days")[1].replace("<b>Mar</b>", "")
    assert "\u202e" not in html
    assert "No day is recorded there" in html


# The database


async def test_the_table_of_partitions_is_the_catalog(site: Any, make_days: MakeDays) -> None:
    names = make_days("default", "2025-12-30", 4) + make_days("work", "2026-03-20", 2)
    answer = await site.json("/eyelet/partitions.json?_shape=objects&_size=max")
    assert [row["database"] for row in answer["rows"]] == names[::-1]
    key = layout.key_from_mount_name("work-2026-080")
    assert key is not None
    assert answer["rows"][0] == {
        "context_name": "work",
        "date": "2026-03-21",
        "year": 2026,
        "day": 80,
        "database": "work-2026-080",
        "start_us": key.bounds_us[0],
        "end_us": key.bounds_us[1],
        "bytes": None,
        "sealed": 0,
    }
    html = await text(site, "/eyelet/partitions")
    assert '<a href="/work-2026-080">work-2026-080</a>' in html
    await text(site, "/eyelet/partitions/work,2026-03-21")
    await text(site, "/eyelet")


async def test_the_database_is_listed_with_its_table(site: Any, make_days: MakeDays) -> None:
    make_days("default", "2026-03-20", 4)
    listed = await site.json("/.json")
    databases = listed.get("databases") or list(listed.values())
    [ours] = [database for database in databases if isinstance(database, dict) and database.get("name") == "eyelet"]
    counts = {table["name"]: table.get("count") for table in ours["tables_and_views_truncated"]}
    assert counts["partitions"] == 4
    assert "hooks" in counts
    assert not {"eyelet_calls", "eyelet_values"} & set(counts)


async def test_nobody_writes_the_database(site: Any, make_days: MakeDays) -> None:
    make_days("default", "2026-03-20", 1)
    database = site.datasette.get_database("eyelet")
    for sql in ("delete from partitions", "drop table partitions", "create table t(a)"):
        with pytest.raises(driver().OperationalError, match="readonly"):
            await database.execute(sql)
    assert len((await site.json("/eyelet/partitions.json"))["rows"]) == 1


async def test_a_file_of_the_users_called_eyelet_keeps_its_name(
    root: str, make_days: MakeDays, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_days("default", "2026-03-20", 1)
    path = tmp_path / "eyelet.db"
    conn = driver().connect(str(path))
    conn.execute("create table birds (id integer primary key, name text)")
    conn.close()
    site = Datasette([str(path)], metadata={"plugins": {"datasette-eyelet": {"root": root, "allow": True}}})
    await site.invoke_startup()
    assert "rename the file" in capsys.readouterr().err
    html = (await site.client.get("/")).text
    assert "birds" in html
    assert day_links(html) == ["default-2026-079"]
    assert 'href="/eyelet"' not in entry(html)
    assert "birds" in (await site.client.get("/eyelet")).text


# The arithmetic of calendars


@given(st.dictionaries(st.text("ab", min_size=1), st.integers(1, 500), max_size=30), st.integers(0, 2_000))
def test_shares_spend_the_budget_and_no_more(days: dict[str, int], budget: int) -> None:
    shown = calendar.shares(days, budget)
    assert all(0 <= shown[context] <= held for context, held in days.items())
    assert sum(shown.values()) == min(budget, sum(days.values()))


def dates(first: date, numbers: Iterable[int]) -> list[PartitionKey]:
    days = sorted(first + timedelta(days=number) for number in numbers)
    return [PartitionKey("c", day.year, day.timetuple().tm_yday) for day in days]


some_keys = st.builds(
    dates, st.dates(date(1970, 1, 1), date(2250, 1, 1)), st.sets(st.integers(0, 900), min_size=1, max_size=60)
)


@given(some_keys)
def test_every_day_stands_once_under_its_weekday(keys: list[PartitionKey]) -> None:
    found = []
    for month in calendar.months(keys):
        for number, day in enumerate(month.days, 1):
            if day is not None:
                assert day.number == number
                assert (month.column - 1 + number - 1) % 7 == date.fromisoformat(day.date).weekday()
                found.append(day.name)
    assert found == [key.mount_name for key in keys]


@given(some_keys, st.integers(1, 70))
def test_a_month_is_shown_whole_or_not_at_all_unless_it_is_all_there_is(keys: list[PartitionKey], newest: int) -> None:
    shown = list(calendar.whole_months(keys, newest))
    assert shown == keys[len(keys) - len(shown) :]
    assert 0 < len(shown) <= newest
    months = {key.date[:7] for key in shown}
    if len(months) > 1:
        assert {key for key in keys if key.date[:7] in months} == set(shown)
