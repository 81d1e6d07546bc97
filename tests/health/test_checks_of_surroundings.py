"""Each check of what is around the days finds the bad thing that was made for it, is quiet on the good, and names
commands that there are; what it repairs is well afterwards."""

import json
import os
import re
import shlex
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from eyelet_ingest import extension, faults, pause, pipeline, settings
from eyelet_ingest.cli import cli
from eyelet_ingest.events import Event
from eyelet_ingest.extension import build
from eyelet_ingest.health import clock, doctor, sqlite
from eyelet_ingest.health.finding import ERROR, OK, UNKNOWN, WARN, Finding, Patient
from eyelet_ingest.install import installer, launch, record
from eyelet_ingest.install.agents import AGENTS
from eyelet_ingest.install.installer import Wish
from eyelet_ingest.settings import Value
from eyelet_ingest.store import connect, features, layout, spool
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.metrics import Metrics, Sample
from eyelet_ingest.store.retention import Rule, Rules
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
from eyelet_ingest.store.text_schema import INDEX, TEXT_COLUMNS
from eyelet_ingest.store.timings import Measured

OURS = (
    *("spool", "quarantine", "text", "installation", "hook", "silence", "capture", "completeness", "clock"),
    *("retention", "configuration", "sqlite", "extension", "plugins"),
)
MINUTE_US, HOUR_US, DAY_US = 60_000_000, 3_600_000_000, 86_400_000_000
_COMMAND = re.compile(r"(?:eyelet|eyelet_ingest\.cli) ((?:[a-z]+ ?)+)((?:--[a-z-]+ ?)*)")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home" / ".eyelet"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def root(home: Path) -> str:
    return str(home)  # as it is for most


def now_us() -> int:
    return time.time_ns() // 1_000


def patient(store: Store, project: str = "", **limits: int) -> Patient:
    limits.setdefault("capture_p99_warn_ms", 60_000)  # however busy the machine is that runs the tests
    held = settings.of_files("", "")
    values = held.values | {f"health.{name}": Value(value, "test") for name, value in limits.items()}
    return Patient(store, os.path.expanduser("~/.eyelet"), replace(held, values=values, project=project), now_us())


def found(whose: Patient, *names: str) -> list[Finding]:
    """What is not well; every command that a fix names is there, with its options."""
    bad = [one for one in doctor.examine(whose, names) if one.status != OK]
    for one in bad:
        assert one.fix or one.status == UNKNOWN, one
        for words, options in _COMMAND.findall(one.fix):
            command: Any = cli
            for word in words.split():
                command = command.get_command(None, word) if hasattr(command, "get_command") else command
                assert command is not None, one.fix
            assert not hasattr(command, "get_command"), one.fix  # a group does nothing
            known = {flag for option in command.params for flag in option.opts}
            assert set(options.split()) <= known, one.fix
    return bad


def only(whose: Patient, name: str) -> Finding:
    [one] = found(whose, name)
    return one


def repaired(whose: Patient, name: str) -> str:
    """What the repair of the check's one trouble says; afterwards there is none."""
    [(_, said)] = doctor.repair(whose, [only(whose, name)], "user:test")
    assert found(replace(whose, now_us=now_us()), name) == []
    return said


def install(home: Path, *agents: str, **more: Any) -> None:
    wish = Wish(agents=agents or ("claude",), scope="user", project=str(home.parent), home=str(home), **more)
    installer.perform(installer.to_install(wish), str(home))


def event(time_us: int, **fields: Any) -> Event:
    fields = {"hook_type": "Stop", "origin": "hook", "session_id": "s", "agent": "claude", **fields}
    return Event(time_us=time_us, uid=os.urandom(16), **fields)


def fire(home: Path, **payload: str) -> None:
    """One event, as the agent's settings have it."""
    said = json.loads((home.parent / ".claude" / "settings.json").read_text())
    [[handler]] = [group["hooks"] for group in said["hooks"]["PreToolUse"]]
    sent = {"hook_event_name": "PreToolUse", "session_id": "s", "tool_name": "Bash", "tool_use_id": "t", **payload}
    subprocess.run([handler["command"], *handler["args"]], input=json.dumps(sent).encode(), check=True)


def test_every_check_is_quiet_where_all_is_well(store: Store, home: Path) -> None:
    install(home, *AGENTS)
    fire(home)
    said = doctor.examine(patient(store), OURS)
    system_is_old = bool(sqlite.bugs_of(connect.driver().sqlite_version))
    loud = {"sqlite", "hook"} if system_is_old else set()
    loud |= set() if extension.path_of_built() else {"extension"}
    assert [one for one in said if one.status != OK and one.name not in loud] == []
    assert [name for name in OURS if name not in {one.name for one in said}] == []
    assert all(one.evidence and not one.fix and one.repair is None for one in said if one.status == OK)
    assert all(one.message[-1] not in ".:" and one.message.isprintable() for one in said)


def test_a_root_in_memory_is_looked_at_without_a_complaint_about_files(store: Store) -> None:
    with Store.in_memory("looked at") as memory:
        memory.append([event(now_us())])
        names = [name for name in OURS if name not in ("installation", "sqlite", "extension")]
        assert found(replace(patient(store), store=memory), *names) == []


def test_events_that_wait_are_told_with_their_reason_and_drained(store: Store, home: Path) -> None:
    install(home)
    lock = layout.lock_path(store.root, PartitionKey("default", *time.gmtime()[0:1], time.gmtime().tm_yday))
    store.append([event(now_us())])
    with connect.FileLock(lock, time.monotonic_ns() + 10**9):
        hooks = [threading.Thread(target=fire, args=(home,), kwargs={"tool_use_id": str(n)}) for n in range(2)]
        for one in hooks:
            one.start()
        for one in hooks:
            one.join()
    assert found(patient(store), "spool") == []  # the next hook stores them
    late = replace(patient(store, spool_error=3), now_us=now_us() + HOUR_US)
    one = only(late, "spool")
    assert (one.status, one.evidence["waiting"]) == (WARN, 2)
    assert "60 min" in one.message and "lock" in next(iter(one.evidence["reasons"]))  # type: ignore[call-overload]
    assert only(replace(patient(store, spool_error=2)), "spool").status == ERROR
    assert "2 events stored" in repaired(late, "spool")


def test_events_of_the_mode_spool_may_wait_for_a_command(store: Store, home: Path) -> None:
    install(home, mode="spool")
    fire(home)
    assert found(replace(patient(store), now_us=now_us() + 20 * HOUR_US), "spool") == []
    assert only(replace(patient(store), now_us=now_us() + 2 * DAY_US), "spool").status == WARN


def test_what_is_no_event_in_the_spool_is_named_before_and_after_it_was_set_aside(store: Store, home: Path) -> None:
    folder = home / "spool"
    folder.mkdir(mode=0o700)
    (folder / f"{time.time_ns():020d}-1-default-2026-079.json").write_text('{"v": 1, "row": []}')
    one = only(patient(store), "spool")
    assert one.evidence["unreadable"] and "cannot be read" in one.message
    store.drain_spool()
    one = only(patient(store), "spool")
    assert one.evidence["set_aside"] == 1 and ".why" in one.fix


def test_a_place_of_the_spool_that_somebody_else_made_is_named(store: Store, tmp_path: Path) -> None:
    store.append([event(now_us())])
    [place] = [one for one in spool.folders(store.root) if os.path.dirname(one) == str(tmp_path)]
    os.mkdir(place)
    os.chmod(place, 0o755)
    assert place in only(patient(store), "spool").message


def test_quarantined_records_are_told_with_their_reason(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text('{"hook_event_name": "Stop"}\n{oops\n')
    pipeline.ingest([str(path)], store.root, "default")
    one = only(patient(store), "quarantine")
    assert (one.status, one.evidence["records"], one.evidence["files"]) == (WARN, 1, 1)
    assert "1 record of 1 file" in one.message and "--clear" in one.fix
    assert found(patient(store, quarantine_warn=2), "quarantine") == []
    done = CliRunner().invoke(cli, ["quarantine", "--root", store.root, "--clear", "--yes"])
    assert done.exit_code == 0 and found(patient(store), "quarantine") == []


def test_a_ledger_that_is_no_database_is_an_error(store: Store) -> None:
    store.append([event(now_us())])
    Path(store.root, "ingest.sqlite").write_bytes(b"\0garbage" * 4096)
    assert only(patient(store), "quarantine").status == ERROR


def test_text_that_is_not_indexed_is_told_and_caught_up(store: Store) -> None:
    store.append([event(now_us() - n, data='{"text": "heron"}') for n in range(300)])
    assert found(patient(store), "text") == []
    whose = patient(store, text_lag_warn_rows=300)
    assert only(whose, "text").evidence["rows_lacking"] == 300
    assert "300 rows" in repaired(whose, "text")


def test_an_index_that_says_something_else_than_the_rows_is_found_in_a_full_examination(store: Store) -> None:
    store.append([event(now_us() - n, data='{"text": "heron"}') for n in range(20)])
    [key] = store.catalog.partitions()
    store.text_build(key)
    whose = replace(patient(store), is_full=True)
    assert found(whose, "text") == []
    conn = connect.open_writer(layout.db_path(store.root, key))
    conn.execute(f"insert into {INDEX} (rowid, {TEXT_COLUMNS[0]}) values (7, 'ibis')")
    conn.close()
    assert found(patient(store), "text") == []
    one = only(whose, "text")
    assert one.status == ERROR and one.day == key
    assert "20 rows indexed anew" in repaired(whose, "text")


def test_no_room_for_text_indexes_is_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.append([event(now_us())])
    monkeypatch.setenv("EYELET_TEXT_KEEP_FREE_MIB", "9999999999")
    assert "no text is indexed now" in only(patient(store), "text").message


def test_nothing_installed_is_a_warning_and_no_error_and_well_on_a_machine_without_agents(
    store: Store, home: Path
) -> None:
    one = only(patient(store), "installation")
    assert one.status == WARN and "install --agent claude" in one.fix
    assert found(patient(store), "hook", "silence") == []
    if any(agent.is_here() for agent in AGENTS.values()):
        pytest.skip("an agent is on this machine's path")
    store.append([event(now_us())])
    assert found(patient(store), "installation") == []
    (home.parent / ".gemini").mkdir()
    assert only(patient(store), "installation").fix.endswith("install --agent gemini")


def test_a_hook_whose_launcher_is_gone_is_dead_and_written_anew(store: Store, home: Path) -> None:
    install(home)
    (home / "bin" / "eyelet-hook.py").unlink()
    assert "what it runs is gone" in only(patient(store), "installation").message
    shutil.rmtree(home / "bin")
    assert only(patient(store), "hook").status == ERROR
    one = only(patient(store), "installation")
    assert one.status == ERROR and "is dead" in one.message and str(home / "bin" / "eyelet-hook") in one.message
    repaired(patient(store), "installation")
    fire(home)
    assert store.newest_event_us(Filter()) is not None


def test_a_dead_hook_of_a_project_is_installed_anew_there(store: Store, home: Path, tmp_path: Path) -> None:
    project = tmp_path / "of mine"
    (project / ".git").mkdir(parents=True)
    wish = Wish(agents=("claude",), scope="project", project=str(project), home=str(home))
    installer.perform(installer.to_install(wish), str(home))
    assert found(patient(store), "installation") == []  # the record of installs knows it
    (home / "bin" / "eyelet-hook").unlink()
    fix = only(patient(store), "installation").fix
    done = CliRunner().invoke(cli, _words(fix))
    assert done.exit_code == 0, done.output
    assert found(patient(store), "installation") == []


def test_a_dead_hook_of_a_plugin_is_installed_anew_there(store: Store, home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "a plugin"
    done = CliRunner().invoke(cli, ["install", "--as-plugin", str(folder), "--yes"])
    assert done.exit_code == 0 and found(patient(store), "installation") == []
    shutil.rmtree(home / "bin")
    done = CliRunner().invoke(cli, _words(only(patient(store), "installation").fix))
    assert done.exit_code == 0 and found(patient(store), "installation") == []


def _words(fix: str) -> list[str]:
    """The arguments of a command as a shell gives them, and yes."""
    words = shlex.split(fix)
    return [*words[words.index("install") :], "--yes"]


def test_a_hook_without_a_python_is_dead(store: Store, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(home)
    path = home / "bin" / "eyelet-hook"
    path.write_text(re.sub(r"(?m)^python=.*$", "python=/gone/python3", path.read_text(), count=1))
    assert "another one stands in" in only(patient(store), "installation").message
    with monkeypatch.context() as patched:
        patched.setenv("PATH", "/nowhere")
        assert "Python is gone: /gone/python3" in only(patient(store), "installation").message
        assert faults.read(str(home)) == []  # nobody but agents starts what cannot run
    repaired(patient(store), "installation")


def test_a_hook_that_runs_and_records_nothing_is_found_by_trying_it(store: Store, home: Path) -> None:
    install(home)
    (home / "bin" / "eyelet-hook.py").write_text("raise SystemExit(3)\n")
    one = only(patient(store), "hook")
    assert one.status == ERROR and "did not arrive" in one.message
    before = len(faults.read(str(home)))
    assert "written anew" in repaired(patient(store), "hook")
    assert len(faults.read(str(home))) >= before
    assert store.newest_event_us(Filter()) is None  # what is tried goes into a folder of its own


def test_a_hook_that_is_slow_whenever_it_is_tried_is_told(store: Store, home: Path) -> None:
    install(home)
    one = only(patient(store, capture_p99_warn_ms=1), "hook")
    assert one.status == WARN and "--mode spool" in one.fix
    path = home / "bin" / "eyelet-hook"
    once = f"#!/bin/sh\nmkdir '{home}/met' 2>/dev/null && sleep 3\n"
    path.write_text(path.read_text().replace("#!/bin/sh\n", once, 1))
    assert found(patient(store, capture_p99_warn_ms=2_900), "hook") == []  # once, in a busy moment


def test_a_hook_of_another_version_is_told_and_renewed(store: Store, home: Path) -> None:
    install(home)
    (home / "bin" / "eyelet-hook.stamp").write_text("another")
    assert only(patient(store), "installation").status == WARN
    repaired(patient(store), "installation")


def test_entries_that_somebody_took_out_changed_or_spoilt_are_told(store: Store, home: Path) -> None:
    install(home)
    path = home.parent / ".claude" / "settings.json"
    good = path.read_text()
    said = json.loads(good)
    del said["hooks"]["PostToolUse"]
    path.write_text(json.dumps(said))
    one = only(patient(store), "installation")
    assert (one.status, one.evidence["missing"]) == (WARN, ["PostToolUse"])
    said = json.loads(good)
    del said["hooks"]["StopFailure"]
    path.write_text(json.dumps(said))
    assert found(patient(store), "installation") == []  # which versions know it, the agent alone says
    assert "StopFailure" in only(patient(store), "hook").message
    path.write_text(good.replace('"--agent", "claude"', '"--agent", "codex"').replace('"timeout": 10', '"timeout": 99'))
    assert "not as this version writes it" in only(patient(store), "installation").message
    path.write_text(good.replace('"timeout": 10', '"timeout": 99'))
    assert found(patient(store), "installation") == []  # for how long is the user's to say
    path.write_text('{"model": "opus"}')
    one = only(patient(store), "installation")
    assert one.status == ERROR and "entries are gone" in one.message
    path.write_text(good + "}")
    assert only(patient(store), "installation").status == ERROR
    assert "install --agent claude" in only(patient(store), "installation").fix


@pytest.mark.parametrize("mode", ["spool", "http"])
def test_what_install_writes_is_what_this_version_writes(store: Store, home: Path, mode: str) -> None:
    install(home, *AGENTS, mode=mode, url="http://127.0.0.1:8765")
    assert found(patient(store), "installation") == []
    install(home, mode="http", url="http://127.0.0.1:8765", native_http=True)
    assert found(patient(store), "installation") == []


def test_a_hook_of_a_home_that_was_moved_away_is_dead(store: Store, home: Path, tmp_path: Path) -> None:
    other = tmp_path / "old home" / ".eyelet"
    other.mkdir(parents=True)
    install(other)
    install(home)
    assert found(patient(store), "installation") == []  # another installation, which works
    shutil.rmtree(other)
    one = only(patient(store), "installation")
    assert one.status == ERROR and str(other) in one.message


def test_recording_that_is_paused_or_off_is_told(
    store: Store, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(home)
    pause.rest(str(home), "", time.time() + 3_600)
    assert found(patient(store), "installation") == []  # it ends by itself
    pause.rest(str(home), "", 0.0)
    one = only(patient(store), "installation")
    assert "paused" in one.message and one.fix.endswith("resume")
    pause.resume(str(home), "")
    monkeypatch.setenv("EYELET_DISABLED", "1")
    assert only(patient(store), "installation").fix == "unset EYELET_DISABLED"


def used(home: Path, agent_folder: str, ago_us: int) -> None:
    path = home.parent / agent_folder / "s.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}\n")
    os.utime(path, ((now_us() - ago_us) / 1e6,) * 2)


def long_installed(home: Path) -> None:
    install(home)
    for path in (home / record.NAME, home.parent / ".claude" / "settings.json"):
        os.utime(path, ((now_us() - 30 * DAY_US) / 1e6,) * 2)


def test_an_agent_that_is_used_and_records_nothing_is_found(store: Store, home: Path) -> None:
    long_installed(home)
    store.append([event(now_us() - 5 * DAY_US), event(now_us(), origin="transcript")])
    used(home, ".claude/projects/-p", 2 * HOUR_US)
    one = only(patient(store), "silence")
    assert one.status == WARN and "was used 2 h ago" in one.message and "5 days old" in one.message
    assert found(patient(store, silent_warn_hours=200), "silence") == []
    used(home, ".claude/projects/-p", 4 * DAY_US)
    assert "was used 4 days ago" in only(patient(store), "silence").message
    used(home, ".claude/projects/-p", 5 * DAY_US - HOUR_US // 2)  # what it wrote after its last tool
    assert found(patient(store), "silence") == []
    used(home, ".claude/projects/-p", 2 * HOUR_US)
    fire(home)
    assert found(patient(store), "silence") == []


def test_an_agent_that_nobody_used_is_no_alarm_and_one_of_which_nothing_is_known_is(store: Store, home: Path) -> None:
    long_installed(home)
    assert "never recorded here" in only(patient(store), "silence").message
    install(home, "codex")
    os.utime(home.parent / ".codex" / "hooks.json", (1, 1))
    [codex] = [one for one in found(patient(store), "silence") if one.evidence["agent"] == "codex"]
    assert "/hooks" in codex.fix
    (home.parent / ".codex" / "hooks.json").unlink()
    used(home, ".claude/projects/-p", 20 * DAY_US)
    store.append([event(now_us() - 20 * DAY_US)])
    assert found(patient(store), "silence") == []


def test_hooks_that_lost_events_are_an_error_until_they_are_renewed(store: Store, home: Path) -> None:
    install(home)
    (home / "bin" / "eyelet-hook.py").unlink()
    fire(home)
    one = only(patient(store), "capture")
    assert (one.status, one.evidence["kind"], one.evidence["times"]) == (ERROR, "launcher", 1)
    launch.write(str(home))
    os.utime(home / "bin" / "eyelet-hook", ((now_us() + 2 * 10**6) / 1e6,) * 2)
    assert only(patient(store), "capture").status == WARN
    assert found(replace(patient(store), now_us=now_us() + 2 * DAY_US), "capture") == []


def test_what_else_hooks_noted_is_a_warning_with_a_remedy(store: Store, home: Path) -> None:
    for kind in sorted(faults.KINDS.keys() - {"spooled", "launcher", "lost"}):
        faults.note(str(home), kind, "kestrel (enrich): this happened")
    told = found(patient(store), "capture")
    assert {one.evidence["kind"] for one in told} == faults.KINDS.keys() - {"spooled", "launcher", "lost"}
    assert {one.status for one in told} == {WARN}
    faults.clear(str(home))
    faults.note(str(home), "plugin", "kestrel: it could not be loaded")
    assert found(patient(store), "capture") == []  # the check of plugins says so


def test_an_event_that_now_and_then_waits_is_no_trouble_and_many_are(store: Store, home: Path) -> None:
    faults.note(str(home), "spooled", "database is locked")
    assert found(patient(store), "capture") == []
    for _ in range(100):
        faults.note(str(home), "spooled", "database is locked")
    assert only(patient(store), "capture").evidence["times"] == 101


def test_slow_hooks_are_told(store: Store) -> None:
    store.append([event(now_us())])
    measured = Measured()
    for _ in range(5):
        measured.add(900_000)
    with Metrics(store.root) as metrics:
        metrics.write(Sample(now_us() - MINUTE_US, "hook", measured={"capture": measured}))
        assert found(patient(store, capture_p99_warn_ms=500), "capture") == []  # five say nothing of a hundred
        measured = Measured()
        for _ in range(95):
            measured.add(40_000)
        metrics.write(Sample(now_us() - MINUTE_US, "hook", measured={"capture": measured}))
    one = only(patient(store, capture_p99_warn_ms=500), "capture")
    assert one.status == WARN and one.evidence["hooks"] == 100
    assert found(patient(store, capture_p99_warn_ms=2_000), "capture") == []


def told(time_us: int, use_id: str) -> list[Event]:
    named = {"origin": "transcript", "tool_use_id": use_id, "tool_name": "Bash"}
    return [
        event(time_us, hook_type="assistant", role="assistant", **named),
        event(time_us + 2_000, hook_type="user", role="user", **named),
    ]


def test_a_call_that_no_hook_caught_is_missed(store: Store) -> None:
    noon = now_us() - 3 * HOUR_US
    hooks = [event(noon + n * MINUTE_US, tool_use_id=str(n), hook_type="PreToolUse") for n in (0, 2)]
    store.append([*hooks, *told(noon, "0"), *told(noon + 2 * MINUTE_US, "2")])
    assert found(patient(store), "completeness") == []
    store.append(told(noon + MINUTE_US, "1"))
    one = only(patient(store), "completeness")
    assert one.status == WARN and one.evidence["should_have_been_caught"] == 1
    assert found(patient(store, missed_warn=2), "completeness") == []


def test_a_clock_that_went_back_is_found_by_what_was_recorded(store: Store) -> None:
    store.append([event(now_us())])
    back = replace(patient(store), now_us=now_us() - 20 * MINUTE_US)
    assert "20 min ahead of the clock" in only(back, "clock").message
    assert found(patient(store, clock_warn_s=1), "clock") == []
    assert only(replace(back, now_us=now_us() - 9 * DAY_US), "clock").status == ERROR


def test_an_event_of_tomorrow_and_a_clock_that_was_never_set_are_found(store: Store) -> None:
    store.append([event(now_us() + 5 * HOUR_US, origin="log")])
    assert found(patient(store), "clock") == []  # a log in local time
    store.append([event(now_us() + 5 * HOUR_US)])
    assert "bears a time" in only(patient(store), "clock").message
    unset = found(replace(patient(store), now_us=86_400_000_000), "clock")
    assert "it says 1970-01-02" in unset[0].message and unset[0].status == ERROR


def test_a_clock_that_stands_still_or_jumps_is_found_by_watching_it() -> None:
    stands = clock.goes(lambda: 1_800_000_000_000_000_000, time.monotonic_ns)
    assert stands is not None and stands.status == ERROR and "stands still" in stands.message
    times: Iterator[int] = iter((0, 3_600 * 10**9))
    jumped = clock.goes(lambda: next(times), time.monotonic_ns)
    assert jumped is not None and "jumped by 60 min" in jumped.message
    assert clock.goes(time.time_ns, time.monotonic_ns) is None


def test_an_examination_whose_clock_does_not_go_on_is_told(store: Store) -> None:
    frozen = replace(patient(store), now_us=now_us() - 2 * HOUR_US)
    assert "when this examination began" in only(frozen, "clock").message


def test_a_disk_whose_time_is_another_is_told(store: Store) -> None:
    store.append([event(now_us())])
    assert clock.of_disk(patient(store), time.time_ns) is None
    off = clock.of_disk(patient(store), lambda: time.time_ns() + 10 * 60 * 10**9)
    assert off is not None and "10 min behind" in off.message
    assert not list(Path(store.root).glob(".eyelet-clock*"))


def test_days_that_the_rules_say_are_to_go_and_that_are_there_are_told(store: Store) -> None:
    store.append([event(now_us() - 10 * DAY_US), event(now_us())])
    assert found(patient(store), "retention") == []
    store.set_retention(Rules(Rule(max_age_s=5 * 86_400)))
    one = only(patient(store), "retention")
    assert one.status == WARN and one.evidence["days_overdue"] == 1 and one.repair is None
    done = CliRunner().invoke(cli, ["retention", "run", "--yes", "--root", store.root])
    assert done.exit_code == 0 and found(patient(store), "retention") == []


def test_a_day_that_became_too_old_within_the_last_day_has_time(store: Store) -> None:
    store.append([event(now_us() - 6 * DAY_US)])
    [key] = store.catalog.partitions()
    age_s = (now_us() - key.bounds_us[1]) // 10**6 - 3_600
    store.set_retention(Rules(Rule(max_age_s=age_s)))
    assert found(patient(store), "retention") == []


def test_a_size_that_is_exceeded_is_told_of_old_days_and_of_today(store: Store) -> None:
    big = '{"text": "' + "x" * 1_500_000 + '"}'
    store.append([event(now_us() - DAY_US, data=big)])
    store.set_retention(Rules(Rule(max_bytes=2**20)))
    assert found(patient(store), "retention") == []  # of yesterday: it has time
    assert only(replace(patient(store), now_us=now_us() + 2 * DAY_US), "retention").evidence["days_overdue"] == 1
    store.append([event(now_us(), data=big)])
    assert "what is left is of today" in only(patient(store), "retention").message


def test_rules_that_cannot_be_read_are_an_error_and_clearing_them_helps(store: Store) -> None:
    store.append([event(now_us())])
    Path(store.root, "retention.json").write_text('{"version": 1, "general": {"max_age_s": "soon"}}')
    one = only(patient(store), "retention")
    assert one.status == ERROR and "general.max_age_s" in one.message
    CliRunner().invoke(cli, ["retention", "clear", "--root", store.root])
    assert found(patient(store), "retention") == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("logging: [", "eyelet.yaml:"),
        ("logging:\n  format: csv\n", "eyelet.yaml:2"),
        ("loging:\n  enabled: true\n", "there is no setting"),
    ],
)
def test_settings_that_cannot_be_read_are_an_error_with_file_and_line(
    store: Store, home: Path, text: str, says: str
) -> None:
    (home / "eyelet.yaml").write_text(text)
    one = only(patient(store), "configuration")
    assert one.status == ERROR and says in one.message
    (home / "eyelet.yaml").write_text("logging:\n  format: both\n")
    assert found(patient(store), "configuration") == []


def test_a_project_that_tries_what_it_may_not_is_named(store: Store, home: Path, tmp_path: Path) -> None:
    project = tmp_path / "cloned"
    project.mkdir()
    file = project / "eyelet.yaml"
    file.write_text("logging:\n  global_path: /tmp/stolen\n")
    one = only(patient(store, str(project)), "configuration")
    assert one.status == WARN and "try what they may not" in one.message and f"{file}:2" in one.message
    (home / "eyelet.yaml").write_text("metadata:\n  include_git: false\n")
    file.write_text("metadata:\n  include_git: true\n")
    assert "metadata.include_git on" in only(patient(store, str(project)), "configuration").message
    file.write_text("context: kestrel\n")
    assert found(patient(store, str(project)), "configuration") == []


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("EYELET_SCOPE", "galaxy", WARN),
        ("EYELET_SQLITE_WRITER", "synchronous=off", ERROR),
        ("EYELET_TEXT_KEEP_FREE_MIB", "much", ERROR),
        ("EYELET_CONTEXTS", "x", WARN),
    ],
)
def test_a_variable_that_says_what_cannot_be_is_named(
    store: Store, monkeypatch: pytest.MonkeyPatch, name: str, value: str, status: str
) -> None:
    whose = patient(store)
    monkeypatch.setenv("EYELET_COLOUR_OF_MINE", "x")
    assert found(whose, "configuration") == []
    monkeypatch.setenv(name, value)
    one = only(whose, "configuration")
    assert (one.status, one.evidence) == (status, {"variable": name})


def test_a_spool_where_nothing_can_be_written_is_an_error(store: Store, home: Path) -> None:
    store.append([event(now_us())])
    (home / "spool").write_text("a file")
    one = only(patient(store), "configuration")
    assert one.status == ERROR and f"{home / 'spool'} is no folder" in one.message
    (home / "spool").unlink()
    (home / "spool").symlink_to("/nowhere/at/all")
    assert "link to nothing" in only(patient(store), "configuration").message


@pytest.mark.parametrize(
    ("version", "status", "bugs"),
    [
        ("3.36.0", ERROR, {"WAL reset", "savepoint", "FTS5 of a prepared file"}),
        ("3.37.1", ERROR, {"WAL reset", "savepoint", "FTS5 of a prepared file"}),
        ("3.40.1", WARN, {"WAL reset", "FTS5 of a prepared file"}),
        ("3.44.6", WARN, {"FTS5 of a prepared file"}),
        ("3.50.6", WARN, {"WAL reset", "FTS5 of a prepared file"}),
        ("3.50.7", WARN, {"FTS5 of a prepared file"}),
        ("3.52.0", WARN, {"withdrawn", "FTS5 of a prepared file"}),
        ("3.53.3", WARN, {"journal of several files"}),
        ("3.53.4", OK, set()),
        ("4.0", OK, set()),
        ("of mine", WARN, set()),
    ],
)
def test_a_version_of_sqlite_is_told_with_its_bugs(version: str, status: str, bugs: set[str]) -> None:
    one = sqlite.judged(version, "sqlite3", "hooks use")
    assert (one.status, {bug.name for bug in sqlite.bugs_of(version)}) == (status, bugs)
    assert (one.fix == "") == (status == OK)
    assert connect.may_checkpoint(version) == ("WAL reset" not in bugs) if sqlite.parsed(version) else True


def test_what_sqlite_has_to_have_is_tried() -> None:
    assert features.lacking() == ()


def test_an_extension_that_is_missing_broken_or_old_is_told(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = extension.path_of_built()
    folder = tmp_path / "extension"
    shutil.copytree(extension.FOLDER, folder, ignore=shutil.ignore_patterns("__pycache__", extension.NAME))
    for module in (extension, build):
        monkeypatch.setattr(module, "FOLDER", str(folder))
    assert "it is not built" in only(patient(store), "extension").message
    mine = folder / extension.NAME
    mine.write_bytes(b"\x7fELF no library")
    mine.chmod(0o755)
    assert only(patient(store), "extension").fix.endswith("-m eyelet_ingest.extension.build")
    mine.chmod(0o777)
    assert "chmod go-w" in only(patient(store), "extension").fix
    if built is None:
        pytest.skip("the extension is not built: what is old cannot be tried")
    shutil.copy(built, mine)
    mine.chmod(0o755)
    assert found(patient(store), "extension") == []
    os.utime(mine, (1, 1))
    assert "older than its sources" in only(patient(store), "extension").message


def test_a_plugin_that_fails_is_told_and_not_noted_as_a_hooks_fault(store: Store, home: Path) -> None:
    folder = home / "plugins"
    folder.mkdir(mode=0o755)
    (folder / "good.py").write_text("")
    assert found(patient(store), "plugins") == []
    (folder / "bad.py").write_text("raise ValueError('of mine')\n")
    one = only(patient(store), "plugins")
    assert one.status == WARN and "bad failed" in one.message and "of mine" in one.message
    assert faults.read(str(home)) == []
    (folder / "bad.py").unlink()
    assert found(patient(store), "plugins") == []


def test_a_strategy_of_checkpoints_that_nobody_brings_is_told(store: Store) -> None:
    whose = patient(store)
    held = replace(whose.settings, values=whose.settings.values | {"health.checkpoint_strategy": Value("Mine", "test")})
    assert "there is no strategy 'Mine'" in only(replace(whose, settings=held), "plugins").message


@pytest.mark.parametrize("bug", sqlite.BUGS, ids=lambda bug: bug.name)
def test_every_bug_of_sqlite_is_in_the_docs_with_its_source(bug: sqlite.Bug) -> None:
    docs = (Path(__file__).resolve().parents[2] / "docs" / "health.md").read_text("utf-8")
    [row] = [line for line in docs.splitlines() if line.startswith(f"| [{bug.name}]")]
    assert f"({bug.source})" in row and {ERROR: "| error |", WARN: "| warning |"}[bug.status] in row
