"""Every flag of the vocabulary, every form of output, and a clear answer to whatever is asked wrongly."""

import csv
import io
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from eyelet_ingest.cli import cli
from eyelet_ingest.cli.output import EVENT_FIELDS
from eyelet_ingest.events import Event
from eyelet_ingest.store import layout
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

Row = dict[str, object]
MakeEvent = Callable[..., Event]

START_US = 1_773_792_000_000_000  # 2026-03-18T00:00:00Z
HOUR_US = 3_600_000_000
COUNT = 60
TOOLS = (("Bash", "claude.posttooluse.bash.git"), ("Read", "claude.posttooluse.read"), (None, "claude.stop"))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Five days of events in two contexts, each field with a few values; returns the root, which nobody changes."""
    root = str(tmp_path_factory.mktemp("recorded"))
    with Store(root) as store:
        for at, context in enumerate(("alpha", "beta")):
            store.append([event_of(n) for n in range(COUNT) if n % 2 == at], context)
    return root


@pytest.fixture
def own(recorded: str, root: str) -> str:
    """A copy of the same root that a test may spoil."""
    shutil.copytree(recorded, root)
    return root


def event_of(n: int) -> Event:
    tool, src = TOOLS[n % 3]
    failed = n % 7 == 0
    return Event(
        time_us=START_US + n * 2 * HOUR_US,
        uid=os.urandom(16),
        hook_type="PostToolUse" if tool else "Stop",
        tool_name=tool,
        src=src,
        session_id=f"session-{n % 4}",
        status="error" if failed else "ok",
        error=int(failed),
        agent=("claude", "codex")[n % 5 == 0],
        model=("opus", "haiku")[n % 6 == 0],
        data=json.dumps({"tool_input": {"command": f"echo {n}"}, "note": "a needle" if n % 5 == 0 else "hay"}),
        meta={
            "git": {"branch": ("main", "topic")[n % 4 == 0]},
            "execution": {"error_code": f"exit:{n % 2 + 1}"} if failed else {},
        },
    )


def run(*args: str, root: str, **given: object) -> Result:
    return CliRunner().invoke(cli, ["query", *args, "--root", root], **given)  # type: ignore[arg-type]


def rows(*args: str, root: str) -> list[Row]:
    result = run(*args, "--nl", root=root)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def everything(root: str) -> list[Row]:
    return rows("search", "--limit", "0", root=root)


def iso(us: int) -> str:
    return datetime.fromtimestamp(us / 1e6, timezone.utc).isoformat()


FLAGS: tuple[tuple[Sequence[str], Callable[[Row], bool]], ...] = (
    (("--since", "2026-03-20"), lambda row: int(str(row["id"])) >= START_US + 48 * HOUR_US),
    (("--until", "2026-03-20"), lambda row: int(str(row["id"])) < START_US + 72 * HOUR_US),
    (
        ("--since", "2026-03-19T06:00Z", "--until", "2026-03-19T12:00Z"),
        lambda row: row["id"] in range(START_US + 30 * HOUR_US, START_US + 36 * HOUR_US),
    ),
    (("--since", "2026-03-20", "--tz", "Asia/Tokyo"), lambda row: int(str(row["id"])) >= START_US + 39 * HOUR_US),
    (("--context", "alpha"), lambda row: row["context_name"] == "alpha"),
    (("--src", "claude.posttooluse"), lambda row: str(row["src"]).startswith("claude.posttooluse.")),
    (("--src", "claude.posttooluse.bash", "--src", "claude.stop"), lambda row: row["tool_name"] != "Read"),
    (("--src", "claude.s*"), lambda row: row["src"] == "claude.stop"),
    (("--type", "Stop"), lambda row: row["hook_type"] == "Stop"),
    (("--hook-type", "PostToolUse"), lambda row: row["hook_type"] == "PostToolUse"),
    (("--tool", "Bash"), lambda row: row["tool_name"] == "Bash"),
    (("--tool", "Bash", "--tool", "Read"), lambda row: row["tool_name"] in ("Bash", "Read")),
    (("--session", "session-2"), lambda row: row["session_id"] == "session-2"),
    (("--status", "error"), lambda row: row["status"] == "error"),
    (("--errors",), lambda row: row["error"] == 1),
    (("--error-code", "exit:1"), lambda row: row["error_code"] == "exit:1"),
    (("--error-code", "exit:1", "--error-code", "exit:2"), lambda row: row["error"] == 1),
    (("--branch", "topic"), lambda row: row["git_branch"] == "topic"),
    (("--agent", "codex"), lambda row: row["agent"] == "codex"),
    (("--model", "haiku"), lambda row: row["model"] == "haiku"),
    (("--text", "NEEDLE"), lambda row: "needle" in json.dumps(row["data"])),
    (
        ("--tool", "Bash", "--errors", "--context", "alpha"),
        lambda row: row["tool_name"] == "Bash" and row["error"] == 1 and row["context_name"] == "alpha",
    ),
)


@pytest.mark.parametrize(("flags", "wanted"), FLAGS, ids=[" ".join(flags) for flags, _ in FLAGS])
def test_a_flag_finds_exactly_the_events_it_names(
    flags: Sequence[str], wanted: Callable[[Row], bool], recorded: str
) -> None:
    whole = everything(recorded)
    expected = [row for row in whole if wanted(row)]
    assert 0 < len(expected) < len(whole) == COUNT
    found = rows("search", *flags, "--limit", "0", root=recorded)
    snippets = [row.pop("snippet", None) for row in found]
    assert found == expected
    assert "--text" not in flags or all(snippets)


def test_a_range_is_counted_back_from_now(own: str, make_event: MakeEvent) -> None:
    now_us = time.time_ns() // 1_000
    with Store(own) as store:
        store.append([make_event(now_us - 60_000_000), make_event(now_us - 3 * HOUR_US)])
    assert len(rows("search", "--range", "15m", root=own)) == 1
    assert len(rows("search", "--range", "6h", root=own)) == 2
    assert len(rows("search", "--range", "all", root=own)) == COUNT + 2
    assert len(rows("search", "--since", "now-1h", "--range", "all", root=own)) == 1


def test_events_come_newest_first_and_a_session_oldest_first(recorded: str) -> None:
    ids = [int(str(row["id"])) for row in everything(recorded)]
    assert ids == sorted(ids, reverse=True)
    story = [int(str(row["id"])) for row in rows("session", "session-1", root=recorded)]
    assert story == sorted(story) and len(story) == COUNT // 4


@pytest.mark.parametrize(
    "command",
    [("search",), ("grep", "echo"), ("errors",), ("session", "session-0"), ("search", "--tool", "Read")],
    ids=" ".join,
)
def test_pages_by_their_cursor_give_every_event_once_and_in_order(command: tuple[str, ...], recorded: str) -> None:
    whole = rows(*command, "--limit", "0", root=recorded)
    paged: list[Row] = []
    more: list[str] = []
    while True:
        result = run(*command, "--limit", "7", "--nl", *more, root=recorded)
        paged += [json.loads(line) for line in result.stdout.splitlines()]
        hints = [line for line in result.stderr.splitlines() if line.startswith("more: ")]
        if not hints:
            break
        more = hints[0].removeprefix("more: ").split()
        assert more[0] == "--after"
    assert paged == whole and len(whole) > 7


def test_a_search_shows_100_events_unless_told_and_a_session_all(store: Store, make_event: MakeEvent) -> None:
    store.append(make_event(START_US + n, session_id="long") for n in range(250))
    assert len(rows("search", root=store.root)) == 100
    assert len(rows("search", "--limit", "3", root=store.root)) == 3
    assert len(rows("search", "--limit", "0", root=store.root)) == 250
    assert len(rows("search", "--limit", str(10**30), root=store.root)) == 250
    assert len(rows("session", "long", root=store.root)) == 250
    assert len(run("search", "--limit", "0", root=store.root).stdout.splitlines()) == 251


def test_a_result_of_any_length_is_read_a_page_at_a_time(
    store: Store, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.append(make_event(START_US + n) for n in range(350))
    asked: list[int] = []
    search = Store.search

    def counted(self: Store, where: Filter, *, limit: int, **more: object) -> object:
        asked.append(limit)
        return search(self, where, limit=limit, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Store, "search", counted)
    result = run("search", "--limit", "0", "--json", root=store.root)
    assert len(json.loads(result.stdout)) == 350
    assert asked == [100] * 4
    assert "4 pages over 1 partition" in result.stderr


def test_json_nl_and_csv_hold_the_rows_of_the_store(recorded: str) -> None:
    with Store(recorded) as store:
        found = store.search(Filter(), limit=COUNT).rows
    lines = everything(recorded)
    assert json.loads(run("search", "--json", root=recorded).stdout) == lines
    assert len(lines) == len(found) == COUNT
    for line, row in zip(lines, found, strict=True):
        assert tuple(line) == EVENT_FIELDS
        assert line == {name: row[name] for name in EVENT_FIELDS} | {
            "data": json.loads(str(row["data"])),
            "meta": json.loads(str(row["meta"])),
        }
    table = list(csv.DictReader(io.StringIO(run("search", "--csv", root=recorded).stdout)))
    for cells, row in zip(table, found, strict=True):
        assert tuple(cells) == EVENT_FIELDS
        assert json.loads(cells["data"]) == json.loads(str(row["data"]))
        assert cells["id"] == str(row["id"]) and cells["tool_name"] == (row["tool_name"] or "")


def test_nothing_found_is_empty_output_of_the_form_asked_for_and_no_failure(root: str) -> None:
    os.mkdir(root)
    assert json.loads(run("search", "--json", root=root).stdout) == []
    assert run("search", "--nl", root=root).stdout == ""
    assert run("search", "--csv", root=root).stdout == ",".join(EVENT_FIELDS) + "\n"
    result = run("search", "--range", "today", root=root)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "no events found (today, UTC)\n0 of 0 partitions scanned, 0 ms\n"
    assert run("errors", root=root).exit_code == run("summary", root=root).exit_code == 0


@pytest.mark.parametrize("dangling", [False, True])
def test_a_root_that_is_not_there_is_told_and_is_no_failure(dangling: bool, root: str, tmp_path: Path) -> None:
    if dangling:
        Path(root).symlink_to(tmp_path / "gone")
    what = ", a link to nothing" if dangling else ""
    for command, stdout in ((("search", "--json"), "[]\n"), (("errors", "--nl"), ""), (("grep", "x"), "")):
        result = run(*command, root=root)
        assert (result.exit_code, result.stdout) == (0, stdout)
        assert result.stderr.startswith(f"eyelet: (no such folder: {root}{what})\n")
    assert run("session", "s", root=root).exit_code == 1
    assert not os.path.exists(root)


def test_a_table_shows_each_event_in_the_zone_asked_for(recorded: str) -> None:
    result = run("search", "--limit", "2", "--tz", "Europe/Berlin", root=recorded)
    head, first, second = result.stdout.splitlines()
    assert head.split() == ["time", "context", "src", "tool", "status", "what"]
    assert first == "2026-03-22 23:00:00.000  beta     claude.stop                    ok      echo 59"
    assert second.split()[4] == "Read"
    assert "2026-03-18 22:00:00" in run("search", root=recorded, env={"COLUMNS": "90"}).stdout


def test_a_table_fits_the_terminal(recorded: str) -> None:
    for width in (40, 60, 80, 120):
        shown = run("search", root=recorded, env={"COLUMNS": str(width)}).stdout
        assert max(map(len, shown.splitlines())) <= width


def test_the_truth_about_the_search_goes_to_stderr(recorded: str) -> None:
    result = run("search", "--since", "2026-03-19", "--until", "2026-03-19", root=recorded)
    assert result.stderr.startswith("2 of 10 partitions scanned, ") and result.stderr.endswith(" ms\n")


def test_a_day_that_is_garbage_is_named_and_hides_no_other(own: str) -> None:
    key = layout.key_for("alpha", START_US)
    with open(layout.db_path(own, key), "wb") as file:
        file.write(b"this is no database, whatever its name says" * 200)
    for suffix in ("-wal", "-shm"):
        Path(layout.db_path(own, key) + suffix).unlink(missing_ok=True)
    for command in (("search", "--limit", "0"), ("errors",), ("summary",), ("session", "session-1")):
        result = run(*command, root=own)
        assert result.exit_code == 0 and result.stdout
        assert "1 unreadable: alpha 2026-03-18 (" in result.stderr
    assert len(everything(own)) == COUNT - 6


def test_pages_count_a_day_that_is_garbage_once(own: str) -> None:
    """Also where the cursor has passed it, and the later pages skip it."""
    for day in (1, 3):
        Path(layout.db_path(own, layout.key_for("alpha", START_US + day * 24 * HOUR_US))).write_bytes(b"garbage" * 999)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("eyelet_ingest.cli.pages.PAGE_ROWS", 5)
        for command in (("search", "--limit", "0"), ("search", "--limit", "35"), ("session", "session-0")):
            result = run(*command, root=own)
            assert re.search(r"^\d+ pages over 10 partitions, \d+ ms, 2 unreadable: ", result.stderr, re.MULTILINE)


def test_a_session_is_told_with_its_facts(recorded: str) -> None:
    shown = run("session", "session-1", root=recorded).stdout.splitlines()
    assert shown[0].startswith("session session-1: 15 events, 2 errors, ")
    assert shown[1] == "2026-03-18 02:00:00.000 to 2026-03-22 18:00:00.000, UTC"
    assert len(shown) == 4 + 15


def test_an_unknown_session_is_said_to_be_one(recorded: str) -> None:
    for form in ((), ("--json",), ("--nl",), ("--csv",)):
        result = run("session", "session-9\x1b", *form, root=recorded)
        assert (result.exit_code, result.stdout) == (1, "")
        assert "there is no session 'session-9\\x1b'" in result.stderr


def test_a_known_session_of_which_nothing_matches_is_no_failure(recorded: str) -> None:
    result = run("session", "session-1", "--tool", "Nothing", "--json", root=recorded)
    assert result.exit_code == 0 and json.loads(result.stdout) == []
    assert run("session", "session-1", "--context", "alpha", root=recorded).exit_code == 1


def test_errors_are_ranked_by_code_and_the_newest_failures_follow(recorded: str) -> None:
    failed = [row for row in everything(recorded) if row["error"]]
    assert rows("errors", root=recorded) == failed
    shown = run("errors", "--limit", "2", root=recorded).stdout.splitlines()
    assert shown[0].split() == ["error", "code", "events"]
    assert shown[1].split() == ["exit:1", "5"] and shown[2].split() == ["exit:2", "4"]
    assert shown[4].split() == ["time", "context", "src", "tool", "code", "what"]
    assert len(shown) == 7 and "exit:1" in shown[5]


def test_a_failure_without_a_code_is_counted_too(store: Store, make_event: MakeEvent) -> None:
    store.append([make_event(START_US, status="error", error=1)])
    assert "(no code)" in run("errors", root=store.root).stdout


def test_a_summary_adds_up(recorded: str) -> None:
    whole = everything(recorded)
    found = json.loads(run("summary", "--json", root=recorded).stdout)
    assert found["events"] == COUNT and found["sessions"] == 4 and found["errors"] == 9
    assert (found["first_us"], found["last_us"]) == (whole[-1]["id"], whole[0]["id"])
    assert sum(found["by_type"].values()) == sum(found["by_context"].values()) == COUNT
    assert found["by_tool"] == {"Bash": 20, "Read": 20}
    assert found["partitions"] == {"scanned": 10, "skipped": 0, "unreadable": []}
    assert json.loads(run("summary", "--nl", "--tool", "Bash", root=recorded).stdout)["events"] == 20
    lines = list(csv.DictReader(io.StringIO(run("summary", "--csv", root=recorded).stdout)))
    assert {"group": "status", "value": "error", "events": "9"} in lines
    shown = run("summary", root=recorded).stdout
    assert shown.startswith(f"{COUNT} events, 9 errors, 4 sessions (all time)\n")


def test_a_long_summary_says_how_much_it_leaves_out(store: Store, make_event: MakeEvent) -> None:
    store.append(make_event(START_US + n, tool_name=f"tool-{n:02d}") for n in range(20))
    assert "… and 5 more with 5 events" in run("summary", root=store.root).stdout
    assert len(json.loads(run("summary", "--json", root=store.root).stdout)["by_tool"]) == 20


def test_grep_finds_exactly_the_text_and_search_its_words(recorded: str) -> None:
    ids = [row["id"] for row in rows("grep", "needle", root=recorded)]
    assert ids == [row["id"] for row in rows("search", "--text", "needle", root=recorded)] != []
    assert [row["id"] for row in rows("grep", "a need", root=recorded)] == ids
    assert rows("search", "--text", "need", root=recorded) == rows("grep", "NEEDLE", root=recorded) == []
    assert rows("grep", "100%", root=recorded) == []


def test_a_row_that_was_found_by_its_text_says_where(recorded: str) -> None:
    row = rows("search", "--text", "needle echo", root=recorded)[0]
    text, hits = row["snippet"]["text"], row["snippet"]["hits"]
    assert {text[low:high] for low, high in hits} <= {"needle", "echo"} != set()
    assert "snippet" not in rows("search", "--limit", "1", root=recorded)[0]
    shown = run("search", "--text", "needle", root=recorded).stdout
    assert "needle" in shown and "\x02" not in shown and "\\x02" not in shown


def test_by_rank_the_best_comes_first(store: Store, make_event: MakeEvent) -> None:
    best, other = '{"say": "push push push"}', '{"say": "to push something that is long and about much else besides"}'
    store.append([make_event(START_US, data=best), make_event(START_US + 1, data=other)])
    assert [row["id"] for row in rows("search", "--text", "push", root=store.root)] == [START_US + 1, START_US]
    ranked = rows("search", "--text", "push", "--by", "rank", root=store.root)
    assert [row["id"] for row in ranked] == [START_US, START_US + 1]
    assert len(rows("search", "--text", "push", "--by", "rank", "--limit", "1", root=store.root)) == 1


@pytest.mark.parametrize(
    ("text", "place"),
    [('"git push', "character 1"), ("a OR", "character"), ("(a", "character"), ("nope:x", "command"), ("NEAR(a b", "")],
)
def test_a_text_that_cannot_be_meant_is_refused_with_the_place(recorded: str, text: str, place: str) -> None:
    for command in (["search", "--text", text], ["summary", "--text", text], ["errors", "--text", text]):
        result = run(*command, root=recorded)
        assert result.exit_code == 2
        assert "search text" in result.stderr and place in result.stderr
    assert run("grep", text, root=recorded).exit_code == 0, "as it stands"


def test_hostile_text_reaches_neither_terminal_nor_spreadsheet(store: Store, make_event: MakeEvent) -> None:
    nasty = "=cmd()\x1b]0;owned\x07\x9b31m\u202egnp.exe\r\nfake row\x00"
    event = make_event(
        START_US, tool_name=nasty, src=nasty, status=nasty, session_id=nasty, error=1,
        data=json.dumps({"tool_input": {"command": nasty}}, ensure_ascii=False),
    )  # fmt: skip
    store.append([event])
    session = ("session", nasty.rstrip("\x00"))
    for command in (("search",), ("errors",), ("summary",), ("grep", "owned")):
        for form in ((), ("--json",), ("--nl",), ("--csv",)):
            if command == ("summary",) and form == ("--nl",):
                continue
            printed = run(*command, *form, root=store.root)
            assert printed.exit_code == 0
            assert not set(printed.output) & set("\x1b\x07\x9b\u202e\r\x00")
            assert "\nfake row" not in printed.output
    assert run(*session, root=store.root).exit_code == 1  # a command line holds no NUL
    (row,) = rows("search", root=store.root)
    assert row["tool_name"] == nasty and row["data"] == {"tool_input": {"command": nasty}}
    (cells,) = csv.DictReader(io.StringIO(run("search", "--csv", root=store.root).stdout))
    assert cells["src"].startswith("'=cmd()\\x1b]0;owned")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("search", "--range", "fortnight"), "write one of 15m"),
        (("search", "--since", "teatime"), "'teatime'"),
        (("search", "--since", "1969-12-31"), "1970 to 2254"),
        (("search", "--since", "2026-03-20", "--until", "2026-03-18"), "since '2026-03-20' is later than until"),
        (("search", "--range", "5y"), "such as 3h or 10d"),
        (("search", "--status", "unknown"), "write one of ok, error, interrupted, denied, pending"),
        (("search", "--json", "--csv"), "exclude each other"),
        (("search", "--nl", "--json", "--nl"), "exclude each other"),
        (("summary", "--nl", "--csv"), "exclude each other"),
        (("search", "--tz", "Mars/Olympus"), "'Mars/Olympus'"),
        (("search", "--after", "forged"), "cursor"),
        (("search", "--after", "12.../../etc"), "cursor"),
        (("session", "session-1", "--after", "1.UPPER"), "cursor"),
        (("search", "--limit", "-1"), "--limit"),
        (("search", "--limit", "1e9"), "'1e9' is not a whole number from 0 on"),
        (("search", "--limit", "many"), "--limit"),
        (("search", "--colour", "red"), "--colour"),
        (("grep", ""), "empty"),
        (("grep", "\udcff"), "not UTF-8"),
        (("session", "\udcff"), "not UTF-8"),
        (("search", "--text", "a\udcff"), "the value of --text"),
        (("grep",), "TEXT"),
        (("session",), "ID"),
        (("search", "--text", "x" * 10_001), "text"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused_with_the_reason(
    args: tuple[str, ...], said: str, recorded: str
) -> None:
    result = run(*args, root=recorded)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr and "Traceback" not in result.stderr


def test_a_value_that_nothing_has_finds_nothing(recorded: str) -> None:
    for flag in (
        *("--context", "--src", "--type", "--tool", "--session", "--branch", "--agent", "--model", "--error-code"),
    ):
        assert rows("search", flag, "../../etc\u0fff", root=recorded) == []
        refused = run("search", flag, "../../etc\udcff", root=recorded)
        assert refused.exit_code == 2 and f"the value of {flag} " in refused.stderr
    assert rows("search", "--status", "interrupted", root=recorded) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_root_that_may_not_be_read_is_said_to_be_one(own: str) -> None:
    os.chmod(own, 0)
    try:
        result = run("search", root=own)
    finally:
        os.chmod(own, 0o700)
    assert result.exit_code == 1 and len(result.stderr.splitlines()) == 1
