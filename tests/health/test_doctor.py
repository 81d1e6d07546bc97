"""`eyelet doctor`: every check is told, none can break another, and only what is safe is put right, audited first."""

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from eyelet_ingest import hookspecs, settings
from eyelet_ingest.cli import cli
from eyelet_ingest.errors import BadInput, RootError
from eyelet_ingest.events import Event
from eyelet_ingest.health import checks, doctor, wal
from eyelet_ingest.health.finding import AREAS, OK, Check, Finding, Patient, worst
from eyelet_ingest.plugins import Plugins
from eyelet_ingest.store import audit, connect, layout
from eyelet_ingest.store.store import Store
from tests.health.patients import bad, day, execute, filled, path_of, patient, reading, said

DOCS = Path(__file__).resolve().parents[2] / "docs"
HEALTH = (DOCS / "health.md").read_text("utf-8")
Run = Callable[[Patient], Any]


@pytest.fixture
def now(store: Store) -> layout.PartitionKey:
    """The day of now, with an event in it."""
    now_us = time.time_ns() // 1_000
    store.append([Event(time_us=now_us, uid=os.urandom(16), hook_type="Stop", src="claude.stop")])
    return layout.key_for("default", now_us)


def eyelet(store: Store, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["doctor", "--root", store.root, *arguments], prog_name="eyelet")


@pytest.fixture
def plugged() -> Iterator[Callable[..., Plugins]]:
    """Plugins that register one check each, by its name, of these functions."""
    made: list[Plugins] = []

    def plugins(area: str = "recording", **runs: Run) -> Plugins:
        found = Plugins()
        for name, run in runs.items():
            registers = hookspecs.hookimpl(lambda name=name, run=run: [Check(name, "of a plugin", area, run)])
            found.add(f"plugin-{name}", type("Module", (), {"register_checks": staticmethod(registers)})())
        made.append(found)
        return found

    yield plugins
    for one in made:
        one.close()


# What is documented


@pytest.mark.parametrize("check", checks.built_in(), ids=lambda check: check.name)
def test_every_check_stands_in_the_docs_with_its_area(check: Check) -> None:
    (row,) = re.findall(rf"^\| `{check.name}` \|.*$", HEALTH, re.MULTILINE)
    assert AREAS[check.area].lower() in row.lower()
    assert ("costly" in row) is check.is_costly


THRESHOLDS = [one.name.removeprefix("health.") for one in settings.SETTINGS if one.name.startswith("health.")
              and one.kind == "count" and "score" not in one.name]  # fmt: skip


@pytest.mark.parametrize("name", THRESHOLDS)
def test_every_threshold_stands_in_the_docs(name: str) -> None:
    assert f"`{name}`" in HEALTH


def test_the_command_and_its_exit_codes_stand_in_the_docs() -> None:
    text = (DOCS / "commands.md").read_text("utf-8").partition("\n## doctor\n")[2].partition("\n## ")[0]
    for flag in ("--fix", "--check", "--full", "--seconds", "--json", "-v"):
        assert flag in text
    assert re.findall(r"^\| (\d) \|", text, re.MULTILINE) == ["0", "1", "2", "3"]


def test_every_check_has_a_name_of_its_own_and_an_area_that_there_is() -> None:
    names = [check.name for check in checks.built_in()]
    assert len(set(names)) == len(names) and set(doctor.areas().values()) <= set(AREAS)
    assert list(doctor.areas()) == names


# None can break another


def test_every_finding_bears_the_name_of_its_check(store: Store) -> None:
    filled(store, [day(1)])
    found = said(patient(store))
    assert list(dict.fromkeys(one.name for one in found)) == list(doctor.checks())


@pytest.mark.parametrize("trouble", [ZeroDivisionError("0"), RootError("read", "x"), OSError(5, "EIO"), KeyError("k")])
def test_a_check_of_ours_that_raises_is_unknown_and_the_others_are_told(
    store: Store, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    def broken(whose: Patient) -> Iterator[Finding]:
        yield Finding(OK, "so far so good")
        raise trouble

    monkeypatch.setattr(wal, "check", broken)
    found = said(patient(store), "wal", "fragmentation")
    assert [(one.name, one.status) for one in found] == [("wal", "ok"), ("wal", "unknown"), ("fragmentation", "ok")]
    assert "could not be finished" in found[1].message and worst(found) == "unknown"


def test_ctrl_c_ends_the_doctor(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(whose: Patient) -> Iterator[Finding]:
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(wal, "check", interrupted)
    with pytest.raises(KeyboardInterrupt):
        said(patient(store), "wal")
    assert eyelet(store, "--check", "wal").exit_code == 130


def _endless(whose: Patient) -> Iterator[Finding]:
    while True:
        yield Finding(OK, "again")


def _raises(whose: Patient) -> list[Finding]:
    raise SystemExit("gone")


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (_raises, "SystemExit"),
        (lambda whose: time.sleep(60), "took longer"),
        (lambda whose: [], "said nothing"),
        (lambda whose: None, "TypeError"),
        (lambda whose: ["no finding"], "no finding"),
        (lambda whose: [Finding("great", "!")], "no finding"),
        (lambda whose: [Finding(OK, 7)], "no finding"),  # type: ignore[arg-type]
        (lambda whose: [Finding(OK, "!", evidence={"what": object()})], "no finding"),
    ],
)
def test_a_plugins_check_that_fails_is_unknown_and_names_the_plugin(
    store: Store, plugged: Callable[..., Plugins], monkeypatch: pytest.MonkeyPatch, run: Run, words: str
) -> None:
    monkeypatch.setattr(doctor, "PLUGIN_S", 0.2)
    first, *others = said(patient(store), "bad", "wal", plugins=plugged(bad=run))
    assert [one.status for one in others] == ["unknown"] and first.name == "wal"
    (found,) = others
    assert found.name == "bad" and "plugin-bad" in found.message and words in found.message


def test_a_plugins_check_without_an_end_is_cut(store: Store, plugged: Callable[..., Plugins]) -> None:
    assert len(said(patient(store), "much", plugins=plugged(much=_endless))) == doctor.MOST_FINDINGS


def test_a_plugins_check_is_told_with_ours_and_repaired_within_its_time(
    store: Store, plugged: Callable[..., Plugins], monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow() -> str:
        time.sleep(60)
        return "never"

    monkeypatch.setattr(doctor, "PLUGIN_S", 0.2)
    warns = [Finding("warn", "a", repair=lambda: "mended"), Finding("warn", "b", repair=slow)]
    whose = patient(store)
    found = said(whose, "theirs", plugins=plugged(theirs=lambda whose: warns))
    assert [what for _, what in doctor.repair(whose, found, "user:test")] == [
        "mended",
        "could not be done: it took longer than 0.2 s",
    ]


@pytest.mark.parametrize(("name", "area"), [("wal", "recording"), ("new", "no area")])
def test_a_plugins_check_that_cannot_be_told_apart_is_not_run_and_said_so(
    store: Store, plugged: Callable[..., Plugins], name: str, area: str
) -> None:
    plugins = plugged(area, **{name: _raises})
    assert set(doctor.areas(plugins).values()) <= set(AREAS)
    for names in ((), ("plugins",)):
        found = [one for one in said(patient(store), *names, plugins=plugins) if "is not run" in one.message]
        assert [(one.name, one.status) for one in found] == [("plugins", "unknown")]


def test_a_quick_look_leaves_out_what_is_costly_and_ends_soon(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    moments = []
    monkeypatch.setattr(wal, "check", lambda whose: [Finding(OK, str(moments.append(whose.until_s)))])
    found = {one.name for one in said(patient(store), quick=True)}
    assert found == {check.name for check in checks.built_in() if not check.is_costly}
    assert moments[0] <= time.monotonic() + doctor.QUICK_S


def test_a_check_that_there_is_not_is_refused_with_the_nearest(store: Store) -> None:
    with pytest.raises(BadInput, match="did you mean fragmentation"):
        said(patient(store), "fragmentatoin")
    done = eyelet(store, "--check", "modse")
    assert done.exit_code == 2 and "did you mean modes?" in done.output


# The command


def test_the_command_is_quiet_on_the_good(store: Store, now: layout.PartitionKey) -> None:
    names = ("--check", "wal", "--check", "schema", "--check", "modes")
    done = eyelet(store, *names)
    assert (done.exit_code, done.stdout) == (0, "All 3 checks are well.\n")
    lines = eyelet(store, *names, "-v").stdout.splitlines()
    assert [line.split()[:2] for line in lines[:3]] == [["ok", "schema:"], ["ok", "wal:"], ["ok", "modes:"]]


def test_the_exit_code_is_the_worst(store: Store, now: layout.PartitionKey) -> None:
    path = path_of(store, now)
    execute(path, "drop index hooks_src")
    done = eyelet(store, "--check", "schema", "--check", "wal")
    assert done.exit_code == 1 and "warning  schema: " in done.stdout and " → " in done.stdout
    assert done.stdout.splitlines()[-1] == "1 well, 1 with warnings"
    execute(path, "pragma user_version = -1")
    done = eyelet(store, "--check", "schema", "--check", "wal")
    assert done.exit_code == 3 and "error    schema: " in done.stdout


def test_fix_does_what_is_safe_says_it_looks_again_and_is_audited(store: Store, now: layout.PartitionKey) -> None:
    execute(path_of(store, now), "drop index hooks_src")
    path_of(store, now).chmod(0o644)
    done = eyelet(store, "--check", "schema", "--check", "modes", "--fix")
    assert done.exit_code == 0, done.output
    assert done.stdout.count("repaired ") == 2 and "made hooks_src again" in done.stdout
    assert done.stdout.endswith("All 2 checks are well.\n")
    (line,) = audit.lines(store.root)
    what = json.loads(line.what)
    assert line.action == "repair" and line.who.startswith("user:")
    assert [(one["check"], one["about"]) for one in what["findings"]] == [("schema", now.mount_name), ("modes", "")]
    again = eyelet(store, "--check", "schema", "--check", "modes", "--fix")
    assert again.stdout == "All 2 checks are well.\n" and len(audit.lines(store.root)) == 1


@pytest.mark.skipif(
    not connect.may_checkpoint(connect.driver().sqlite_version), reason="this SQLite is one that is warned of"
)
def test_what_mends_one_thing_may_mend_another(
    store: Store, now: layout.PartitionKey, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A checkpoint for a long WAL also brings in what waited there."""
    config = tmp_path / "home" / "eyelet.yaml"
    config.write_text("health:\n  wal_warn_mib: 1\n")
    monkeypatch.setenv("EYELET_CONFIG", str(config))
    with closing(reading(path_of(store, now))) as other:
        text = '{"text": "' + "x" * 20_000 + '"}'
        at_us = time.time_ns() // 1_000
        store.append([Event(time_us=at_us, uid=os.urandom(16), hook_type="Stop", data=text) for _ in range(100)])
        other.execute("rollback")
        names = ("--check", "wal", "--check", "checkpoints")
        assert eyelet(store, *names).stdout.endswith("2 with warnings\n")
        assert eyelet(store, *names, "--fix").stdout.endswith("All 2 checks are well.\n")


def test_without_fix_nothing_is_changed_nor_audited(store: Store, now: layout.PartitionKey) -> None:
    path_of(store, now).chmod(0o644)
    assert eyelet(store, "--check", "modes").exit_code == 1
    assert path_of(store, now).stat().st_mode & 0o777 == 0o644 and audit.lines(store.root) == []


def test_what_cannot_be_audited_is_not_repaired(store: Store, now: layout.PartitionKey) -> None:
    path_of(store, now).chmod(0o644)
    Path(store.root, audit.FILE_NAME).mkdir(mode=0o700)
    done = eyelet(store, "--check", "modes", "--fix")
    assert done.exit_code == 1 and "audit" in done.output and "Traceback" not in done.output
    assert path_of(store, now).stat().st_mode & 0o777 == 0o644


def test_a_repair_that_fails_says_why_and_the_others_are_done(store: Store) -> None:
    def refused() -> str:
        raise OSError(28, "No space left on device")

    found = [Finding("warn", "a", repair=refused, name="wal"), Finding("warn", "b", repair=lambda: "yes", name="wal")]
    done = doctor.repair(patient(store), found, "user:test")
    assert [what for _, what in done] == ["could not be done: [Errno 28] No space left on device", "yes"]


def test_json_is_one_object_that_says_all(store: Store, now: layout.PartitionKey) -> None:
    execute(path_of(store, now), "drop index hooks_src")
    done = eyelet(store, "--check", "schema", "--check", "wal", "--json")
    told = json.loads(done.stdout)
    assert done.exit_code == 1 and told["status"] == "warn" and told["checks"] == 2 and told["repaired"] == []
    first, second = told["findings"]
    assert (first["check"], first["status"], first["day"], first["context"]) == ("schema", "warn", now.date, "default")
    assert first["repairable"] and first["fix"] and first["evidence"]["missing"] == ["hooks_src"]
    assert second["check"] == "wal" and second["fix"] is None
    told = json.loads(eyelet(store, "--check", "schema", "--json", "--fix").stdout)
    assert told["status"] == "ok" and told["repaired"][0]["done"] == "made hooks_src again"


def test_hostile_names_reach_no_terminal(store: Store, now: layout.PartitionKey) -> None:
    hostile = "\x1b]0;owned\x07\u202e\n"
    Path(store.root, f"a{hostile}").touch()
    Path(store.root, f"a{hostile}").chmod(0o666)
    execute(path_of(store, now), f'create index "theirs{hostile}" on hooks (hostname)')
    for arguments in ((), ("--fix",), ("-v",), ("--json",)):
        done = eyelet(store, "--check", "modes", "--check", "schema", *arguments)
        assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", done.output), arguments
    assert "\\u202e" in eyelet(store, "--check", "schema", "-v").output


def test_a_file_of_settings_that_is_none_does_not_keep_the_doctor_away(
    store: Store, now: layout.PartitionKey, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "eyelet.yaml"
    config.write_text("health: [")
    monkeypatch.setenv("EYELET_CONFIG", str(config))
    done = eyelet(store, "--check", "wal", "--check", "schema")
    assert done.exit_code == 0 and "All 2 checks are well." in done.stdout


def test_a_threshold_of_the_settings_holds(
    store: Store, now: layout.PartitionKey, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "home" / "eyelet.yaml"
    config.write_text("health:\n  days_left_warn: 1000000000\n  free_warn_percent: 100\n")
    monkeypatch.setenv("EYELET_CONFIG", str(config))
    assert eyelet(store, "--check", "disk").exit_code == 1


def test_a_root_that_is_not_there_is_well(tmp_path: Path) -> None:
    with Store(str(tmp_path / "none")) as store:
        done = eyelet(store, "--check", "integrity", "--check", "schema", "--check", "growth", "--full")
        assert done.exit_code == 0 and not Path(store.root).exists()


def test_looking_at_many_days_stops_when_the_time_is_over(store: Store) -> None:
    filled(store, [day(n) for n in range(6)], events=1)
    late = replace(patient(store), until_s=time.monotonic())
    for name in ("schema", "fragmentation", "checkpoints"):
        (found,) = said(late, name)
        assert found.status == "ok" and found.evidence["days"] == 1 and found.evidence["of_days"] == 6
    assert bad(late, "integrity")[0].status == "unknown"
