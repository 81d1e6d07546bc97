"""`eyelet delete` and `eyelet retention`: what is said first is what goes, and nothing goes that was not said."""

import json
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase

import pytest
from click.testing import CliRunner, Result

from eyelet_ingest import pipeline
from eyelet_ingest.cli import cli
from eyelet_ingest.events import Event
from eyelet_ingest.store import archives, audit, layout
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

NOON_US = 1_774_008_000_000_000  # 2026-03-20T12:00:00Z
DAY_US = 86_400_000_000
NOW_US = time.time_ns() // 1_000

MakeEvent = Callable[..., Event]


def run(root: str, *args: str, given: str | None = None) -> Result:
    return CliRunner().invoke(cli, [*args, "--root", root], input=given)


@pytest.fixture
def three(store: Store, make_event: MakeEvent) -> Store:
    """Three days: of each, two events of the session `a` and one of `b`."""
    for n in range(3):
        at = NOON_US + n * DAY_US
        store.append([make_event(at + m, session_id="ab"[m // 2], project_dir=f"/home/{m}") for m in range(3)])
    return store


def count(store: Store) -> int:
    return store.count(Filter()).count


def test_a_dry_run_says_by_place_and_day_what_would_go(three: Store) -> None:
    done = run(three.root, "delete", "--session", "a", "--dry-run")
    assert done.exit_code == 0 and count(three) == 9
    assert done.stdout.splitlines() == [
        "Would delete 6 events of 3 days.",
        *(f"  days       default 2026-03-2{n}  2 events" for n in range(3)),
    ]


def test_what_was_said_first_goes_and_stands_in_the_audit(three: Store) -> None:
    told = json.loads(run(three.root, "delete", "--session", "a", "--dry-run", "--json").stdout)
    done = json.loads(run(three.root, "delete", "--session", "a", "--yes", "--json").stdout)
    assert told | {"dry_run": False} == done
    assert (done["events"], count(three)) == (6, 3)
    end, begin = audit.lines(three.root)
    assert (begin.action, end.action) == ("delete.begin", "delete.end")
    assert json.loads(begin.what) == {"session_id": "1 given"}
    assert json.loads(end.what)["events"] == 6


def test_nobody_to_ask_is_told_what_to_say_and_nothing_goes(three: Store) -> None:
    done = run(three.root, "delete", "--session", "a")
    assert done.exit_code == 2 and "--yes" in done.stderr and "Would delete 6 events" in done.stderr
    assert count(three) == 9


def test_everything_must_be_said(three: Store) -> None:
    done = run(three.root, "delete", "--yes")
    assert done.exit_code == 2 and "everything" in done.stderr
    assert count(three) == 9


def test_what_is_not_there_is_no_question(three: Store) -> None:
    done = run(three.root, "delete", "--session", "nobody")
    assert (done.exit_code, done.stdout) == (0, "Nothing to delete.\n")
    assert audit.lines(three.root) == []


def test_by_age_days_are_retired_and_an_import_does_not_bring_them_back(three: Store, tmp_path: Path) -> None:
    done = run(three.root, "delete", "--older-than", "2026-03-22", "--yes")
    assert done.exit_code == 0 and "6 events of 2 days" in done.stdout and "the whole day" in done.stdout
    log = tmp_path / "a.jsonl"
    log.write_text('{"hook_event_name": "Stop", "session_id": "s", "timestamp": "2026-03-21T10:00:00Z"}\n')
    again = run(three.root, "ingest", str(log))
    assert "1 record stayed away, deleted, retired or redacted earlier: --force brings them back." in again.stderr
    assert count(three) == 3
    assert run(three.root, "ingest", str(log), "--force").exit_code == 0
    assert count(three) == 4


def test_by_age_and_more_only_what_matches_goes(three: Store) -> None:
    done = json.loads(
        run(three.root, "delete", "--older-than", "2026-03-22", "--session", "b", "--yes", "--json").stdout
    )
    assert (done["events"], count(three)) == (2, 7)


def test_a_project_goes_with_what_lies_below(three: Store) -> None:
    done = json.loads(run(three.root, "delete", "--project", "/home/1", "--yes", "--json").stdout)
    assert (done["events"], count(three)) == (3, 6)


def test_a_day_in_trouble_is_named_and_the_exit_status_says_so(three: Store) -> None:
    Path(layout.db_path(three.root, layout.key_for("default", NOON_US))).write_bytes(b"no database" * 500)
    done = run(three.root, "delete", "--session", "a", "--yes")
    assert done.exit_code == 1 and "default 2026-03-20" in done.stderr and "4 events of 2 days" in done.stdout


TRANSCRIPT = [
    {"type": "user", "uuid": "u1", "parentUuid": None, "message": {"role": "user", "content": "first question"}},
    {
        **{"type": "assistant", "uuid": "a1", "parentUuid": "u1"},
        "message": {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "Bash", "input": {}}]},
    },
    {
        **{"type": "user", "uuid": "r1", "parentUuid": "a1", "toolUseResult": {"agentId": "sub"}},
        "message": {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "done"}]},
    },
    {"type": "assistant", "uuid": "s1", "isSidechain": True, "agentId": "sub", "message": {"content": "below"}},
    {"type": "last-prompt", "lastPrompt": "first question"},
    {"type": "user", "uuid": "u2", "parentUuid": "r1", "message": {"role": "user", "content": "second question"}},
    {"type": "assistant", "uuid": "a2", "parentUuid": "u2", "message": {"role": "assistant", "content": "answer"}},
]
HOOKS = [
    {"hook_event_name": "UserPromptSubmit", "prompt": "first question"},
    {"hook_event_name": "PreToolUse", "tool_name": "Bash", "tool_use_id": "t1", "tool_input": {}},
    {"hook_event_name": "Stop", "last_assistant_message": "of the first"},
    {"hook_event_name": "UserPromptSubmit", "prompt": "second question"},
    {"hook_event_name": "Stop", "last_assistant_message": "of the second"},
    {"hook_event_name": "Stop", "prompt_id": "u1", "last_assistant_message": "named"},
]


def test_a_prompt_goes_with_all_that_followed_from_it_and_no_further(root: str, tmp_path: Path) -> None:
    """Its answers, calls with every witness, subagents, and the hooks of its turn that name no prompt."""
    minutes = [(0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (1, 0), (1, 1)]
    lines = [
        one | {"sessionId": "s", "timestamp": f"2026-03-20T12:0{m}:0{s}Z"}
        for one, (m, s) in zip(TRANSCRIPT, minutes, strict=True)
    ]
    for one, at in zip(HOOKS, ("00:00", "00:01", "00:05", "01:00", "01:05", "02:00"), strict=True):
        lines.append(one | {"session_id": "s", "timestamp": f"2026-03-20T12:{at}.5Z"})
    other = {"hook_event_name": "Stop", "session_id": "other", "timestamp": "2026-03-20T12:00:03Z"}
    log = tmp_path / "s.jsonl"
    log.write_text("".join(json.dumps(one) + "\n" for one in [*lines, other]))
    assert pipeline.ingest([str(log)], root).stored == 14
    done = json.loads(run(root, "delete", "--prompt", "u1", "--yes", "--json").stdout)
    assert (done["events"], done["failed"]) == (9, [])
    with Store(root) as store:
        left = [str(row["data"]) for row in store.search(Filter()).rows]
    assert len(left) == 5
    assert not any("first" in data or "t1" in data or "below" in data or "named" in data for data in left)
    assert sum("second" in data for data in left) == 3


@pytest.mark.parametrize("flag", ["--prompt", "--project"])
def test_a_name_that_is_empty_is_refused(three: Store, flag: str) -> None:
    """A script's variable that is not set."""
    done = run(three.root, "delete", flag, "", "--yes")
    assert (done.exit_code, count(three)) == (2, 9)


def turn(n: int, session: str = "s", **said: object) -> str:
    record = {"hook_event_name": "Stop", "session_id": session, "timestamp": f"2026-03-{20 + n}T12:00:00Z"}
    return json.dumps(record | said) + "\n"


def test_a_prompt_goes_from_days_that_are_only_archived_and_by_links_that_only_they_hold(
    root: str, tmp_path: Path
) -> None:
    log = tmp_path / "s.jsonl"
    log.write_text(
        turn(0, hook_event_name="UserPromptSubmit", prompt="first", prompt_id="p1")
        + turn(0, hook_event_name="PreToolUse", tool_name="Bash", tool_use_id="t1", prompt_id="p1")
        + turn(1, hook_event_name="PostToolUse", tool_name="Bash", tool_use_id="t1", prompt_id="p2")
        + turn(1, hook_event_name="SubagentStop", tool_use_id="t1", last_assistant_message="of it")
        + turn(2, hook_event_name="UserPromptSubmit", prompt="second", prompt_id="p2")
    )
    pipeline.ingest([str(log)], root)
    archives.archive(root, layout.key_for("default", NOON_US), remove=True)
    planned = json.loads(run(root, "delete", "--prompt", "p1", "--dry-run", "--json").stdout)
    done = json.loads(run(root, "delete", "--prompt", "p1", "--yes", "--json").stdout)
    assert planned | {"dry_run": False} == done
    assert [(one["place"], one["day"], one["events"]) for one in done["days"]] == [
        *(("days", "2026-03-21", 1), ("archive", "2026-03-20", 2))
    ]
    archives.restore(root, layout.key_for("default", NOON_US))
    with Store(root) as store:
        assert [row["prompt_id"] for row in map(json.loads, left(store))] == ["p2", "p2"]


def left(store: Store) -> list[str]:
    return [str(row["data"]) for row in store.search(Filter()).rows]


@pytest.mark.parametrize("archived", [False, True])
def test_a_day_that_cannot_be_looked_through_for_a_prompt_is_named(root: str, tmp_path: Path, archived: bool) -> None:
    log = tmp_path / "s.jsonl"
    log.write_text("".join(turn(n, prompt_id="p1") for n in range(3)))
    pipeline.ingest([str(log)], root)
    key = layout.key_for("default", NOON_US)
    if archived:
        archives.archive(root, key, remove=True)
    path = Path(archives.path_of(root, key) if archived else layout.db_path(root, key))
    path.write_bytes(b"this is no database" * 500)
    for prompt, events in (("nobody", 0), ("p1", 2)):
        done = run(root, "delete", "--prompt", prompt, "--yes", "--json")
        told = json.loads(done.stdout)
        assert (done.exit_code, told["events"], [bad["day"] for bad in told["failed"]]) == (1, events, ["2026-03-20"])
    assert path.exists()


def test_a_damaged_archive_hinders_no_other_archive(three: Store) -> None:
    for n in range(3):
        archives.archive(three.root, layout.key_for("default", NOON_US + n * DAY_US), remove=True)
    Path(archives.path_of(three.root, layout.key_for("default", NOON_US))).write_bytes(b"no archive")
    for flags in (["--dry-run"], ["--yes"]):
        done = run(three.root, "delete", "--session", "a", "--json", *flags)
        told = json.loads(done.stdout)
        assert [(one["place"], one["day"], one["events"]) for one in told["days"]] == [
            *(("archive", "2026-03-21", 2), ("archive", "2026-03-22", 2))
        ]
        assert (done.exit_code, [bad["day"] for bad in told["failed"]]) == (1, ["2026-03-20"])


def test_retention_is_set_shown_run_and_cleared(store: Store, make_event: MakeEvent) -> None:
    store.append([make_event(NOW_US - n * DAY_US) for n in range(10)])
    root = store.root
    assert run(root, "retention", "show").stdout.startswith("Everything is kept.\n")
    assert run(root, "retention", "set", "--older-than", "5d").exit_code == 2  # nobody to ask
    planned = run(root, "retention", "set", "--older-than", "5d", "--dry-run")
    assert "that retires 4 days" in planned.stderr and not os.path.exists(os.path.join(root, "retention.json"))
    done = run(root, "retention", "set", "--older-than", "5d", "--yes")
    assert (done.exit_code, done.stdout) == (0, "Kept: events for 5d.\n")
    run(root, "retention", "set", "--older-than", "forever", "--max-size", "10GB", "--context", "kept", "--yes")
    told = json.loads(run(root, "retention", "show", "--json").stdout)
    assert told["general"] == {"max_age_s": 5 * 86_400}
    assert told["contexts"] == {"kept": {"max_age_s": None, "max_bytes": 10**10}}
    planned_days = json.loads(run(root, "retention", "run", "--dry-run", "--json").stdout)["days"]
    gone = json.loads(run(root, "retention", "run", "--yes", "--json").stdout)
    assert gone["days"] == planned_days and len(planned_days) == 4
    assert "Retired in default: all before" in run(root, "retention", "show").stdout
    assert run(root, "retention", "clear").stdout == "Everything is kept.\n"
    assert next(iter(audit.lines(root))).action == "retention.clear"


def test_retention_runs_by_itself_at_the_end_of_a_command_that_writes(store: Store, make_event: MakeEvent) -> None:
    store.append([make_event(NOW_US - n * DAY_US) for n in range(10)])
    run(store.root, "retention", "set", "--older-than", "5d", "--yes")
    for _ in range(4):  # a slice is short, but never nothing
        assert run(store.root, "drain").exit_code == 0
    assert count(store) == 6


def test_a_broken_retention_file_is_said_by_commands_that_write_and_nothing_goes(
    store: Store, make_event: MakeEvent
) -> None:
    store.append([make_event(NOON_US)])
    Path(store.root, "retention.json").write_text('{"version": 1, "general": {"max_age_s": "1d"}}')
    done = run(store.root, "drain")
    assert done.exit_code == 0 and "general.max_age_s" in done.stderr and count(store) == 1
    assert run(store.root, "retention", "show").exit_code == 1
    assert run(store.root, "retention", "clear").exit_code == 0
    assert run(store.root, "retention", "show").exit_code == 0


@pytest.mark.parametrize("flags", [["--older-than", "soon"], ["--older-than", "0d"], ["--max-size", "10"], []])
def test_a_rule_that_is_none_is_refused(root: str, flags: list[str]) -> None:
    assert run(root, "retention", "set", *flags).exit_code == 2


def test_a_dry_rule_says_that_it_is_none_yet_and_names_the_days_that_would_go(three: Store) -> None:
    told = run(three.root, "retention", "set", "--older-than", "1h", "--dry-run", "--json")
    shown = json.loads(told.stdout)
    assert shown["dry_run"] and [day["day"] for day in shown["days"]] == ["2026-03-20", "2026-03-21", "2026-03-22"]
    said = run(three.root, "retention", "set", "--older-than", "1h", "--dry-run")
    assert "nothing was set; the rules would be:" in said.stderr
    assert run(three.root, "retention", "show").stdout.startswith("Everything is kept.")


def test_clearing_the_rules_of_a_root_that_is_not_there_makes_none(tmp_path: Path) -> None:
    done = run(str(tmp_path / "none"), "retention", "clear")
    assert done.exit_code == 0 and "no such folder" in done.stderr and not (tmp_path / "none").exists()


def test_archived_days_that_go_are_shown_counted_and_said(three: Store) -> None:
    archives.archive(three.root, layout.key_for("default", NOON_US), remove=True)
    shown = json.loads(run(three.root, "retention", "show", "--json").stdout)
    assert shown["archived_bytes"] > 0
    said = run(three.root, "retention", "set", "--archives", "go", "--older-than", "1h", "--yes")
    assert "retires 2 days and 1 archived day" in said.stderr and "Archived days count" in said.stdout
    told = json.loads(run(three.root, "retention", "run", "--dry-run", "--json").stdout)
    assert [(day["place"], day["day"]) for day in told["days"]] == [
        *(("archive", "2026-03-20"), ("days", "2026-03-21"), ("days", "2026-03-22"))
    ]
    done = run(three.root, "retention", "run", "--yes")
    assert done.stdout.splitlines()[:2] == [
        done.stdout.splitlines()[0],
        f"  default 2026-03-20  its archive, {told['days'][0]['bytes'] / 1000:,.1f} kB, older than 1h",
    ]
    assert done.stdout.startswith("Retired 2 days and 1 archived day (")
    assert (archives.keys(three.root), count(three)) == ([], 0)


FLAGS = {
    "--context": ("one", "Two X", "two_x", "nobody"),
    "--src": ("a", "a*", "a.b", "é*", "*"),
    "--type": ("Stop", "stop"),
    "--tool": ("Bash", "bash"),
    "--session": ("a", "b"),
    "--status": ("ok", "error"),
    "--text": ("needle", "%", "_", "é", "t"),
    "--since": ("2026-03-20", "2026-03-21", "2026-03-21T00:00:00.000001Z"),
    "--until": ("2026-03-21", "2026-03-21T00:00:00.000001Z", "2026-03-22"),
}


def test_what_a_query_shows_is_exactly_what_the_same_flags_delete(tmp_path: Path, make_event: MakeEvent) -> None:
    chance = random.Random(11)
    for number in range(200 if os.environ.get("EYELET_SOAK") else 12):
        root = str(tmp_path / str(number))
        with Store(root) as store:
            for context in ("one", "Two X"):
                store.append([some_event(chance, make_event) for _ in range(20)], context)
        flags = [word for name in chance.sample(sorted(FLAGS), 2) for word in (name, chance.choice(FLAGS[name]))]
        before = shown(root, "--range", "all")
        asked = flags if {"--since", "--until"} & set(flags) else [*flags, "--range", "all"]
        going = shown(root, *asked)
        if "--text" in flags:  # here a text as it stands in the payload: nothing is read into it
            at = asked.index("--text")
            going = shown(root, *asked[:at], *asked[at + 2 :]) & holding(root, asked[at + 1])
        done = run(root, "delete", *flags, "--yes", "--json")
        assert (done.exit_code, json.loads(done.stdout)["events"]) == (0, len(going)), flags
        assert shown(root, "--range", "all") == before - going, flags
        assert len(before) == 40


def shown(root: str, *flags: str) -> set[tuple[str, int]]:
    done = run(root, "query", "search", "--limit", "1000", *flags, "--json")
    assert done.exit_code == 0, done.output
    return {(row["context_name"], row["id"]) for row in json.loads(done.stdout)}


def holding(root: str, text: str) -> set[tuple[str, int]]:
    """The events whose payload holds the text, in either case of A–Z."""
    done = run(root, "query", "search", "--limit", "1000", "--range", "all", "--json")
    rows = json.loads(done.stdout)
    said = {(row["context_name"], row["id"]): json.dumps(row["data"], ensure_ascii=False) for row in rows}
    folded = str.maketrans(ascii_uppercase, ascii_lowercase)
    return {one for one, data in said.items() if text.translate(folded) in data.translate(folded)}


def some_event(chance: random.Random, make_event: MakeEvent) -> Event:
    midnight_us = NOON_US + DAY_US // 2
    return make_event(
        chance.choice((midnight_us - 1, midnight_us, midnight_us + 1, NOON_US + chance.randrange(2 * DAY_US))),
        session_id=chance.choice("ab"),
        src=chance.choice(("a", "a.b", "ab", "a/b", "é.x")),
        hook_type=chance.choice(("Stop", "PreToolUse")),
        tool_name=chance.choice((None, "Bash", "bash")),
        status=chance.choice(("ok", "error", "pending")),
        data=json.dumps({"t": chance.choice(("needle", "NEEDLE", "100%", "a_b", "é", "x"))}, ensure_ascii=False),
    )
