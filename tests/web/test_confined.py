"""Who may see one context sees nothing of another, through any address.

Every route that the running Datasette knows is filled with another context's names and asked. What the asker did not
say himself must not be in the answer. What he did say may be echoed, but the answer must be the one that a name gets
which never existed: so that an echo tells nothing either.
"""

import asyncio
import gzip
import itertools
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pytest
from datasette.app import Datasette

from datasette_eyelet import instance, mounts
from eyelet_ingest.store import connect, layout

ROOT = {"id": "root"}
BOB = {"id": "bob"}
CONTEXT, TABLE, SESSION = "zebra9", "okapi55", "gnu-session"
# No URL below holds this: it must be in no answer. The names above must be in none whose URL does not hold them.
ROW_SECRET = "quagga77"
GHOSTS = {CONTEXT: "ghost9", TABLE: "eland55", SESSION: "elk-session"}
GZIP = b"\x1f\x8b"
IS_1_0 = hasattr(Datasette, "allowed")

# What differs from one answer to the next
_PASSING = re.compile(
    r'"(query_ms|elapsed_ms)": ?[0-9.]+|[0-9.]+ ?ms\b|name="csrftoken" value="[^"]*"|ds_csrftoken=[^;]*|in [0-9.]+m?s'
    r"|\b(from|to)=\d{4}-\d\d-\d\dT[0-9.]+(%3A[0-9.]+)*Z"
)

LISTENED_S = 0.3


class Other:
    """A day of the context that the asker may not see, and one of his own."""

    def __init__(self, event_id: int) -> None:
        self.id = str(event_id)
        self.day = layout.key_for(CONTEXT, event_id).mount_name
        self.mine = layout.key_for("mine", event_id).mount_name


@pytest.fixture
def other(root: str, record: Any, noon_us: int) -> Other:
    secrets = {"session_id": SESSION, "src": f"claude.{ROW_SECRET}", "tool_name": ROW_SECRET}
    record(noon_us, context=CONTEXT, data=json.dumps({"said": ROW_SECRET}), **secrets)
    call = {"tool_use_id": "toolu_1", "session_id": "shared", "agent": "claude"}
    record(noon_us + 1, context="mine", src="my.own", data='{"said": "nothing"}', status="pending", **call)
    usage = json.dumps({"message": {"id": ROW_SECRET, "usage": {"output_tokens": 7}}})
    told = {"hook_type": "assistant", "origin": "transcript", "model": ROW_SECRET, "data": usage, **secrets}
    record(noon_us + 2, context=CONTEXT, **{**told, **call, "session_id": SESSION})
    record(noon_us + 3, context=CONTEXT, **{**told, **call})
    conn = connect.open_writer(layout.db_path(root, layout.key_for(CONTEXT, noon_us)))
    conn.execute(f"create table {TABLE} (id integer primary key, bytes blob)")
    conn.execute(f"insert into {TABLE} values (1, ?)", [ROW_SECRET.encode()])
    conn.close()
    return Other(noon_us)


class Answer:
    """Status, headers and body of one answer, as one text."""

    def __init__(self, status: int, text: str) -> None:
        self.status, self.text = status, text


async def ask(datasette: Any, path: str, actor: dict[str, str] | None, body: str = "") -> Answer:
    """Through ASGI, as the URL is spelt: no client puts it in order first. POST where there is a body."""
    raw, _, query = path.partition("?")
    token = datasette.sign("x", "csrftoken")
    cookies = [f"ds_csrftoken={token}"]
    if actor is not None:
        cookies.append("ds_actor=" + datasette.sign({"a": actor}, "actor"))
    said_of_it = {
        "host": "localhost", "content-type": "application/json", "x-csrftoken": token, "cookie": "; ".join(cookies),
    }  # fmt: skip
    headers = [(name.encode(), value.encode()) for name, value in said_of_it.items()]
    scope = {
        "type": "http", "http_version": "1.1", "method": "POST" if body else "GET", "scheme": "http",
        "path": unquote(raw), "raw_path": raw.encode(), "query_string": query.encode(), "headers": headers,
        "client": ("127.0.0.1", 1), "server": ("localhost", 80),
    }  # fmt: skip
    said: list[Any] = []

    heard: list[None] = []
    left = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if heard:  # as a server: nothing more comes until the client leaves
            await left.wait()
            return {"type": "http.disconnect"}
        heard.append(None)
        return {"type": "http.request", "body": body.encode(), "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        said.append(message)
        if (b"content-type", b"text/event-stream") in [(name.lower(), kind[:17]) for name, kind in said[0]["headers"]]:
            asyncio.get_running_loop().call_later(LISTENED_S, left.set)  # a stream ends when its reader leaves

    await datasette.app()(scope, receive, send)
    head = b"\n".join(b": ".join(header) for header in said[0]["headers"])
    content = b"".join(message.get("body", b"") for message in said[1:])
    if content.startswith(GZIP):
        content = gzip.decompress(content)
    return Answer(said[0]["status"], (head + b"\n\n" + content).decode(errors="replace"))


def addresses(datasette: Any, other: Other) -> list[str]:
    """Every route of this Datasette, its parts filled with what another context holds."""
    fills = {
        "database": [other.day, other.mine, "eyelet", "_memory"],
        "table": ["hooks", TABLE, "partitions"],
        "query": ["errors"],
        "pks": [other.id],
        "id": [other.id],
        "date": [layout.key_for(CONTEXT, int(other.id)).date],
        "context": [CONTEXT, "mine"],
        "format": ["json", "csv", "md"],
        "path": [f"{other.day}.css"],
        "rest": [f"/{other.day}", other.day],
        "below": ["", "/nowhere", f"/{CONTEXT}"],
        "kind": ["csv", "json", "jsonl"],
        "session": [SESSION, "shared"],
        "which": ["", "/session"],
    }
    found: dict[str, None] = {}
    for pattern, _ in datasette._routes():
        filled = [url for url in fill(pattern.pattern, fills) if pattern.match(url)]
        assert filled, f"{pattern.pattern} is a new route: say in this test how to fill it"
        found.update(dict.fromkeys(filled))
    return list(found)


def fill(pattern: str, fills: dict[str, list[str]]) -> Iterator[str]:
    """The URLs of a route, for every combination of what its named parts may be."""
    text = pattern.removeprefix("^").removesuffix("$")
    text = re.sub(r"\(\\\.\(\?P<format>[^)]*\)\)\?", "{dot_format}", text)
    text = text.replace("(/.*)?", "(?P<below>)")
    names: list[str] = []

    def named(match: "re.Match[str]") -> str:
        assert match.group(1) in fills, f"{pattern} has a new part: say in this test how to fill {match.group(1)}"
        names.append(match.group(1))
        return f"{{{match.group(1)}}}"

    text = re.sub(r"\(\?P<(\w+)>[^()]*\)", named, text).replace("\\", "")
    if "{dot_format}" in text:
        names.append("dot_format")
    choices = {**fills, "dot_format": ["", *(f".{name}" for name in fills["format"])]}
    for values in itertools.product(*(choices[name] for name in names)):
        yield text.format(**dict(zip(names, values, strict=True)))


def questions(other: Other) -> list[str]:
    """Addresses with parameters that could tell what the routes alone do not."""
    cross = [
        f'select * from "{other.day}".hooks',
        f"select * from [{other.day}].sqlite_master",
        "select * from pragma_database_list",
        "select * from pragma_table_list",
        "select * from hooks",
        "select * from sqlite_master",
        "select * from partitions",
        "select root, context_name, id from hooks",
        "select * from eyelet_trouble",
        "select * from eyelet_calls",
        f"attach '{CONTEXT}' as x",
        "pragma database_list",
    ]
    databases = [other.day, other.mine, "_memory", "eyelet", f"eyelet-{CONTEXT}", "eyelet-mine", "_internal"]
    spelt = [statement.replace(" ", "+").replace('"', "%22") for statement in cross]
    sql = [f"/{name}{rest}?sql={one}" for name in databases for one in spelt for rest in QUERY]
    days = [
        "/hooks?_facet=src", "/hooks.json?_extra=count,columns,database,metadata,facets,query&_facet=src",
        f"/{TABLE}/1.blob?_blob_column=bytes", f"/hooks/{other.id}.blob?_blob_column=uid", "/hooks.csv?_stream=on",
        "/hooks?_where=1", "/errors.json", "/hooks/-/autocomplete?_s=a", f"/{TABLE}?_search=a",
    ]  # fmt: skip
    lists = [
        "/-/eyelet?range=all", "/-/eyelet.json?range=all&full=1", f"/-/eyelet?range=all&context={CONTEXT}",
        f"/-/eyelet.json?range=all&context={CONTEXT}", f"/-/eyelet.json?range=all&session={SESSION}",
        f"/-/eyelet/days?context={CONTEXT}", "/-/eyelet/days.json?year=2026",
        *(
            f"/-/eyelet/{name}.json?range=all{one}"
            for name in ("calls", "usage", "completeness")
            for one in ("", f"&context={CONTEXT}", f"&session={SESSION}")
        ),
        *(f"/-/eyelet/api/{name}?from=2000{one}" for name in API_READS for one in ("", f"&context={CONTEXT}")),
        f"/-/eyelet/api/query?from=2000&session={SESSION}", "/_internal", "/_internal.json", f"/eyelet-{CONTEXT}",
        "/-/jump.json?q=z", "/-/jump.json?q=hooks", f"/-/jump.json?q={CONTEXT}",
        "/-/queries.json?_size=max", "/-/queries.json?q=e", f"/-/queries.json?database={other.day}", "/-/schema.json",
        "/-/databases.json?all=1", "/.json?_extra=private", f"/-/schema?database={other.day}",
        "/-/tables.json?q=hooks", "/-/search-tables.json?q=hooks", "/-/actor.json", "/-/threads.json",
        *(
            f"/-/{page}.json?action={action}{about}"
            for page in ("allowed", "rules", "check")
            for action in ("view-database", "view-table", "view-query", "execute-sql", "eyelet-view")
            for about in ("", f"&parent={other.day}", f"&parent={other.day}&child=hooks", f"&parent={CONTEXT}")
        ),
    ]  # fmt: skip
    over = [
        f"/eyelet-mine{rest}?context_name={CONTEXT}" for rest in ("/hooks", "/calls.json", "/sessions", "/hooks.csv")
    ]
    over += [f"/eyelet-{CONTEXT}/hooks/{CONTEXT},{other.id}", f"/eyelet-mine/hooks/{CONTEXT},{other.id}.json"]
    named = (other.day, other.mine, "eyelet-mine", f"eyelet-{CONTEXT}")
    return [*sql, *(f"/{name}{rest}" for name in named for rest in days), *over, *lists]


API_READS = ("query", "count", "sources", "export")
QUERY = ("/-/query", "/-/query.json") if IS_1_0 else ("", ".json")


def misspellings(other: Other) -> list[str]:
    """Other ways to write the address of the day and of its table."""
    tilde, percent = f"~{ord(CONTEXT[0]):02X}", f"%{ord(CONTEXT[0]):02x}"
    rest = other.day[1:]
    names = [
        tilde + rest, percent + rest, percent.upper() + rest, tilde.lower() + rest, "%7E" + tilde[1:] + rest,
        other.day.replace("-", "~2D"), other.day.replace("-", "%2D"), other.day.replace("-", "%252D"),
        other.day.upper(), other.day + "%00", other.day + "%20", "%20" + other.day, other.day + "~2Ejson",
        other.day + "%2Ejson", other.day + ";x", "./" + other.day, f"{other.mine}/../{other.day}",
        f"{other.mine}%2F..%2F{other.day}", "/" + other.day, "//" + other.day, ":memory:/" + other.day,
        f"-/../{other.day}", f"{other.mine},{other.day}",
    ]  # fmt: skip
    ends = ["", "/", ".json", "/hooks", "//hooks", "/hooks/", "/hooks.json", f"/hooks/{other.id}", "%2Fhooks", ".db"]
    return [f"/{name}{end}" for name in names for end in ends]


BODIES = (
    {"context": CONTEXT, "rows": [{"id": 1}], "row": {"id": 1}, "update": {"id": 1}, "sql": "select 1"},
    {"context": CONTEXT, "events": [{"src": "a.b", "content": "x"}]},
    {"filter": {"context": CONTEXT}, "dry_run": True},
    {"filter": {"context": CONTEXT}, "dry_run": False},
    {"filter": {"context": [CONTEXT, "mine"], "session": SESSION}, "dry_run": False},
)


async def problems(
    datasette: Any, path: str, actor: dict[str, str] | None, body: dict[str, object] | None = None
) -> list[str]:
    """What is wrong with the answer to this address; `path` is below base_url. POST where a body is given."""
    sent = "" if body is None else json.dumps(body)
    answer = await ask(datasette, path, actor, sent)
    asked = f"{path} {sent} as {actor}"
    found = [f"{asked}: shows what is recorded"] if ROW_SECRET in answer.text else []
    said = unquote(path + sent).lower()
    unsaid = [name for name in GHOSTS if name in answer.text and name not in said]
    if unsaid:
        found.append(f"{asked}: names {unsaid}: {around(answer.text, unsaid[0])}")
    if any(name in said for name in GHOSTS):
        ghost = await ask(datasette, haunted(path), actor, haunted(sent))
        if (answer.status, passing(haunted(answer.text))) != (ghost.status, passing(ghost.text)):
            found.append(f"{asked}: unlike one that never was: {difference(answer, ghost)}")
    return found


def haunted(text: str) -> str:
    for name, ghost in GHOSTS.items():
        text = text.replace(name, ghost)
    return text


def passing(text: str) -> str:
    return _PASSING.sub("…", text)


def around(text: str, name: str) -> str:
    at = text.index(name)
    return repr(text[max(at - 150, 0) : at + 150])


def difference(answer: Answer, ghost: Answer) -> str:
    mine, its = passing(haunted(answer.text)), passing(ghost.text)
    at = next((at for at, pair in enumerate(zip(mine, its, strict=False)) if pair[0] != pair[1]), 0)
    return (
        f"{answer.status} {mine[max(at - 80, 0) : at + 200]!r}, not {ghost.status} {its[max(at - 80, 0) : at + 200]!r}"
    )


async def visit_as_root(datasette: Any, other: Other) -> None:
    """The other context's day is mounted, its queries registered, and what is cached of it, cached."""
    pages = ("", ".json", "/hooks", f"/hooks/{other.id}", f"/{TABLE}.json", "/errors", ".db")
    # All at once, so that every thread of Datasette's has worked for root.
    await asyncio.gather(*(ask(datasette, below(datasette, f"/{other.day}{page}"), ROOT) for page in pages * 3))


@pytest.fixture
async def datasette(request: Any, open_site: Any, other: Other) -> Any:
    """Where bob may do everything in the context `mine`. Here `_memory` attaches what databases it finds."""
    arguments: dict[str, Any] = {"crossdb": True, **getattr(request, "param", {})}
    site = await open_site(datasette=arguments, contexts={"mine": {"allow": BOB, "write": BOB, "admin": BOB}})
    await visit_as_root(site.datasette, other)
    return site.datasette


async def test_root_sees_what_the_others_must_not(datasette: Any, other: Other) -> None:
    """Else the proofs below would prove nothing."""
    for path in (f"/{other.day}/hooks", f"/{other.day}/hooks/{other.id}.json", f"/-/eyelet/event/{CONTEXT}/{other.id}"):
        answer = await ask(datasette, below(datasette, path), ROOT)
        assert answer.status == 200 and ROW_SECRET in answer.text, path


async def test_bob_sees_his_own(datasette: Any, other: Other) -> None:
    answer = await ask(datasette, below(datasette, f"/{other.mine}/hooks"), BOB)
    assert answer.status == 200 and "my.own" in answer.text


@pytest.mark.parametrize("actor", [BOB, None], ids=["bob", "nobody"])
async def test_no_route_tells_of_another_context(datasette: Any, other: Other, actor: Any) -> None:
    wrong = []
    for path in addresses(datasette, other):
        bodies = BODIES if "/api/" in path else BODIES[:1] if "." not in path else ()
        for body in (None, *bodies):
            wrong += await problems(datasette, below(datasette, path), actor, body)
    assert not wrong, report(wrong)
    await test_root_sees_what_the_others_must_not(datasette, other)  # nothing of it was changed either


async def test_deleting_all_that_one_may_leaves_other_contexts_alone(datasette: Any, other: Other) -> None:
    path = below(datasette, "/-/eyelet/api/delete")
    answer = await ask(datasette, path, BOB, json.dumps({"before": "2100-01-01", "dry_run": False}))
    assert answer.status == 200, answer.text
    assert (await ask(datasette, below(datasette, f"/{other.mine}"), BOB)).status == 404
    await test_root_sees_what_the_others_must_not(datasette, other)


BELOW = {"settings": {"base_url": "/below/"}}
at_any_address = pytest.mark.parametrize("datasette", [{}, BELOW], ids=["at /", "at /below/"], indirect=True)


@at_any_address
@pytest.mark.parametrize("actor", [BOB, None], ids=["bob", "nobody"])
async def test_no_parameter_tells_of_another_context(datasette: Any, other: Other, actor: Any) -> None:
    wrong = []
    for path in questions(other):
        wrong += await problems(datasette, below(datasette, path), actor)
    assert not wrong, report(wrong)


@at_any_address
async def test_no_spelling_opens_another_context(datasette: Any, other: Other) -> None:
    wrong = []
    for path in misspellings(other):
        wrong += await problems(datasette, below(datasette, path), BOB)
    assert not wrong, report(wrong)


async def test_nothing_is_seen_while_root_reads(datasette: Any, other: Other) -> None:
    paths = [
        "/",
        "/.json",
        "/-/databases.json",
        "/-/eyelet",
        "/-/eyelet/days",
        "/-/jump.json?q=hooks",
        "/-/queries.json",
    ]
    paths += [f"/_memory{rest}?sql=select+*+from+pragma_database_list" for rest in QUERY]
    ended = asyncio.Event()

    async def read() -> None:
        while not ended.is_set():
            await visit_as_root(datasette, other)

    reading = [asyncio.create_task(read()) for _ in range(3)]
    try:
        wrong = []
        for path in paths * 5:
            wrong += await problems(datasette, below(datasette, path), BOB)
            wrong += await problems(datasette, below(datasette, path), None)
    finally:
        ended.set()
        await asyncio.gather(*reading)
    assert not wrong, report(wrong)


async def test_no_connection_of_another_database_attaches_a_day(datasette: Any, other: Other) -> None:
    """Datasette keeps one for each thread: made while root reads a day, it would serve the next who comes."""
    key = layout.key_from_mount_name(other.day)
    assert key is not None
    days = instance.of(datasette).days
    with days.pinned(key), mounts.showing(await days.mount(key)):
        conn = connect.driver().connect(":memory:", uri=True)
        datasette._prepare_connection(conn, "_memory")
    attached = [name for _, name, _ in conn.execute("pragma database_list")]
    conn.close()
    assert attached == ["main"]


def below(datasette: Any, path: str) -> str:
    return str(datasette.setting("base_url")).rstrip("/") + path


def report(wrong: list[str]) -> str:
    return "\n".join([f"{len(wrong)} wrong", *wrong[:12]])
