"""More days than a process may have files open: all are served, and what stays open does not grow with them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from datasette.app import Datasette

from datasette_eyelet import instance
from eyelet_ingest.store import layout
from eyelet_ingest.store.handles import MAX_OPEN
from eyelet_ingest.store.layout import DAY_US

DAYS = 60
OPEN_FILES = 128
QUERY = "/-/query?sql=select+1" if hasattr(Datasette, "allowed") else "?sql=select+1"

RunDatasette = Callable[..., Any]


@pytest.fixture
def mount_names(record: Any, noon_us: int) -> list[tuple[str, int]]:
    """DAYS days of one event, as mount name and the event's id."""
    made = []
    for number in range(DAYS):
        context = ("default", "work")[number % 2]
        (event_id,) = record(noon_us - number * DAY_US, context=context)
        made.append((layout.key_for(context, event_id).mount_name, event_id))
    return made


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files in /proc")
def test_more_days_than_open_files_are_all_served_and_what_stays_open_is_bounded(
    run_datasette: RunDatasette, mount_names: list[tuple[str, int]]
) -> None:
    server = run_datasette(open_files=OPEN_FILES)
    client = server.client()
    assert client.get("/")[0] == 200
    at_first, most = server.open_files, 0
    for name, event_id in mount_names:
        for rest in ("", ".json", "/hooks", f"/hooks/{event_id}", "/hooks.json", QUERY):
            status, text = client.get(f"/{name}{rest}")
            assert status == 200, (name, rest, status, text[:500])
        most = max(most, server.open_files)
    # Each connection has a database, its -wal and its -shm; each of Datasette's three threads may be opening one as we
    # count, and SQLite keeps the files of one just closed while another reads the same day.
    assert most - at_first <= 3 * (MAX_OPEN + 2 * 3), "what stays open grows with the days visited"
    for path in ("/", "/-/eyelet?range=all"):
        status, text = client.get(path)
        assert status == 200, (path, status, text[:500], server.open_files, server.said[-2_000:])


def test_days_once_visited_weigh_on_no_list_of_databases(
    run_datasette: RunDatasette, mount_names: list[tuple[str, int]]
) -> None:
    client = run_datasette().client()
    for name, _ in mount_names[:20]:
        assert client.get(f"/{name}")[0] == 200
    for path in ("/.json", "/-/databases.json"):  # `/` has the calendar
        status, text = client.get(path)
        assert status == 200
        assert not [name for name, _ in mount_names if name in text], path


async def test_the_settings_bound_what_is_open_and_what_is_mounted(
    open_site: Any, mount_names: list[tuple[str, int]]
) -> None:
    site = await open_site(max_open_files=3, max_mounted_days=2)
    days = instance.of(site.datasette).days
    for _ in range(2):
        for name, event_id in mount_names[:12]:
            answer = await site.get(f"/{name}/hooks/{event_id}.json?_shape=objects")
            assert answer.status_code == 200 and str(event_id) in answer.text
            assert days.handles.opened <= 3
            assert len(days.mounted) <= 2
