"""Days as databases of Datasette, mounted when a URL asks for them."""

import asyncio
import os
import shutil
import sqlite3
from typing import Any

import pytest

from datasette_eyelet import instance
from eyelet_ingest import tokens
from eyelet_ingest.store import layout
from eyelet_ingest.store.layout import PartitionKey, key_for

# The site and the recorder are fixtures of tests/web/conftest.py.
Site = Any
Record = Any
DAY_US = 86_400_000_000
ROOT_ACTOR = {"id": "root"}
BOB = {"id": "bob"}


def name_of(us: int, context: str = "default") -> str:
    return key_for(context, us).mount_name


async def test_a_day_is_a_database_for_whoever_asks_for_it(site: Site, record: Record, noon_us: int) -> None:
    (event_id,) = record(noon_us, tool_name="Bash")
    name = name_of(noon_us)
    paths = (f"/{name}", f"/{name}/hooks", f"/{name}/hooks.csv", f"/{name}/hooks/{event_id}", f"/{name}?sql=select+1")
    for path in paths:
        answer = await site.get(path)
        assert answer.status_code in (200, 302), f"{path}: {answer.text}"
    rows = (await site.json(f"/{name}/hooks.json?_shape=objects&tool_name=Bash"))["rows"]
    assert [row["id"] for row in rows] == [event_id]


async def test_the_database_page_lists_the_tables_of_the_day(site: Site, record: Record, noon_us: int) -> None:
    record(noon_us)
    page = await site.get(f"/{name_of(noon_us)}")
    assert f'href="/{name_of(noon_us)}/hooks"' in page.text


async def test_no_page_lists_days_that_others_read(site: Site, record: Record, noon_us: int) -> None:
    record(noon_us)
    name = name_of(noon_us)
    assert (await site.get(f"/{name}")).status_code == 200
    for path in ("/-/databases.json", "/.json"):
        assert name not in (await site.get(path)).text
    assert name not in site.datasette.databases


async def test_a_day_that_was_never_recorded_is_a_clear_404(site: Site) -> None:
    answer = await site.get("/default-2026-079")
    assert answer.status_code == 404
    assert "nothing is recorded for 2026-03-20" in answer.text
    assert 'href="/-/eyelet/days">All days<' in answer.text
    as_json = await site.get("/default-2026-079/hooks.json")
    assert as_json.status_code == 404 and as_json.json()["ok"] is False


async def test_a_broken_day_is_a_clear_503_and_hinders_no_other_page(
    site: Site, record: Record, root: str, noon_us: int
) -> None:
    record(noon_us, noon_us - DAY_US)
    path = layout.db_path(root, key_for("default", noon_us))
    for end in ("-wal", "-shm"):
        if os.path.exists(path + end):
            os.unlink(path + end)
    with open(path, "r+b") as file:
        file.write(b"not a database" * 100)
    answer = await site.get(f"/{name_of(noon_us)}/hooks")
    assert answer.status_code == 503
    assert "cannot be read" in answer.text
    for other in ("/", f"/{name_of(noon_us - DAY_US)}/hooks"):
        assert (await site.get(other)).status_code == 200


async def test_a_day_that_breaks_inside_is_a_clear_503(site: Site, record: Record, root: str, noon_us: int) -> None:
    """The head of the file is good, the pages behind it are not."""
    record(*range(noon_us, noon_us + 200))
    path = layout.db_path(root, key_for("default", noon_us))
    with sqlite3.connect(path) as conn:
        conn.execute("pragma wal_checkpoint(truncate)")
    conn.close()
    size = os.path.getsize(path)
    with open(path, "r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * (size - 8192))
    answer = await site.get(f"/{name_of(noon_us)}/hooks")
    assert answer.status_code == 503, answer.text[:500]


async def test_an_empty_file_in_the_place_of_a_day_is_a_clear_503(
    site: Site, record: Record, root: str, noon_us: int
) -> None:
    """As it is for a moment while a day is made, and for good where it was cut off."""
    record(noon_us)
    path = layout.db_path(root, key_for("default", noon_us))
    for end in ("-wal", "-shm"):
        if os.path.exists(path + end):
            os.unlink(path + end)
    os.truncate(path, 0)
    for rest in ("", "/hooks", f"/hooks/{noon_us}", ".json"):
        answer = await site.get(f"/{name_of(noon_us)}{rest}")
        assert answer.status_code == 503 and "it is empty" in answer.text


async def test_a_removed_day_is_gone_at_once_and_one_made_anew_shows_its_own_rows(
    site: Site, record: Record, root: str, noon_us: int
) -> None:
    name, folder = name_of(noon_us), layout.partition_dir(root, key_for("default", noon_us))
    record(noon_us)
    assert len((await site.json(f"/{name}/hooks.json?_shape=objects"))["rows"]) == 1
    shutil.rmtree(folder)
    assert (await site.get(f"/{name}/hooks")).status_code == 404
    record(noon_us + 5, noon_us + 7)
    rows = (await site.json(f"/{name}/hooks.json?_shape=objects"))["rows"]
    assert sorted(row["id"] for row in rows) == [noon_us + 5, noon_us + 7]


async def test_rows_recorded_after_the_mount_are_there(site: Site, record: Record, noon_us: int) -> None:
    for count in (1, 2, 3):
        record(noon_us + count)
        assert len((await site.json(f"/{name_of(noon_us)}/hooks.json?_shape=objects"))["rows"]) == count


async def test_mounts_and_connections_stay_bounded(open_site: Any, record: Record, noon_us: int) -> None:
    site = await open_site(max_mounted_days=5, max_open_files=4)
    times = [noon_us - count * DAY_US for count in range(20)]
    record(*times)
    for us in times + times:
        assert (await site.get(f"/{name_of(us)}/hooks")).status_code == 200
    days = instance.of(site.datasette).days
    assert len(days.mounted) == 5
    assert days.handles.opened <= 4


async def test_many_requests_at_once_each_see_their_own_day(open_site: Any, record: Record, noon_us: int) -> None:
    site = await open_site(max_mounted_days=3, max_open_files=3)
    times = [noon_us - count * DAY_US for count in range(12)]
    record(*times)

    async def ids(us: int) -> list[int]:
        return [row["id"] for row in (await site.json(f"/{name_of(us)}/hooks.json?_shape=objects"))["rows"]]

    assert await asyncio.gather(*(ids(us) for us in times * 3)) == [[us] for us in times * 3]


async def test_a_stranger_is_refused_before_anything_is_opened(site: Site, record: Record, noon_us: int) -> None:
    record(noon_us)
    name = name_of(noon_us)
    there = await site.get(f"/{name}/hooks", actor=None)
    not_there = await site.get("/default-2001-001/hooks", actor=None)
    assert there.status_code == not_there.status_code == 403
    assert instance.of(site.datasette).days.handles.opened == 0
    assert (await site.get(f"/{name}", actor=BOB)).status_code == 403


async def test_a_context_is_granted_alone(open_site: Any, record: Record, noon_us: int) -> None:
    site = await open_site(contexts={"mine": {"allow": {"id": "bob"}}})
    record(noon_us, context="mine")
    record(noon_us, context="elsewhere")
    assert (await site.get(f"/{name_of(noon_us, 'mine')}/hooks", actor=BOB)).status_code == 200
    assert (await site.get(f"/{name_of(noon_us, 'elsewhere')}/hooks", actor=BOB)).status_code == 403
    found = (await site.get("/-/eyelet.json?range=all", actor=BOB)).json()
    assert [row["context_name"] for row in found["rows"]] == ["mine"]
    assert found["partitions"] == {"scanned": 1, "skipped": 0, "unreadable": []}
    named = (await site.get("/-/eyelet.json?range=all&context=elsewhere", actor=BOB)).json()
    assert named["rows"] == [] and named["partitions"]["skipped"] == 1
    assert (await site.get(f"/-/eyelet/event/elsewhere/{noon_us}.json", actor=BOB)).status_code == 404
    page = await site.get("/-/eyelet?range=all", actor=BOB)
    assert page.status_code == 200 and "elsewhere" not in page.text


async def test_a_query_of_somebodys_that_fails_is_not_printed(
    site: Site, record: Record, noon_us: int, capfd: pytest.CaptureFixture[str]
) -> None:
    record(noon_us)
    answer = await site.get(f"/{name_of(noon_us)}/hooks.json?_where=nowhere='a-secret'")
    assert answer.status_code in (400, 500) and "nowhere" in answer.text
    said = capfd.readouterr()
    assert "a-secret" not in said.out + said.err


async def test_a_token_sees_its_contexts_on_every_page_and_no_other(
    site: Site, record: Record, root: str, noon_us: int
) -> None:
    record(noon_us, context="mine")
    record(noon_us, context="other")
    said, _ = tokens.create(root, "reader", ["mine"], ["view"])
    headers = {"authorization": f"Bearer {said}"}

    async def status(path: str) -> int:
        return int((await site.datasette.client.get(path, headers=headers)).status_code)

    found = (await site.datasette.client.get("/-/eyelet.json?range=all", headers=headers)).json()
    assert [row["context_name"] for row in found["rows"]] == ["mine"]
    assert await status(f"/{name_of(noon_us, 'mine')}/hooks.json") == 200
    assert await status(f"/{name_of(noon_us, 'other')}/hooks.json") == 403
    assert await status("/eyelet") == 403
    tokens.revoke(root, "reader")
    assert await status(f"/{name_of(noon_us, 'mine')}/hooks.json") in (401, 403)


@pytest.mark.parametrize("spelling", ["default~2D{rest}", "~64efault-{rest}"])
async def test_a_name_spelt_otherwise_leads_to_its_one_address(
    site: Site, record: Record, noon_us: int, spelling: str
) -> None:
    record(noon_us)
    name = name_of(noon_us)
    spelt = spelling.format(rest=name.removeprefix("default-"))
    answer = await site.get(f"/{spelt}/hooks?_size=1")
    assert answer.status_code == 302
    assert answer.headers["location"] == f"/{name}/hooks?_size=1"
    assert (await site.get(f"/{spelt}/hooks", actor=None)).status_code == 403


async def test_the_download_is_a_whole_copy_with_what_the_wal_holds(
    site: Site, record: Record, noon_us: int, tmp_path: Any, root: str
) -> None:
    record(noon_us, noon_us + 1)
    before = sorted(os.listdir(layout.partition_dir(root, key_for("default", noon_us))))
    answer = await site.get(f"/{name_of(noon_us)}.db")
    assert answer.status_code == 200
    (tmp_path / "copy.db").write_bytes(answer.content)
    conn = sqlite3.connect(tmp_path / "copy.db")
    assert conn.execute("select count(*) from hooks").fetchone() == (2,)
    assert conn.execute("pragma integrity_check").fetchone() == ("ok",)
    conn.close()
    after = sorted(os.listdir(layout.partition_dir(root, key_for("default", noon_us))))
    assert [name for name in after if name.startswith(".copy")] == []
    assert set(before) <= set(after)
    assert (await site.get(f"/{name_of(noon_us)}.db", actor=BOB)).status_code == 403


async def test_no_download_where_the_site_allows_none(open_site: Any, record: Record, noon_us: int) -> None:
    site = await open_site(datasette={"settings": {"allow_download": False}})
    record(noon_us)
    assert (await site.get(f"/{name_of(noon_us)}.db")).status_code == 403


async def test_nothing_is_written_through_a_day(site: Site, record: Record, noon_us: int) -> None:
    record(noon_us)
    name = name_of(noon_us)
    cookie = "ds_actor=" + site.datasette.sign({"a": ROOT_ACTOR}, "actor")
    for path in (f"/{name}/hooks/-/insert", f"/{name}/hooks/-/drop", f"/{name}/hooks/{noon_us}/-/delete"):
        answer = await site.datasette.client.post(path, json={"rows": [{"id": 1}]}, headers={"cookie": cookie})
        assert answer.status_code in (400, 403, 404, 405), f"{path}: {answer.status_code}"
    assert len((await site.json(f"/{name}/hooks.json?_shape=objects"))["rows"]) == 1


async def test_a_file_of_ones_own_with_such_a_name_is_served_as_ever(
    open_site: Any, tmp_path: Any, record: Record, noon_us: int
) -> None:
    path = tmp_path / "photos-2026-079.db"
    conn = sqlite3.connect(path)
    conn.executescript("create table photo (id integer primary key); insert into photo values (1);")
    conn.close()
    site = await open_site(datasette={"files": [str(path)]})
    answer = await site.get("/photos-2026-079/photo.json?_shape=objects", actor=None)
    assert answer.status_code == 200 and answer.json()["rows"] == [{"id": 1}]
    assert "photos-2026-079" in (await site.get("/", actor=None)).text


def test_a_mount_name_is_read_from_the_right() -> None:
    assert layout.key_from_mount_name("a-2026-b-2026-079") == PartitionKey("a-2026-b", 2026, 79)


async def test_the_menu_and_the_search_lead_to_all_days(site: Site, record: Record, noon_us: int) -> None:
    for recorded in (False, True):
        if recorded:
            record(noon_us)
        page = (await site.get("/-/eyelet")).text
        assert 'href="/-/eyelet/days">Eyelet: days<' in page
        assert 'href="/-/eyelet/days">calendar<' in page
    assert 'href="/-/eyelet/days">calendar<' in (await site.get("/-/eyelet?range=never")).text
    assert "/-/eyelet/days" not in (await site.get("/", None)).text


async def test_what_days_cannot_be_meant_is_not_called_a_search(site: Site) -> None:
    answer = await site.get("/-/eyelet/days?yeer=2026")
    assert answer.status_code == 400
    assert "That cannot be understood" in answer.text and "yeer" in answer.text


async def test_who_is_signed_in_is_not_told_to_sign_in(site: Site, record: Record, noon_us: int) -> None:
    record(noon_us)
    refused = await site.get(f"/{name_of(noon_us)}", BOB)
    assert refused.status_code == 403
    assert "You may not see this" in refused.text and "Sign in to see" not in refused.text
    assert "Sign in to see" in (await site.get(f"/{name_of(noon_us)}", None)).text
