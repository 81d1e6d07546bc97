"""From a search row to its row page, its session and its day's table with the same filters, and back."""

import asyncio
import json
import re
from collections.abc import Iterator
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from datasette.database import Database
from datasette.utils import MultiParams
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datasette_eyelet import day_table
from datasette_eyelet.links import Links
from datasette_eyelet.query import EXCLUDED, STATUSES, parse
from eyelet_ingest.store.layout import key_for
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

NOON_US = 1_774_008_000_000_000  # 2026-03-20T12:00:00Z
KEY = key_for("default", NOON_US)
DAY = "/default-2026-079"

# Values that a filter of Datasette's, SQL or a URL could take for something else
TOOLS = (
    *("Bash", "bash", "a,b", " a", '["a"]', "[a", "it's", '"q"', "ü💥", "%", "_", "a_b", "5", "05", "²", "1e5", "?"),
    *("x\u202ey", ":p0", "--", "a&b=c", "#", "+", "~2F", "{c}", "\\", "a\nb"),
)
SRCS = (
    *("claude", "claude.a", "claude.a.b", "claude-x", "claude/x", "claude x", "claudette", "CLAUDE.a", "clau", "ü.b"),
    *("5", "5.1", "05", "c%", "c%.x", "cx.x", "it's", "it's.a", ".", "a?b", "a?b.c", "*"),
)
ASKED_SRCS = (*SRCS, "clau*", "claude.*", "5*", "it's*")
TEXTS = (
    *(
        "make",
        "MAKE",
        "%",
        "_",
        "it's",
        "\\",
        "ü",
        "💥",
        ":",
        "?",
        "{",
        "!",
        '"a b" -c',
        "mak*",
        "a OR make",
        "output:x",
    ),
    *('="it\'s"', '="\\"', "NEAR(x make, 3)", "(a b) OR c"),
)

values = st.lists(st.sampled_from(TOOLS), max_size=3, unique=True).map(tuple)
filters = st.builds(
    Filter,
    since_us=st.none() | st.integers(NOON_US - 3, NOON_US + 8) | st.just(0),
    until_us=st.none() | st.integers(NOON_US + 9, NOON_US + 40) | st.just(NOON_US * 2),
    src=st.lists(st.sampled_from(ASKED_SRCS), max_size=2, unique=True).map(tuple),
    hook_type=values,
    tool_name=values,
    session_id=values,
    status=st.lists(st.sampled_from(["ok", "error", "pending"]), max_size=2, unique=True).map(tuple),
    git_branch=values,
    error_code=values,
    agent=values,
    model=values,
    project_dir=st.sampled_from([(), ("/home/me",), ("shop", "/a/b")]),
    loglevel=st.sampled_from([(), ("warn",), ("info", "odd, one")]),
    errors=st.booleans(),
    text=st.just("") | st.sampled_from(TEXTS),
    without=st.lists(
        st.tuples(
            st.sampled_from(("status", "src", "hook_type", "tool_name", "project_dir")), st.sampled_from(STATUSES)
        )
        | st.tuples(st.sampled_from(["tool_name", "session_id", "contexts", "git_branch"]), st.sampled_from(TOOLS)),
        max_size=2,
        unique=True,
    ).map(lambda found: tuple(sorted(found, key=lambda pair: [*EXCLUDED.values()].index(pair[0])))),
)


def args_of(url: str) -> MultiParams:
    return MultiParams(parse_qs(urlsplit(url).query, keep_blank_values=True))


class Urls:
    """As much of Datasette as links need."""

    urls = property(lambda self: self)

    def path(self, path: str) -> str:
        return path


def within_day(where: Filter) -> Filter:
    start_us, end_us = KEY.bounds_us
    since = start_us if where.since_us is None else max(where.since_us, start_us)
    until = end_us if where.until_us is None else min(where.until_us, end_us)
    return Filter(since, until, ("default",), *(getattr(where, name) for name in Filter.__slots__[3:]))


@given(where=filters)
def test_a_filter_survives_the_way_to_the_table_and_back(where: Filter) -> None:
    links = Links(Urls(), ())
    url = day_table.url(links, where, KEY)
    found = day_table.reading(args_of(url), KEY)
    assert found.left_out == ()
    assert found.is_filtered or not day_table.arguments(where, KEY)
    back = parse(args_of(links.search(found.pairs)), NOON_US)
    assert back.where == within_day(where)


@pytest.mark.parametrize(
    ("arguments", "left_out"),
    [
        ("hostname__exact=box", ("hostname",)),
        ("hostname=box", ("hostname",)),
        ("tool_name__contains=a", ("tool_name",)),
        ("tool_name__exact=", ("tool_name",)),
        ("tool_name__in=%5B%5D", ("tool_name",)),
        ("tool_name__in=%5B1%5D", ("tool_name",)),
        ("tool_name__in=%5Bbroken", ("tool_name",)),
        ("tool_name__in=" + "%5B" * 50_000, ("tool_name",)),
        ("tool_name=a&tool_name=b", ("tool_name",)),
        ("tool_name=a&tool_name__exact=a", ()),
        ("tool_name__in=a,b", ()),
        ("status=weird", ("status",)),
        ("src__exact=claude", ("src",)),
        ("error=0", ("error",)),
        ("id__gte=1e3", ("id",)),
        ("id__gt=99999999999999999", ("id",)),
        ("id__notlike=5", ("id",)),
        (f"id={NOON_US}", ()),
        ("_where=1", ("_where",)),
        ("_search=x&_searchmode=raw", ("_search",)),
        ("_search_data=x", ("_search",)),
        ("_sort=src&_size=5&_facet=src&_col=id&_next=3&_src=&_q=+", ()),
        ("a__b__c=1", ("a__b",)),
        ("_q=tool:Bash&tool_name__exact=Edit", ("tool_name",)),
        ("_q=tool:Bash&tool_name__exact=Bash", ()),
        ("_q=tool:(Bash OR Edit) x&tool_name__exact=Edit", ()),
        ("_q=src:claude.a -tool:Bash&_src=codex&_project=a&tool_name__exact=Bash", ("_src",)),
        ("_q=project:/a&_project=/b", ("_project",)),
        ("_q=context:other", ("_q",)),
        ("_q=context:default", ()),
        ("_q=status:unknown&tool_name=Bash", ("_q",)),
        ('_q="git&tool_name=Bash', ("_q",)),
        ("_q=is:error&error__exact=1", ()),
    ],
)
def test_what_no_search_can_say_is_named(arguments: str, left_out: tuple[str, ...]) -> None:
    found = day_table.reading(args_of("?" + arguments), KEY)
    assert found.left_out == left_out
    parse(args_of(Links(Urls(), ()).search(found.pairs)), NOON_US)


async def ids_on(site: Any, url: str) -> list[int]:
    """The ids of a table page, as its JSON has them."""
    parts = urlsplit(url)
    rows = await asyncio.wait_for(site.get(f"{parts.path}.json?{parts.query}&_shape=array&_size=max"), 60)
    assert rows.status_code == 200, rows.text
    return [row["id"] for row in rows.json()]


async def found_by(site: Any, url: str) -> list[int]:
    parts = urlsplit(url)
    return [row["id"] for row in (await site.json(f"{parts.path}.json?{parts.query}&_size=max"))["rows"]]


@pytest.fixture
def generated(record: Any) -> None:
    """Rows of every tool and src there is, with every column taking part, and one on each side of the day."""
    for number in range(max(len(TOOLS), len(SRCS)) * 2):
        tool, src = TOOLS[number % len(TOOLS)], SRCS[number % len(SRCS)]
        record(
            NOON_US + number,
            tool_name=tool,
            src=src,
            hook_type=TOOLS[number * 3 % len(TOOLS)],
            session_id=TOOLS[number * 5 % len(TOOLS)] if number % 4 else "",
            project_dir=("/home/me", "/home/me/x", "/w/shop", None)[number % 4],
            loglevel=("info", "warn", "odd, one")[number % 3],
            status=("ok", "error", "pending", "weird")[number % 4],
            agent=TOOLS[number % 7],
            model=None if number % 5 else TOOLS[number % 3],
            error=number % 2,
            data=json.dumps({"say": TEXTS[number % len(TEXTS)] + tool}, ensure_ascii=number % 2 == 0),
            meta={"git": {"branch": TOOLS[number % 6]}, "execution": {"error_code": TOOLS[number % 5]}},
        )
    record(NOON_US - 86_400_000_000, NOON_US + 86_400_000_000, tool_name="Bash", src="claude")


async def test_the_table_shows_exactly_what_the_search_finds_in_that_day(
    site: Any, store: Store, generated: None
) -> None:
    links = Links(site.datasette, ())

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(where=filters)
    def collect(where: Filter) -> None:
        asked.append(where)

    asked: list[Filter] = []
    collect()
    asked += [Filter(tool_name=(value,)) for value in TOOLS]
    asked += [Filter(src=(value,)) for value in ASKED_SRCS]
    asked += [Filter(text=value) for value in TEXTS]
    asked += [Filter(without=((name, value),)) for name in ("tool_name", "src", "session_id") for value in TOOLS[:6]]
    asked += [Filter(without=(("errors", "1"),)), Filter(without=(("contexts", "default"),)), Filter(text="-is:error")]
    asked += [Filter(tool_name=TOOLS, src=ASKED_SRCS), Filter(session_id=TOOLS), Filter(git_branch=TOOLS, errors=True)]
    asked += [Filter(error_code=(value,)) for value in TOOLS[:4]]
    hits = 0
    for where in asked:
        expected = [row["id"] for row in store.search(within_day(where), limit=1_000).rows]
        assert await ids_on(site, day_table.url(links, where, KEY)) == expected, where
        hits += bool(expected)
    assert hits > 50


async def test_the_table_page_says_the_count_of_the_search(site: Any, store: Store, generated: None) -> None:
    for where in (
        Filter(tool_name=("a,b", "it's")),
        Filter(src=("claude", "5")),
        Filter(text="%"),
        Filter(errors=True),
    ):
        page = (await site.get(day_table.url(Links(site.datasette, ()), where, KEY))).text
        assert f": {store.count(within_day(where)).count} rows where" in page


async def test_a_row_of_the_json_leads_to_its_pages(site: Any, record: Any) -> None:
    record(NOON_US, session_id="s 1", tool_name="Bash")
    record(NOON_US + 1, tool_name="Bash")
    without, row = (await site.json("/-/eyelet.json?range=all&tool=Bash&tz=Asia/Tokyo"))["rows"]
    assert row["links"] == {
        "event": f"/-/eyelet/event/default/{NOON_US}",
        "row": f"{DAY}/hooks/{NOON_US}",
        "session": "/-/eyelet/session/s%201",
        "day": f"{DAY}/hooks?tool_name__exact=Bash&_sort_desc=id",
    }
    assert without["links"]["session"] is None
    for url in row["links"].values():
        assert str(NOON_US) in (await site.get(url)).text
        path, _, query = url.partition("?")
        assert str(NOON_US) in json.dumps(await site.json(f"{path}.json?{query}"))
    event = (await site.json(f"/-/eyelet/event/default/{NOON_US}.json"))["row"]
    assert event["links"] == {**row["links"], "day": f"{DAY}/hooks?_sort_desc=id"}


async def test_a_filter_of_endless_text_is_not_repeated_in_every_row(site: Any, record: Any) -> None:
    record(NOON_US, data='{"a": "%s"}' % ("xy " * 3_000))
    [row] = (await site.json("/-/eyelet.json?range=all&q=" + "xy%20" * 90 + '="' + "xy%20" * 1_500 + '"'))["rows"]
    assert row["links"]["day"] is None
    search = '?range=all&q=="' + "xy%20" * 1_500 + '"'
    assert (await site.get(f"/-/eyelet{search}")).text.count("xy+" * 1_500) < 100
    opened = (await site.get(f"/-/eyelet/row/default/{NOON_US}{search}")).text
    assert "Day's table" not in opened and "Row page" in opened


def links_of(page: str) -> dict[str, str]:
    """Text → address, of a page's links; the last of equal texts."""
    found = re.findall(r'<a href="([^"]*)"[^>]*>(?:\s*<[^>]*>)*([^<]+)', page)
    return {unescape(text).strip(): unescape(url) for url, text in found}


@pytest.mark.parametrize("base_url", ["/", "/logs/"])
async def test_one_walks_from_the_search_to_datasettes_pages_and_back(
    open_site: Any, record: Any, base_url: str
) -> None:
    site = await open_site(datasette={"settings": {"base_url": base_url}})
    record(NOON_US, session_id="s-1", tool_name="Bash", src="claude.a", data='{"x": "%s the end"}' % ("x" * 9_000))
    record(NOON_US + 1, session_id="s-2", tool_name="Read", src="claude.b")
    record(NOON_US + 86_400_000_000, session_id="s-1", tool_name="Bash", src="claude.a")
    base = base_url.rstrip("/")

    async def visit(path: str) -> tuple[str, dict[str, str]]:
        answer = await site.get(path)  # Datasette's client puts the base in front
        assert answer.status_code == 200
        found = {text: url for text, url in links_of(answer.text).items() if url.startswith("/")}
        assert all(url.startswith(base_url) for url in found.values())
        return answer.text, {text: url.removeprefix(base) for text, url in found.items()}

    text, listed = await visit("/-/eyelet?from=2026-03-20&to=2026-03-20&tool=Bash&src=claude")
    opened = re.search(r'data-url="([^"]*)"', text)
    assert opened
    listed |= (await visit(unescape(opened[1]).removeprefix(base)))[1]
    row, back = await visit(listed["Row page"])
    assert "the end" in row, "everything is whole on the row page"
    await visit(back["2026-03-20 12:00:00.000 UTC"])
    assert await found_by(site, back["around it"]) == [NOON_US + 1, NOON_US]
    assert urlsplit(back["s-1"]).path == "/-/eyelet/session/s-1"
    assert await found_by(site, back["claude.a"]) == [NOON_US]
    assert urlsplit(listed["Session"]).path == "/-/eyelet/session/s-1"
    await visit(listed["Session"])

    table, back = await visit(listed["Day's table"])
    assert "the end" not in table, "a table of many rows shows excerpts"
    assert await ids_on(site, listed["Day's table"]) == [NOON_US]
    assert back["whole 8.8 KB"] == f"{DAY}/hooks/{NOON_US}"
    await visit(back["2026-03-20 12:00:00.000 UTC"])
    assert await found_by(site, back["Search this day in Eyelet with these filters"]) == [NOON_US]
    _, database = await visit(DAY)
    assert await found_by(site, database["Search this day in Eyelet"]) == [NOON_US + 1, NOON_US]

    _, event = await visit(listed["Whole event"])
    await visit(event["row page"])
    assert await ids_on(site, event["this day's table"]) == [NOON_US + 1, NOON_US]


async def test_a_row_page_of_1_0_has_the_ways_back_in_its_menu(site: Any, record: Any) -> None:
    if not hasattr(site.datasette, "allowed"):
        pytest.skip("0.65 has no menu on row pages: the cells lead back")
    record(NOON_US, session_id="s-1")
    record(NOON_US + 1)
    menu = links_of((await site.get(f"{DAY}/hooks/{NOON_US}")).text)
    assert menu["This event in Eyelet"] == f"/-/eyelet/event/default/{NOON_US}"
    assert await found_by(site, menu["Search around it"]) == [NOON_US + 1, NOON_US]
    assert menu["Its session"] == "/-/eyelet/session/s-1"
    assert "s-1" in (await site.get(menu["Its session"])).text
    assert "Its session" not in links_of((await site.get(f"{DAY}/hooks/{NOON_US + 1}")).text)


async def test_a_filter_the_search_has_not_is_named_in_the_menu(site: Any, record: Any) -> None:
    record(NOON_US, hostname="box", tool_name="Bash")
    page = (await site.get(f"{DAY}/hooks?hostname__exact=box&tool_name=Bash&ip_address__isnull=1")).text
    url = links_of(page)["Search this day in Eyelet, without the filter on hostname, ip_address"]
    assert parse_qs(urlsplit(url).query)["tool"] == ["Bash"]
    assert await found_by(site, url) == [NOON_US]


async def test_results_of_a_query_lead_on_where_their_columns_are_ours(site: Any, record: Any) -> None:
    record(NOON_US, session_id="s-1", src="claude.a", data='{"x": "%s the end"}' % ("x" * 9_000))
    sql = "select id, session_id, src, data, uid, timestamp, 7 as n from hooks"
    page = await query_page(site, sql)
    found = links_of(page)
    assert found["s-1"] == "/-/eyelet/session/s-1"
    assert found["whole"] == f"{DAY}/hooks/{NOON_US}"
    assert "the end" not in page
    for other in (
        "1 as id",
        "'x' as id",
        "null as id",
        "5.5 as timestamp",
        "3 as session_id",
        "x'ff' as src",
        "1 as data",
    ):
        assert "/event/" not in await query_page(site, f"select {other}")


async def query_page(site: Any, sql: str) -> str:
    """The page of somebody's own SQL over a day."""
    query = urlencode({"sql": sql})
    answer = await site.get(f"{DAY}?{query}")
    if answer.status_code == 302:
        answer = await site.get(answer.headers["location"])
    assert answer.status_code == 200, answer.text
    text: str = answer.text
    return text


async def test_another_database_of_such_a_name_keeps_its_cells_and_menus(site: Any, tmp_path: Any, record: Any) -> None:
    record(NOON_US)
    path = str(tmp_path / "other.db")
    other = Database(site.datasette, path=path, is_mutable=True)
    site.datasette.add_database(other, name="other-2026-079")
    await other.execute_write("create table hooks (id integer primary key, session_id text, src text, data text)")
    await other.execute_write("insert into hooks values (?, 's', 'claude', '{}')", [NOON_US])
    for url in ("/other-2026-079/hooks?_src=nothing&_q=nothing", f"/other-2026-079/hooks/{NOON_US}", "/other-2026-079"):
        answer = await site.get(url)
        assert answer.status_code == 200
        assert "/-/eyelet/event" not in answer.text and "in Eyelet" not in answer.text


async def test_what_no_search_takes_the_table_does_not_either(site: Any, record: Any) -> None:
    record(NOON_US)
    answer = await site.get(f"{DAY}/hooks?_q={'x' * 10_001}")
    assert answer.status_code == 400
    assert "10000" in answer.text
    many = "&".join(f"_src={number}" for number in range(201))
    assert (await site.get(f"{DAY}/hooks?{many}")).status_code == 400


ATTACKS = {
    "script": "<script>alert(1)</script><img src=x onerror=alert(1)>\"'><svg/onload=alert(1)>",
    "template": "{{ 7*7 }}{% raw %}{# #}${7*7}{0}{c}",
    "bidi": "\u202eevil\u2066\u2069\x1b[31m\x00\u200b\ufeff",
    "url": "javascript:alert(1)//&q=x#?/../%2e~2F~~,",
    "quotes": 'it\'s "quoted" `back` \\ and, more; --',
    "link": "https://example.com/\"onmouseover=alert(1)//'<b>",
    "rtl": "مرحبا " * 30,
    "long": "x" * 300_000,
}
FIELDS = (
    *("hook_type", "session_id", "tool_name", "tool_use_id", "status", "src", "loglevel", "origin", "agent"),
    *("agent_id", "role", "model", "project_dir", "hostname", "ip_address"),
)


def cells_of(page: str) -> str:
    """The cells, without the attribute of 1.0 that repeats a row's src for its scripts and is not shown."""
    cells = page.partition("<tbody>")[2].partition("</tbody>")[0]
    return re.sub(r' data-row-label="[^"]*"', "", cells)


def harmless(page: str) -> None:
    for broken in ("<script>alert", "<img src=x", "<svg/onload", '"onmouseover', "<b>"):
        assert broken not in page
    assert not re.search(r"""(?:href|src|action)=["']?\s*javascript:""", page, re.IGNORECASE)
    assert "49{" not in page, "a template was rendered"
    assert not re.search("[\u202e\u2066\u2069\x1b\x00\u200b\ufeff]", cells_of(page))


def leading_on(page: str) -> Iterator[str]:
    for url in dict.fromkeys(re.findall(r'<a href="([^"]*)"', page)):
        if re.match(r"/-/eyelet[?/]|/default-\d{4}-\d{3}/hooks/\d+$", unescape(url)):
            yield unescape(url)


@pytest.mark.parametrize("name", ATTACKS)
async def test_an_attack_in_every_field_does_no_harm_on_datasettes_pages(site: Any, record: Any, name: str) -> None:
    attack = ATTACKS[name]
    data = json.dumps({"prompt": attack, "tool_input": {"command": attack}, attack[:100]: 1})
    meta = {"git": {"branch": attack}, "execution": {"error_code": attack, "error_message": attack}}
    record(NOON_US, data=data, meta=meta, error=1, **dict.fromkeys(FIELDS, attack))
    [row] = (await site.json("/-/eyelet.json?range=all"))["rows"]
    fresh = [url for url in (row["links"]["row"], row["links"]["day"], row["links"]["session"]) if url]
    seen: set[str] = set()
    while fresh:
        url = fresh.pop()
        seen.add(url)
        answer = await site.get(url)
        assert answer.status_code == 200, (url, answer.text)
        harmless(answer.text)
        assert str(NOON_US) in answer.text, f"{url} finds the row it came from"
        if "/hooks" in url:
            fresh += [found for found in leading_on(cells_of(answer.text)) if found not in seen]
            assert f"/-/eyelet/event/default/{NOON_US}" in answer.text
    assert len(cells_of((await site.get(f"{DAY}/hooks")).text)) < 20_000
    harmless(await query_page(site, "select * from hooks"))


@pytest.mark.parametrize("name", [name for name in ATTACKS if name != "long"])
async def test_a_filter_by_an_attack_leads_to_the_same_row_on_both_sides(site: Any, record: Any, name: str) -> None:
    attack = ATTACKS[name].replace("\x00", "")
    record(NOON_US, tool_name=attack, src=attack, session_id=attack, data=json.dumps({"prompt": attack}))
    record(NOON_US + 1, tool_name="Bash")
    exactly = '="' + attack.replace('"', '""') + '"'
    for parameter, asked in (("tool", attack), ("src", attack), ("session", attack), ("q", exactly)):
        [row] = (await site.json(f"/-/eyelet.json?{urlencode({'range': 'all', parameter: asked})}"))["rows"]
        answer = await site.get(row["links"]["day"])
        assert answer.status_code == 200, answer.text
        harmless(answer.text)
        assert await ids_on(site, row["links"]["day"]) == [NOON_US]
        back = links_of(answer.text)["Search this day in Eyelet with these filters"]
        assert await found_by(site, back) == [NOON_US]


async def test_our_style_is_on_the_pages_of_days_and_on_no_others(site: Any, record: Any) -> None:
    record(NOON_US)
    for path in (DAY, f"{DAY}/hooks", f"{DAY}/hooks/{NOON_US}"):
        page = (await site.get(path)).text
        [url] = re.findall(r'href="([^"]*day\.css[^"]*)"', page)
        assert (await site.get(url)).status_code == 200
    for path in ("/", "/_memory", "/-/eyelet", "/default-2026-080"):
        assert "day.css" not in (await site.get(path)).text
