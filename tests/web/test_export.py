"""The whole result of a search as a file, and the SQL that finds the same."""

import asyncio
import csv
import io
import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from datasette_eyelet.api import door, export
from eyelet_ingest.store import audit, layout, text_answers

DAY_US = 86_400_000_000


async def rows_of(site: Any, kind: str, query: str) -> list[dict[str, Any]]:
    """What an export holds, in the order of the file."""
    answer = await site.get(f"/-/eyelet/export.{kind}?{query}")
    assert answer.status_code == 200
    assert answer.headers["content-disposition"].endswith(f'.{kind}"')
    if kind == "csv":
        return [*csv.DictReader(io.StringIO(answer.text))]
    if kind == "json":
        found = answer.json()
        assert found["ok"] and found["export"] == {"events": len(found["rows"]), "complete": True, "unreadable": []}
        return found["rows"]
    *lines, end = map(json.loads, answer.text.splitlines())
    assert end == {"export": {"events": len(lines), "complete": True, "unreadable": []}}
    return lines


@pytest.mark.parametrize("kind", ["csv", "json", "jsonl"])
async def test_an_export_holds_all_that_the_search_finds(
    kind: str, site: Any, record: Any, noon_us: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "PIECE_EVENTS", 3)
    wanted = record(*(noon_us + n for n in range(8)), tool_name="Bash", data='{"a":\n "git push"}')
    record(noon_us + 20, tool_name="Read", data='{"a": "git push"}')
    record(noon_us - 9 * DAY_US, tool_name="Bash", data='{"a": "git push"}')
    for query in (
        "range=7d&tool=Bash",
        "range=7d&-tool=Read",
        "range=7d&q=tool:Bash+push",
        "range=7d&tool=Bash&_size=2",
    ):
        found = await rows_of(site, kind, query)
        assert [int(row["id"]) for row in found] == wanted, query
    data = found[0]["data"]
    assert (json.loads(data) if kind == "csv" else data) == {"a": "git push"}


async def test_a_cell_that_begins_like_a_formula_is_quoted(site: Any, record: Any, noon_us: int) -> None:
    names = ["=1+1", " +cmd|x", "@SUM(1)", "-2", "＝1", "plain", 'a "b", c\nd']
    for n, name in enumerate(names):
        record(noon_us + n, tool_name=name)
    found = [row["tool_name"] for row in await rows_of(site, "csv", "range=7d")]
    assert found == ["'=1+1", "' +cmd|x", "'@SUM(1)", "'-2", "'＝1", "plain", 'a "b", c\nd']
    assert [row["tool_name"] for row in await rows_of(site, "json", "range=7d")] == names


async def test_an_export_without_a_range_is_of_the_day_that_the_page_shows(
    site: Any, record: Any, noon_us: int
) -> None:
    wanted = record(noon_us - 3 * DAY_US, noon_us - 3 * DAY_US + 1)
    assert [row["id"] for row in await rows_of(site, "jsonl", "")] == wanted


@pytest.mark.parametrize("kind", ["csv", "json", "jsonl"])
async def test_an_export_says_at_its_end_what_it_could_not_read(
    kind: str, site: Any, record: Any, root: str, noon_us: int
) -> None:
    record(noon_us)
    (bad,) = record(noon_us - DAY_US)
    Path(layout.db_path(root, layout.key_for("default", bad))).write_bytes(b"this is no database" * 500)
    body = (await site.get(f"/-/eyelet/export.{kind}?range=all")).text
    day = layout.key_for("default", bad).date
    if kind == "csv":
        assert body.splitlines()[-1].startswith('"# this is not everything: ') and day in body.splitlines()[-1]
        return
    end = json.loads(body if kind == "json" else body.splitlines()[-1])["export"]
    assert (end["events"], end["complete"]) == (1, False) and end["unreadable"][0]["day"] == day


async def test_an_export_is_audited_without_what_was_typed(site: Any, record: Any, root: str, noon_us: int) -> None:
    record(noon_us, session_id="s-secret")
    await rows_of(site, "json", "range=7d&session=s-secret")
    end, begin = audit.lines(root)
    assert (begin.action, end.action) == ("export.begin", "export.end") and json.loads(end.what)["events"] == 1
    assert "s-secret" not in begin.what and "1 given" in begin.what


async def test_who_sees_one_context_exports_that_alone(open_site: Any, record: Any, noon_us: int) -> None:
    site = await open_site(contexts={"one": {"allow": {"id": "ann"}}})
    record(noon_us, context="two", tool_name="Secret")
    record(noon_us, context="one", tool_name="Mine")
    for query in ("range=all", "range=all&-context=one", "range=all&context=two", "range=all&q=context:two"):
        for kind in ("csv", "json", "jsonl"):
            told = (await site.get(f"/-/eyelet/export.{kind}?{query}", actor={"id": "ann"})).text
            assert "Secret" not in told and ("Mine" in told) == (query == "range=all"), (kind, query)
    for path in ("/-/eyelet/export.csv", "/-/eyelet/export.json", "/-/eyelet/sql", "/-/eyelet/sql.json"):
        assert (await site.get(path, actor=None)).status_code == 403
        assert (await site.get(path, actor={"id": "bob"})).status_code == 403


async def test_what_cannot_be_asked_is_said_before_the_file_begins(site: Any) -> None:
    for path in ("/-/eyelet/export.csv?sesion=1", "/-/eyelet/export.json?q=tol:x", "/-/eyelet/export.jsonl?-status=x"):
        answer = await site.get(path)
        assert answer.status_code == 400 and "content-disposition" not in answer.headers
    assert (await site.get("/-/eyelet/export.xml")).status_code == 404
    assert (await site.get("/-/eyelet/export.csv", method="HEAD")).text == ""


class Stuck:
    """A reader who takes the beginning of an answer and then nothing, and does not go away."""

    def __init__(self, takes: int) -> None:
        self.takes, self.said = takes, list[dict[str, Any]]()

    async def receive(self) -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError("it stays")

    async def send(self, message: dict[str, Any]) -> None:
        if len(self.said) == self.takes:
            await asyncio.Event().wait()
        self.said.append(message)


@pytest.mark.parametrize("takes", [1, 2, 3])
async def test_who_takes_nothing_for_long_gives_the_place_back(
    takes: int, site: Any, record: Any, root: str, noon_us: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There are two for everybody."""
    monkeypatch.setattr(export, "SEND_S", 0.05)
    record(noon_us)
    cookie = "ds_actor=" + site.datasette.sign({"a": {"id": "root"}}, "actor")
    path = "/-/eyelet/export.json"
    scope = {
        "type": "http", "http_version": "1.1", "method": "GET", "scheme": "http", "path": path,
        "raw_path": path.encode(), "query_string": b"range=all", "headers": [(b"cookie", cookie.encode())],
        "client": ("127.0.0.1", 1), "server": ("localhost", 80),
    }  # fmt: skip
    reader = Stuck(takes)
    await asyncio.wait_for(site.datasette.app()(scope, reader.receive, reader.send), 20)
    assert len(reader.said) == takes and reader.said[-1].get("more_body", True), "it has no end"
    assert site.datasette._eyelet_api_taken["export"] == 0
    assert audit.lines(root)[0].action == "export.end"


def test_a_piece_of_an_export_is_bounded_by_its_size_too() -> None:
    class Long:
        kind, content_type = "long", "text/plain"

        def begin(self) -> bytes:
            return b""

        def row(self, row: Any) -> bytes:
            return b"x" * 400_000

        def end(self, said: Any) -> bytes:
            return b""

    rows = iter([{"context_name": "c"}] * 4)
    pieces = [export._piece(rows, Long(), "/") for _ in range(2)]
    assert [(len(piece), last) for piece, last in pieces] == [(1_200_000, False), (400_000, True)]


@pytest.mark.parametrize("kind", ["csv", "json", "jsonl"])
async def test_a_file_is_nothing_that_a_page_may_run(kind: str, site: Any) -> None:
    headers = (await site.get(f"/-/eyelet/export.{kind}?range=all")).headers
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'; sandbox"
    assert headers["x-content-type-options"] == "nosniff" and headers["content-disposition"].startswith("attachment")


async def test_too_many_exports_at_once_are_told_to_wait(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(door.ROOM, "export", 0)
    answer = await site.get("/-/eyelet/export.csv?range=all")
    assert answer.status_code == 429 and answer.headers["retry-after"]


@pytest.mark.parametrize(
    "query",
    [
        "range=7d",
        "range=all&tool=Bash&tool=it%27s",
        "range=7d&-tool=Bash&-src=a.b.*&errors=1",
        "range=7d&q=" + "push+-force+tool:Bash",
        "range=7d&context=one&-type=Stop",
        "range=7d&-context=one&project=/home/me",
    ],
)
async def test_the_sql_of_a_search_finds_what_the_search_finds(
    query: str, site: Any, record: Any, noon_us: int
) -> None:
    for n, (tool, context, said) in enumerate(
        [("Bash", "one", "push"), ("Bash", "two", "push force"), ("it's", "one", ""), (None, "two", "push")]
    ):
        fields = {"tool_name": tool, "src": "a.b" if n % 2 else "a.c", "error": n % 2, "project_dir": "/home/me/x"}
        record(noon_us + n, context=context, data=json.dumps({"prompt": said}), **fields)
    wanted = [row["id"] for row in (await site.json(f"/-/eyelet.json?{query}"))["rows"]]
    told = await site.json(f"/-/eyelet/sql.json?{query}")
    answer = await site.json(told["url"].replace("?", ".json?", 1) + "&_shape=objects")
    assert [row["id"] for row in answer["rows"]] == wanted
    page = (await site.get(f"/-/eyelet/sql?{query}")).text
    assert "Run it in Datasette" in page and "order by id desc" in page


async def test_the_sql_of_a_text_asks_the_days_of_its_range_alone(
    site: Any, record: Any, noon_us: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in range(5):
        record(noon_us - day * DAY_US, data=json.dumps({"prompt": "push"}))
    asked: list[int] = []
    whole = text_answers.ids
    monkeypatch.setattr(text_answers, "ids", lambda *given: asked.append(1) or whole(*given))
    for span, days in ((f"from={day_before(noon_us, 1)}&to={day_before(noon_us, 1)}", 1), ("range=all", 5)):
        told = await site.json(f"/-/eyelet/sql.json?q=push&{span}")
        asked.clear()
        answer = await site.json(told["url"].replace("?", ".json?", 1) + "&_shape=objects")
        assert len(answer["rows"]) == days
        assert len(asked) == 2 * days, "twice, as the statement asks"
    for wrong in ("'push', 'x', 1.5", "'push', null, null", "null, 1, 2", "'push', 9e99, -9223372036854775808"):
        sql = urlencode({"sql": f"select eyelet_text({wrong})", "_shape": "arrays"})
        assert (await site.get(f"{told['url'].partition('?')[0]}.json?{sql}")).status_code == 200, wrong


def day_before(us: int, days: int) -> str:
    return datetime.fromtimestamp(us / 1e6 - days * 86_400, timezone.utc).strftime("%Y-%m-%d")


async def test_the_sql_quotes_whatever_is_asked_for(site: Any, record: Any, noon_us: int) -> None:
    hostile = "it's \"q\" ?:p -- \u202e';'"
    wanted = record(noon_us, tool_name=hostile)
    record(noon_us + 1, tool_name="Bash")
    told = await site.json(f"/-/eyelet/sql.json?{urlencode({'range': '7d', 'tool': hostile})}")
    answer = await site.json(told["url"].replace("?", ".json?", 1) + "&_shape=objects")
    assert [row["id"] for row in answer["rows"]] == wanted
    page = (await site.get(f"/-/eyelet/sql?{urlencode({'range': '7d', 'tool': '<script>' + hostile})}")).text
    assert "<script>it" not in page and "\u202e" not in page
