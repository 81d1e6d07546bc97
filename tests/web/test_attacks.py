"""What was tried against days and the log API, and must not work: each test is one attack."""

from typing import Any

import pytest

from eyelet_ingest.store import layout

# The site and the recorder are fixtures of tests/web/conftest.py.
OpenSite = Any
Record = Any


def day_of(us: int, context: str = "default") -> str:
    return layout.key_for(context, us).mount_name


@pytest.mark.parametrize("threads", [0, 3])
async def test_no_day_is_attached_to_a_connection_that_others_ask(
    open_site: OpenSite, record: Record, noon_us: int, threads: int
) -> None:
    """Without threads the connection of `_memory` is made inside the first request, and that may be about a day."""
    record(noon_us)
    site = await open_site(datasette={"crossdb": True, "settings": {"num_sql_threads": threads}})
    assert (await site.get(f"/{day_of(noon_us)}/hooks")).status_code == 200
    for address in ("/_memory.json", "/_memory/-/query.json"):
        answer = await site.get(f"{address}?sql=select+*+from+pragma_database_list", actor=None)
        assert "logs.sqlite" not in answer.text
        answer = await site.get(f"{address}?sql=select+count(*)+from+[{day_of(noon_us)}].hooks", actor=None)
        assert answer.status_code != 200 or "rows" not in answer.text
