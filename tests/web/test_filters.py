"""What is left out, and fields named in the box, in the page, the JSON, the API and the tables of Datasette."""

import html
import json
from typing import Any
from urllib.parse import urlencode

import pytest

from datasette_eyelet.links import Links
from datasette_eyelet.query import parse
from eyelet_ingest.store.select import Filter

TOOLS = ("Bash", "Edit", None, "Bash")


@pytest.fixture
def ids(record: Any, noon_us: int) -> list[int]:
    """Events of Bash, Edit, none and Bash, in two contexts; the last one failed in another project."""
    found: list[int] = []
    for n, tool in enumerate(TOOLS):
        fields = {
            "tool_name": tool,
            "hook_type": "PostToolUse" if tool else "Stop",
            "src": f"claude.{str(tool).lower()}",
        }
        last = {"error": 1, "status": "error", "loglevel": "error", "project_dir": "/w/shop/x"} if n == 3 else {}
        data = json.dumps({"prompt": f"word{n} common"})
        found += record(noon_us + n, context="other" if n == 1 else "default", data=data, **fields, **last)
    return found


ASKED: list[tuple[list[tuple[str, str]], list[int] | None]] = [
    ([("-tool", "Bash")], [2, 1]),
    ([("-tool", "Bash"), ("-tool", "Edit")], [2]),
    ([("-type", "Stop"), ("tool", "Bash"), ("tool", "Edit")], [3, 1, 0]),
    ([("-src", "claude.b*")], [2, 1]),
    ([("-src", "claude")], []),
    ([("-context", "other")], [3, 2, 0]),
    ([("-status", "error")], [2, 1, 0]),
    ([("-error_code", "x")], [3, 2, 1, 0]),
    ([("project", "/w/shop")], [3]),
    ([("project", "shop")], [3]),
    ([("-project", "/w")], [2, 1, 0]),
    ([("level", "error")], [3]),
    ([("q", "tool:Bash")], [3, 0]),
    ([("q", "-tool:Bash common")], [2, 1]),
    ([("q", "tool:(Bash OR Edit) -context:other word0 OR word1")], None),
    ([("q", "tool:(Bash OR Edit) (word0 OR word1)")], [1, 0]),
    ([("q", "is:error project:shop")], [3]),
    ([("q", "-is:error -type:Stop"), ("-context", "other")], [0]),
    ([("q", "tool:Bash"), ("tool", "Bash"), ("tool", "Edit")], [3, 0]),
]


@pytest.mark.parametrize(
    ("asked", "found"), ASKED, ids=lambda one: urlencode(one) if one and isinstance(one[0], tuple) else ""
)
async def test_page_json_and_tables_find_the_same(
    asked: list[tuple[str, str]], found: list[int] | None, site: Any, ids: list[int]
) -> None:
    query = urlencode([("range", "7d"), *asked])
    if found is None:
        assert (await site.get(f"/-/eyelet.json?{query}")).status_code == 400
        return
    rows = (await site.json(f"/-/eyelet.json?{query}"))["rows"]
    assert [row["id"] for row in rows] == [ids[n] for n in found]
    page = await site.get(f"/-/eyelet?{query}&rows=events")
    assert page.status_code == 200
    for n, event_id in enumerate(ids):
        assert (f"-{event_id}" in page.text) == (n in found)
    for row in rows[:1]:
        there = (await site.json(row["links"]["day"].replace("?", ".json?", 1) + "&_shape=objects"))["rows"]
        wanted = [one["id"] for one in rows if one["context_name"] == row["context_name"]]
        assert [one["id"] for one in there] == wanted


async def test_mistakes_are_said_beside_the_box_with_their_place(site: Any, ids: list[int]) -> None:
    for text, wrong, says in (
        ("git tol:Bash", "tol:", "did you mean tool?"),
        ("status:eror x", "status:eror", "status:error"),
    ):
        answer = await site.get(f"/-/eyelet?{urlencode({'q': text})}")
        page = html.unescape(answer.text)
        assert answer.status_code == 400 and says in page and f"<mark>{wrong}</mark>" in page
        assert (await site.get(f"/-/eyelet.json?{urlencode({'q': text})}")).status_code == 400


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("-sesion=x", "did you mean -session?"),
        ("-hook_type=x", "did you mean -type?"),
        ("-status=x", "write one of ok, error"),
        ("-range=7d", "there are -context"),
        ("by=rank&q=tool:Bash", "without a text all match alike"),
    ],
)
async def test_what_cannot_be_left_out_is_said(query: str, says: str, site: Any) -> None:
    answer = await site.get(f"/-/eyelet.json?{query}")
    assert answer.status_code == 400 and says in answer.json()["error"]


def test_links_add_and_take_away_one_condition() -> None:
    class Urls:
        urls = property(lambda self: self)

        def path(self, path: str) -> str:
            return path

    links = Links(Urls(), (("range", "7d"), ("tool", "Bash"), ("-tool", "Read")))
    assert links.with_value("tool", "Edit") == "/-/eyelet?range=7d&tool=Bash&-tool=Read&tool=Edit"
    assert links.with_value("tool", "Read") == "/-/eyelet?range=7d&tool=Bash&tool=Read"
    assert links.excluded("tool", "Bash") == "/-/eyelet?range=7d&-tool=Read&-tool=Bash"
    assert links.excluded("tool", "Read") == "/-/eyelet?range=7d&tool=Bash&-tool=Read"
    assert links.only("tool", "Edit") == "/-/eyelet?range=7d&tool=Edit"
    assert links.without("-tool", "Read") == "/-/eyelet?range=7d&tool=Bash"


def test_the_box_and_the_address_ask_the_same(site: Any) -> None:
    from datasette.utils import MultiParams

    box = parse(
        MultiParams({"q": ["tool:Bash -type:Stop project:shop level:warn is:error"], "range": ["all"]}), 0
    ).where
    named = {"tool": ["Bash"], "-type": ["Stop"], "project": ["shop"], "level": ["warn"], "errors": ["1"]}
    assert box == parse(MultiParams({**named, "range": ["all"]}), 0).where
    assert box.without == (("hook_type", "Stop"),) and box != Filter()
