"""The ready queries over all days, and the views they stand on, against counts in Python: by attached days, and by the
extension where it is built; with statistics, without them, and with events that came after they were made."""

import fnmatch
import json
import math
import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from eyelet_ingest.events import Event
from eyelet_ingest.store import all_days, connect, ready, statistics
from eyelet_ingest.store.across import Across
from eyelet_ingest.store.layout import DAY_US
from eyelet_ingest.store.maintenance import Maintenance
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

START_US = 1_773_964_800_000_000  # 2026-03-20
HOUR_US = 3_600_000_000
DAYS = 4
QUERIES = {query.name: query for query in ready.QUERIES}
ALL = {"since": "2026-01-01", "limit": "1000000"}
SRCS = ("hero.proc", "hero.process", "hero.proc.worker", "hero.proc-x", "hero.proc/x", "hero", "a*b", "")
PATTERNS = (*SRCS[:-1], "hero.proc*", "hero.*", "*", "**", "zz", "%", "'", "")
COMMANDS = (
    *("git push", "git push --force", "git pushed", "make test", "cat .env", "ls [a]", "ls a", "cd x && git push"),
    *("cd x&&git push -f", "true || make test", "yes |  git push", "a;git push;b", "cd x && git pushed"),
)
Row = dict[str, Any]


class Told(NamedTuple):
    """An event, and the context it was recorded in."""

    context: str
    event: Event

    @property
    def id(self) -> int:
        return self.event.time_us

    @property
    def data(self) -> Row:
        found: Row = json.loads(self.event.data)
        return found

    @property
    def call(self) -> str:
        return f"{self.event.session_id} {self.event.tool_use_id}" if self.event.tool_use_id else str(self.id)


def generated() -> list[Told]:
    """Calls with question and answer, some over midnight, some never answered; prompts, refusals, subagents."""
    chance = random.Random(10)
    times = iter(sorted(chance.sample(range(START_US, START_US + DAYS * DAY_US - HOUR_US), 1_250)))
    told: list[Told] = []

    def tell(hook_type: str, data: Row, **fields: Any) -> None:
        at = next(times)
        context = chance.choice(("alpha", "alpha", "beta")) if not fields.get("tool_use_id") else "alpha"
        fields.setdefault("src", chance.choice(SRCS))
        fields |= {"uid": chance.randbytes(16), "data": json.dumps(data), "origin": "hook"}
        told.append(Told(context, Event(time_us=at, hook_type=hook_type, **fields)))

    for number in range(700):
        session = f"s-{chance.randrange(12)}"
        project = f"/work/{chance.choice(('one', 'two', 'one/inner', 'onemore'))}"
        common = {"session_id": session, "project_dir": project, "agent": "claude"}
        if number % 5 == 0:
            tell("UserPromptSubmit", {"prompt": f"please {number}"}, **common)
            continue
        tool = chance.choice(("Bash", "Bash", "Edit", "mcp__hub__get", "mcp__hub__put", "mcp__db__query"))
        use_id = f"call-{number}" if number % 7 else None
        given = {"command": chance.choice(COMMANDS)} if tool == "Bash" else {"file_path": f"/src/{number % 9}.py"}
        common |= {"tool_name": tool, "tool_use_id": use_id, "agent_id": "sub" if number % 11 == 0 else None}
        tell("PreToolUse", {"tool_input": given, "agent_type": "scout"}, status="pending", **common)
        if number % 13 == 0 or use_id is None:
            continue
        if number % 17 == 0:
            tell("PermissionDenied", {"tool_input": given, "reason": "not here"}, status="denied", **common)
            continue
        failed = number % 6 == 0
        meta = {"execution": {"error_code": f"exit:{number % 3}", "error_message": "no"}} if failed else None
        duration = round(chance.random() * 5_000, 1) if number % 3 else None
        fields = common | {"duration_ms": duration, "meta": meta}
        status = "error" if failed else "ok"
        tell("PostToolUse", {"tool_input": given}, status=status, error=int(failed), **fields)
    return told


class Case(NamedTuple):
    """A root, and what was told to it."""

    root: str
    told: list[Told]


@pytest.fixture(scope="module", params=["read", "counted", "late"])
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """The events, as they lie in the store: without statistics, with them, and some that came after those were made."""
    root = str(tmp_path_factory.mktemp(request.param) / "root")
    everything = generated()
    first = everything if request.param != "late" else [one for at, one in enumerate(everything) if at % 9]
    late = [one for at, one in enumerate(everything) if not at % 9] if request.param == "late" else []
    with Store(root) as store:
        for events, maintained in ((first, request.param != "read"), (late, False)):
            for context in ("alpha", "beta"):
                store.append([one.event for one in events if one.context == context], context)
            if maintained:
                Maintenance(root, least_events=1).run(store.catalog.partitions(), 60_000)
        for part in store.catalog.parts():
            reader = connect.open_reader(part.path)
            hours = reader.execute("select count(*) from eyelet_hours").fetchone()[0]
            reader.close()
            assert hours == (24 if request.param != "read" else 0)
    return Case(root, everything)


@pytest.fixture
def told(case: Case) -> list[Told]:
    return case.told


@pytest.fixture(scope="module", params=["attached", "extension"])
def days(request: pytest.FixtureRequest, case: Case) -> Iterator[Across]:
    extended = request.param == "extension"
    if extended and (reason := connect.load_extension(connect.open_memory())):
        pytest.skip(reason)
    with Store(case.root) as store:
        across = Across(store.roots, may_extend=extended)
        assert across.covers.extended is extended
        yield across
        across.close()


def run(days: Across, name: str, **given: str) -> list[Row]:
    """The rows; what is not given is '', as Datasette binds it."""
    asked = {**dict.fromkeys(QUERIES[name].parameters, ""), **given}
    cursor = days.conn.execute(QUERIES[name].sql, asked)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def utc(us: int, form: str = "%Y-%m-%d %H:%M") -> str:
    return datetime.fromtimestamp(us // 10**6, timezone.utc).strftime(form)


def newest_first(told: list[Told]) -> list[int]:
    return sorted((one.id for one in told), reverse=True)


def test_by_prefix_means_what_the_search_means_by_src(days: Across, told: list[Told]) -> None:
    for pattern in PATTERNS:
        plain = pattern[:-1] if pattern.endswith("*") else None
        expected = [
            one
            for one in told
            if pattern == ""
            or (one.event.src.startswith(plain) if plain is not None else f"{one.event.src}.".startswith(f"{pattern}."))
        ]
        found = [row["id"] for row in run(days, "by_prefix", src=pattern, limit="1000000")]
        assert found == newest_first(expected), pattern


def test_errors_and_denials_are_the_newest(days: Across, told: list[Told]) -> None:
    failed = [one for one in told if one.event.error]
    found = run(days, "errors", limit="1000000")
    assert [row["id"] for row in found] == newest_first(failed)
    assert {row["error_message"] for row in found} == {"no"}
    denied = run(days, "denials")
    assert [row["id"] for row in denied] == newest_first([one for one in told if one.event.status == "denied"])
    assert {row["reason"] for row in denied} == {"not here"}
    assert run(days, "errors", limit="3") == found[:3]


def test_error_codes_are_ranked(days: Across, told: list[Told]) -> None:
    codes = Counter(one.event.meta["execution"]["error_code"] for one in told if one.event.meta)  # type: ignore[index]
    found = {row["error_code"]: row["error_events"] for row in run(days, "error_codes", **ALL)}
    assert found == dict(codes)
    assert list(found) == sorted(codes, key=lambda code: (-codes[code], code))


def test_a_session_is_told_in_order_over_its_days_and_goes_on(days: Across, told: list[Told]) -> None:
    expected = sorted(one.id for one in told if one.event.session_id == "s-3")
    assert len({id_ // DAY_US for id_ in expected}) == DAYS
    assert [row["id"] for row in run(days, "session", session_id="s-3")] == expected
    after = run(days, "session", session_id="s-3", after=str(expected[10]), limit="5")
    assert [row["id"] for row in after] == expected[11:16]
    latest = max(told, key=lambda one: one.id).event.session_id
    assert run(days, "session") == run(days, "session", session_id=latest)


def test_sessions_of_a_project_are_those_of_its_folder(days: Across, told: list[Told]) -> None:
    expected: dict[tuple[str, str], list[Told]] = defaultdict(list)
    for one in told:
        expected[one.context, one.event.session_id].append(one)
    found = {(row["context_name"], row["session_id"]): row for row in run(days, "sessions_of_project", **ALL)}
    assert found.keys() == expected.keys()
    for key, ones in expected.items():
        newest = max(ones, key=lambda one: one.id)
        assert found[key]["events"] == len(ones)
        assert found[key]["error_events"] == sum(one.event.error or 0 for one in ones)
        assert found[key]["last_id"] == newest.id and found[key]["project_dir"] == newest.event.project_dir
        assert found[key]["first_utc"][:16] == utc(min(one.id for one in ones))
    mine = {key for key, row in found.items() if row["project_dir"] in ("/work/one", "/work/one/inner")}
    narrowed = run(days, "sessions_of_project", **ALL, project="/work/one")
    assert {(row["context_name"], row["session_id"]) for row in narrowed} == mine


def calls_of(told: list[Told]) -> dict[str, list[Told]]:
    calls: dict[str, list[Told]] = defaultdict(list)
    for one in told:
        if one.event.tool_name:
            calls[one.call].append(one)
    return calls


def duration_of(call: list[Told]) -> float | None:
    said = [one.event.duration_ms for one in call if one.event.duration_ms is not None]
    answered = [one.id for one in call if one.event.status != "pending"]
    if said:
        return max(said)
    return (min(answered) - min(one.id for one in call)) / 1000 if answered else None


def test_tools_have_calls_failures_and_percentiles(days: Across, told: list[Told]) -> None:
    by_tool: dict[str, list[list[Told]]] = defaultdict(list)
    for call in calls_of(told).values():
        by_tool[str(call[0].event.tool_name)].append(call)
    found = {row["tool_name"]: row for row in run(days, "tools", **ALL)}
    assert found.keys() == by_tool.keys()
    for tool, calls in by_tool.items():
        durations = sorted(one for call in calls if (one := duration_of(call)) is not None)
        row = found[tool]
        assert row["calls"] == len(calls)
        assert row["failed_calls"] == sum(any(one.event.error for one in call) for call in calls)
        for name, part in (("p50_ms", 0.5), ("p95_ms", 0.95), ("max_ms", 1.0)):
            assert row[name] == pytest.approx(durations[math.ceil(part * len(durations)) - 1], abs=0.051)


def test_the_slowest_calls_come_first(days: Across, told: list[Told]) -> None:
    durations = sorted(
        (one for call in calls_of(told).values() if (one := duration_of(call)) is not None), reverse=True
    )
    found = run(days, "slowest", **{**ALL, "limit": "25"})
    assert [row["duration_ms"] for row in found] == pytest.approx(durations[:25], abs=0.051)
    assert all(row["what"] for row in found)


def test_hours_have_their_counts(days: Across, told: list[Told]) -> None:
    events = Counter(utc(one.id, "%Y-%m-%d %H:00") for one in told)
    errors = Counter(utc(one.id, "%Y-%m-%d %H:00") for one in told if one.event.error)
    expected = [(hour, events[hour], errors[hour]) for hour in sorted(events, reverse=True)]
    assert [tuple(row.values()) for row in run(days, "hourly", **ALL)] == expected


def test_files_and_commands_count_each_call_once(days: Across, told: list[Told]) -> None:
    for name, tool, field, column in (
        ("files", "Edit", "file_path", "file"),
        ("commands", "Bash", "command", "command"),
    ):
        calls = [call for call in calls_of(told).values() if call[0].event.tool_name == tool]
        counted = Counter(call[0].data["tool_input"][field] for call in calls)
        failed = Counter(call[0].data["tool_input"][field] for call in calls if any(one.event.error for one in call))
        found = [(row[column], row["calls"], row["failed_calls"]) for row in run(days, name, **ALL)]
        assert found == sorted(((one, counted[one], failed[one]) for one in counted), key=lambda row: (-row[1], row[0]))


def test_prompts_are_what_people_asked(days: Across, told: list[Told]) -> None:
    asked = sorted((one for one in told if one.event.hook_type == "UserPromptSubmit"), key=lambda one: -one.id)
    found = run(days, "prompts", limit="1000000")
    assert [(row["id"], row["prompt"]) for row in found] == [(one.id, one.data["prompt"]) for one in asked]
    mine = [one.id for one in asked if one.event.session_id == "s-2"]
    assert [row["id"] for row in run(days, "prompts", session_id="s-2", limit="1000000")] == mine


def test_mcp_servers_are_told_from_tools(days: Across, told: list[Told]) -> None:
    names = [str(one.event.tool_name) for one in told if str(one.event.tool_name).startswith("mcp__")]
    expected = Counter(name.split("__")[1] for name in names)
    found = {row["server"]: (row["events"], row["tools"]) for row in run(days, "mcp_servers", **ALL)}
    assert found == {server: (events, 2 if server == "hub" else 1) for server, events in expected.items()}


def test_subagents_have_what_they_did(days: Across, told: list[Told]) -> None:
    expected = Counter((one.context, one.event.session_id) for one in told if one.event.agent_id)
    found = run(days, "subagents", **ALL)
    assert {(row["context_name"], row["session_id"]): row["events"] for row in found} == dict(expected)
    assert {row["agent_type"] for row in found} == {"scout"}


def test_a_day_stands_beside_the_day_before(days: Across, told: list[Told]) -> None:
    day = START_US + 2 * DAY_US
    that = [one for one in told if day <= one.id < day + DAY_US]
    before = [one for one in told if day - DAY_US <= one.id < day]
    until = max(one.id for one in that) // HOUR_US * HOUR_US + HOUR_US - DAY_US
    found = {
        row["what"]: (row["that_day"], row["day_before_by_then"], row["day_before"])
        for row in run(days, "compare", day="2026-03-22")
    }
    so_far = [one for one in before if one.id < until]
    assert found["events"] == (len(that), len(so_far), len(before))
    for what, chosen in (
        ("errors", lambda one: one.event.error),
        ("prompts", lambda one: one.event.hook_type == "UserPromptSubmit"),
        ("Bash", lambda one: one.event.tool_name == "Bash"),
    ):
        assert found[what] == tuple(sum(bool(chosen(one)) for one in ones) for ones in (that, so_far, before)), what
    assert found["sessions"][0] == len({one.event.session_id for one in that})


@pytest.mark.parametrize(
    "pattern", ["git push*", "git push:*", "*.env", "ls [a]", "", "ls ?", "make test", "make test:*"]
)
def test_a_rule_would_have_met_these_calls(days: Across, told: list[Told], pattern: str) -> None:
    def meets(command: str) -> bool:
        if pattern.endswith(":*"):
            parts = [part.strip(" ") for part in re.split(r"&&|\|\||[|;\n]", command)]
            return any(part == pattern[:-2] or part.startswith(pattern[:-2] + " ") for part in parts)
        escaped = pattern.replace("[", "[[]").replace("?", "[?]")
        return not pattern or fnmatch.fnmatchcase(command, escaped)

    calls = [call for call in calls_of(told).values() if call[0].event.tool_name == "Bash"]
    expected = Counter(str(call[0].data["tool_input"]["command"]) for call in calls)
    found = run(days, "would_deny", tool="Bash", pattern=pattern, **ALL)
    assert {row["what"]: row["calls"] for row in found} == {c: n for c, n in expected.items() if meets(c)}
    assert run(days, "would_deny", pattern=pattern, **ALL) == found, "Bash where no tool is given"


def test_a_rule_on_the_tools_of_a_server_meets_them_all(days: Across, told: list[Told]) -> None:
    found = Counter(row["tool_name"] for row in run(days, "would_deny", tool="mcp__hub__*", **ALL))
    assert set(found) == {"mcp__hub__get", "mcp__hub__put"}


def test_times_are_read_as_people_write_them(days: Across, told: list[Told]) -> None:
    day = [one.id for one in told if START_US + DAY_US <= one.id < START_US + 2 * DAY_US]
    for since, until in (("2026-03-21", "2026-03-21"), ("2026-03-21 00:00", "2026-03-22 00:00:00")):
        found = run(days, "by_prefix", since=since, until=until, limit="1000000")
        assert [row["id"] for row in found] == sorted(day, reverse=True), since
    for nothing in ("nonsense", "99-99", "-7d"):
        assert len(run(days, "by_prefix", since=nothing, limit="1000000")) == len(told), nothing
    assert run(days, "by_prefix", since="1h") == run(days, "by_prefix", since="today") == []


def test_counts_are_exact_for_every_column(days: Across, told: list[Told]) -> None:
    expected: Counter[tuple[str, int, str, str]] = Counter()
    failed: Counter[tuple[str, int, str, str]] = Counter()
    for one in told:
        for field in statistics.FIELDS:
            value = getattr(one.event, field, None)
            if field == "error_code" and one.event.meta:
                value = one.event.meta["execution"]["error_code"]  # type: ignore[index]
            if value is not None:
                key = (one.context, one.id // HOUR_US * HOUR_US, field, str(value))
                expected[key] += 1
                failed[key] += one.event.error or 0
    sql = "select context_name, hour_us, field, value, sum(events), sum(errors) from counts group by 1, 2, 3, 4"
    found = {tuple(row[:4]): row[4:] for row in days.conn.execute(sql)}
    assert found == {key: (expected[key], failed[key]) for key in expected}
    daily: Counter[tuple[str, int, str, str]] = Counter()
    for (context, hour_us, field, value), events in expected.items():
        daily[context, hour_us // DAY_US * DAY_US, field, value] += events
    sql = "select context_name, day_us, field, value, sum(events) from daily_counts group by 1, 2, 3, 4"
    assert {tuple(row[:4]): row[4] for row in days.conn.execute(sql)} == daily


def test_sources_and_sessions_add_up_to_their_events(days: Across, told: list[Told]) -> None:
    sources = days.conn.execute("select context_name, src, events, last_id from sources").fetchall()
    counted = Counter((one.context, one.event.src) for one in told)
    newest = {(one.context, one.event.src): one.id for one in sorted(told, key=lambda one: one.id)}
    assert {tuple(row[:2]): row[2:] for row in sources} == {key: (counted[key], newest[key]) for key in counted}
    of_session = defaultdict(list)
    for one in told:
        of_session[one.context, one.event.session_id].append(one.id)
    rows = days.conn.execute("select context_name, session_id, first_id, last_id, events from sessions").fetchall()
    assert {tuple(row[:2]): row[2:] for row in rows} == {
        key: (min(ids), max(ids), len(ids)) for key, ids in of_session.items()
    }


def test_calls_are_those_that_the_store_lists(days: Across, case: Case) -> None:
    with Store(case.root) as store:
        listed = store.calls(Filter(), limit=1_000_000).rows
    found = days.conn.execute("select session_id, tool_use_id, id, status, duration_ms from calls order by id desc")
    assert [(*row[:4], row[4] and round(row[4], 1)) for row in found] == [
        (call.session_id, call.tool_use_id, call.id, call.status, call.duration_ms and round(call.duration_ms, 1))
        for call in listed
    ]


def test_a_call_over_midnight_is_one_row_of_calls(store: Store, make_event: Callable[..., Event]) -> None:
    asked, answered = START_US + DAY_US - 1_000_000, START_US + DAY_US + 2_000_000
    common = {"tool_name": "Bash", "tool_use_id": "t", "session_id": "s", "origin": "hook"}
    never = {**common, "tool_use_id": "never"}
    store.append(
        [
            make_event(asked, hook_type="PreToolUse", status="pending", **common),
            make_event(asked + 1, hook_type="PreToolUse", status="pending", **never),
            make_event(answered, hook_type="PostToolUse", status="ok", **common),
        ]
    )
    across = Across(store.roots)
    rows = across.conn.execute("select call, id, question_id, answer_id, status, duration_ms from calls order by id")
    assert rows.fetchall() == [
        ("never", asked + 1, asked + 1, None, "unknown", None),
        ("t", answered, asked, answered, "ok", 3000.0),
    ]
    across.close()


def test_what_another_program_wrote_into_a_day_fails_no_query(store: Store, make_event: Callable[..., Event]) -> None:
    store.append(
        [make_event(START_US + 5, tool_name="Bash", session_id="s", status="pending", data='{"tool_input": "ls"}')]
    )
    (part,) = store.catalog.parts()
    conn = connect.open_writer(part.path)
    conn.execute("pragma ignore_check_constraints = on")
    conn.execute("update hooks set data = '{broken', tool_name = x'fffe', error = 'x'")
    conn.execute(
        "insert into hooks (id, uid, arrived, timestamp, hook_type, tool_name, status, data, meta, session_id) values "
        f"({START_US + 9}, randomblob(16), 9, {START_US / 1e6}, 'user', 'Bash', 'pending', '[', '{{}}', x'ff')"
    )
    conn.close()
    across = Across(store.roots)
    for query in ready.QUERIES:
        run(across, query.name, **({"since": "2026-01-01"} if "since" in query.parameters else {}))
    across.close()


@pytest.mark.parametrize("name", [name for name in QUERIES if name != "session"])
def test_a_range_opens_no_other_day(store: Store, make_event: Callable[..., Event], name: str) -> None:
    if reason := connect.load_extension(connect.open_memory()):
        pytest.skip(reason)
    common = {"tool_name": "Bash", "session_id": "s", "tool_use_id": "t", "status": "pending", "agent_id": "a"}
    store.append([make_event(START_US + day * DAY_US + 5, **common) for day in range(DAYS)])
    for day in (0, DAYS - 1):
        Path(store.catalog.parts()[day].path).write_bytes(b"garbage" * 1000)
    days = store.all_days()
    asked = {"since": "2026-03-22", "until": "2026-03-22", "day": "2026-03-22", "src": "", "tool": "*"}
    run(days, name, **{key: value for key, value in asked.items() if key in QUERIES[name].parameters})
    assert days.conn.execute("select date, error from eyelet_trouble").fetchall() == []
    days.conn.execute("select count(*) from hooks").fetchall()
    assert len(days.conn.execute("select date from eyelet_trouble").fetchall()) == 2, "this is what opening them leaves"
    days.close()


@pytest.mark.parametrize("name", [name for name, query in QUERIES.items() if " counts" not in query.sql])
def test_no_query_looks_at_every_row_of_an_attached_day(case: Case, name: str) -> None:
    with Store(case.root) as store:
        days = Across(store.roots, may_extend=False)
        asked = dict.fromkeys(QUERIES[name].parameters, "")
        plan = [row[3] for row in days.conn.execute(f"explain query plan {QUERIES[name].sql}", asked)]
        days.close()
    rows = [line for line in plan if re.match(r"(SCAN|SEARCH) d[0-9]+\.hooks", line)]
    assert rows and all(line.startswith("SEARCH") or "USING INDEX" in line for line in rows), (rows, days.covers)


def test_no_query_hides_a_table() -> None:
    assert not {"partitions", *all_days.RELATIONS, *all_days.VIEWS} & set(QUERIES)


def test_every_description_names_every_parameter() -> None:
    for query in ready.QUERIES:
        for parameter in query.parameters:
            assert parameter in query.description, (query.name, parameter)
            assert f":{parameter}" in query.sql


def test_the_documentation_names_every_query_and_parameter() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "queries.md").read_text("utf-8")
    over_days = text[text.index("# Over all days") :]
    for query in ready.QUERIES:
        (line,) = [line for line in over_days.splitlines() if line.startswith(f"| `{query.name}` |")]
        for parameter in query.parameters:
            assert parameter in ("since", "until", "limit") or f"`{parameter}`" in line, (query.name, parameter)
