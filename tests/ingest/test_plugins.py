"""Plugins: every example of docs/plugins.md works, and none of them can cost an event."""

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eyelet_ingest import faults, foreign, hookspecs, live, logs, pipeline, plugged, plugins, settings
from eyelet_ingest.errors import BadInput
from eyelet_ingest.hookspecs import Column, Patient, hookimpl
from eyelet_ingest.plugins import Plugins
from eyelet_ingest.redaction import Redactor
from eyelet_ingest.store import connect, layout, schema
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

DOCS = (Path(__file__).resolve().parents[2] / "docs" / "plugins.md").read_text("utf-8")
EXAMPLES = {found[1]: found[0] for found in re.findall(r"```python\n(# (\w+)\.py\n.*?)```", DOCS, re.DOTALL)}
NOW_NS = 1_774_015_402_000_000_000
PAYLOAD = {
    "hook_event_name": "PreToolUse",
    "session_id": "s",
    "tool_name": "Bash",
    "tool_input": {"command": "git commit -m 'OPS-17: feed the kestrel'"},
}
EYELET = [sys.executable, "-c", "from eyelet_ingest.cli import main; main()"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home" / ".eyelet"
    (folder / "plugins").mkdir(parents=True, mode=0o755)
    return folder


@pytest.fixture
def load(home: Path) -> Callable[..., Plugins]:
    """The plugins of these examples, as files beside the settings."""

    def loaded(*names: str, **texts: str) -> Plugins:
        for name in names:
            (home / "plugins" / f"{name}.py").write_text(EXAMPLES[name])
        for name, text in texts.items():
            (home / "plugins" / f"{name}.py").write_text(text)
        return Plugins.load()

    return loaded


def recorded(found: Plugins, payload: Any = PAYLOAD) -> Any:
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    event, said = live.event_of(raw, NOW_NS, Redactor(), None, found)
    found.enrich(event, said, Redactor())
    return event


def test_every_hook_has_a_section_an_example_and_a_line_in_the_table() -> None:
    names = {name for name in dir(hookspecs) if hasattr(getattr(hookspecs, name), "eyelet_spec")}
    assert names == {*plugins.HOOKS, "redact", "enrich"}
    for name in names:
        assert f"\n## {name}\n" in DOCS and f"| [`{name}`](#{name}) |" in DOCS
        section = DOCS.split(f"\n## {name}\n")[1].split("\n## ")[0]
        assert f"def {name}(" in section


def test_every_example_loads_without_trouble(load: Callable[..., Plugins]) -> None:
    found = load(*EXAMPLES)
    assert found.troubles == []
    assert {one.name for one in found.loaded} == set(EXAMPLES)
    assert {hook for one in found.loaded for hook in one.hooks} == {*plugins.HOOKS, "redact", "enrich"}


def test_the_source_of_the_example_is_imported_once_with_its_own_times(
    load: Callable[..., Plugins], root: str, tmp_path: Path
) -> None:
    found = load("gadget")
    folder = tmp_path / "recordings"
    folder.mkdir()
    lines = [
        {"app": "gadget", "what": "start", "when": "2026-03-20T10:00:00+00:00", "run": 7},
        {"app": "gadget", "what": "crash", "when": "2026-03-20T10:00:01+00:00", "run": 7, "token": "ghp_" + "a" * 36},
    ]
    (folder / "one.gadget").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for stored in (2, 0):
        done = pipeline.ingest([str(folder)], root, plugins=found)
        assert (done.read, done.stored, done.quarantined) == (2, stored, 0)
    with Store(root) as store:
        crash, start = store.search(Filter()).rows
    assert (start["src"], crash["src"], crash["status"]) == ("gadget.start", "gadget.crash", "error")
    assert crash["id"] == 1_774_000_801_000_000 and crash["session_id"] == "7"
    assert "ghp_" not in str(crash["data"])


def test_the_redactor_of_the_example_reaches_every_column(load: Callable[..., Plugins], root: str) -> None:
    found = load("codenames")
    event = recorded(found, {**PAYLOAD, "cwd": "/home/bluebird", "deep": [[{"x": "kestrel!"}]]})
    assert "kestrel" not in event.data and "bluebird" not in event.data and "codename" in str(event.project_dir)
    event = recorded(found, b"no JSON about the kestrel")
    assert "_raw" in event.data
    import base64

    assert b"kestrel" not in base64.b64decode(json.loads(event.data)["_raw"])
    # What the value does not show, as another of that name came first.
    event = recorded(found, b'{"hook_event_name": "X", "a": 1, "a": "kestrel"}')
    assert "kestrel" not in event.data
    with Store(root) as store:
        done = logs.record(store, "default", ['{"src": "x", "message": "kestrel"}'], sender="t", plugins=found)
        assert done.stored == 1
        assert "kestrel" not in str(store.search(Filter()).rows[0])


def test_the_enricher_and_the_column_of_the_examples_find_the_ticket(
    load: Callable[..., Plugins], root: str, tmp_path: Path
) -> None:
    found = load("tickets", "ticket_column")
    assert recorded(found).meta["plugins"] == {"tickets": {"ticket": "OPS-17"}}
    recording = tmp_path / "a.jsonl"
    recording.write_text(json.dumps({**PAYLOAD, "timestamp": "2026-03-20T10:00:00Z"}) + "\n")
    done = pipeline.ingest([str(recording)], root, plugins=found)
    with Store(root) as store:
        assert store.make_columns(found.columns, done.days) == (1, [])
        assert store.make_columns(found.columns) == (0, [])
        (key,) = store.catalog.partitions()
        conn = connect.open_reader(layout.db_path(root, key))
        sql = "select ticket from hooks where ticket = 'OPS-17'"
        assert conn.execute(sql).fetchall() == [("OPS-17",)]
        assert "hooks_x_ticket" in str(conn.execute("explain query plan " + sql).fetchall())
        conn.close()
        # Nothing else notices: rows are written, read and made anew as ever.
        pipeline.ingest([str(recording)], root, plugins=found)
        assert store.count(Filter()).count == 1
    path = layout.db_path(root, key)
    writer = connect.open_writer(path)
    assert schema.rebuild(writer, path) == 1
    assert writer.execute(sql).fetchall() == [("OPS-17",)]
    writer.close()


def test_what_is_only_registered_is_handed_over_as_it_is(load: Callable[..., Plugins], root: str) -> None:
    found = load("disk_check", "at_rest", "letters")
    (check,), (strategy,), (embedder,) = (
        [one for _, one in found.registered[hook]]
        for hook in ("register_checks", "register_checkpoint_strategies", "register_embedders")
    )
    os.makedirs(root)
    with Store(root) as store:
        patient = Patient(store, str(store.root), settings.effective(), 0)
        assert next(iter(check.run(patient))).status in ("ok", "warn")
    assert (strategy.mode(0, 61), strategy.mode(17 << 20, 1), strategy.mode(1, 1)) == ("truncate", "passive", None)
    assert [len(vector) for vector in embedder.embed(["a", "tea"])] == [embedder.dimensions] * 2


RAISES = """
from eyelet_ingest.hookspecs import hookimpl

@hookimpl
def {hook}({argument}):
    {body}
"""


@pytest.mark.parametrize(
    "body", ["raise SystemExit(3)", "raise KeyboardInterrupt", "1 / 0", "return 5", "return {1: 2}"]
)
def test_an_enricher_that_fails_costs_nothing_but_what_it_would_add(
    load: Callable[..., Plugins], home: Path, body: str
) -> None:
    found = load("tickets", bad=RAISES.format(hook="enrich", argument="event", body=body))
    for _ in range(3):
        assert recorded(found).meta["plugins"] == {"tickets": {"ticket": "OPS-17"}}
    assert [(one.plugin, one.hook) for one in found.troubles] == [("bad", "enrich")]
    assert [fault.kind for fault in faults.read(str(home))] == ["plugin"]


@pytest.mark.parametrize("body", ["raise SystemExit(3)", "1 / 0", "return 5", "return [text]"])
def test_a_text_that_a_redactor_fails_on_is_withheld(load: Callable[..., Plugins], body: str) -> None:
    only_there = f"if 'kestrel' in text:\n        {body}"
    found = load(bad=RAISES.format(hook="redact", argument="text", body=only_there))
    event = recorded(found)
    assert "kestrel" not in event.data and event.meta["redaction_failed"] == ["bad"]
    assert (event.hook_type, event.tool_name, event.session_id) == ("PreToolUse", "Bash", "s")
    assert "redaction_failed" not in recorded(found, {**PAYLOAD, "tool_input": {}}).meta


def test_a_plugin_that_hangs_holds_up_one_event_and_is_not_asked_again(
    load: Callable[..., Plugins], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugins, "CALL_S", 0.2)
    hangs = "import time; time.sleep(60)"
    found = load("tickets", slow=RAISES.format(hook="enrich", argument="event", body=hangs))
    recorded(found)
    assert [(one.plugin, one.hook) for one in found.troubles] == [("slow", "enrich")]
    assert recorded(found).meta["plugins"] == {"tickets": {"ticket": "OPS-17"}}


def test_one_that_hung_is_asked_again_after_a_while(
    load: Callable[..., Plugins], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugins, "CALL_S", 0.2)
    monkeypatch.setattr(plugins, "OFF_S", 0.0)
    once = "\n    ".join(
        (
            "global asked, time",
            "asked += 1",
            "import time",
            "time.sleep(60 if asked == 1 else 0)",
            "return {'n': asked}",
        )
    )
    found = load(slow="asked = 0\n" + RAISES.format(hook="enrich", argument="event", body=once))
    assert "plugins" not in recorded(found).meta
    assert recorded(found).meta["plugins"] == {"slow": {"n": 2}}


def test_a_payload_as_deep_as_can_be_switches_no_redactor_off(load: Callable[..., Plugins]) -> None:
    found = load("codenames")
    event = recorded(found, b'{"a": ' + b"[" * 890 + b'"kestrel"' + b"]" * 890 + b"}")
    assert "kestrel" not in event.data and "codename" in event.data and found.troubles == []


def test_where_a_redactor_hangs_only_names_are_kept(
    load: Callable[..., Plugins], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugins, "CALL_S", 0.2)
    found = load(slow=RAISES.format(hook="redact", argument="text", body="import time; time.sleep(60)"))
    for _ in range(2):
        event = recorded(found)
        assert (event.hook_type, event.tool_name, event.session_id) == ("PreToolUse", "Bash", "s")
        assert "kestrel" not in event.data and event.meta["redaction_failed"] == ["slow"]
        assert b"kestrel" not in recorded(found, b"no JSON about the kestrel").data.encode()


def test_a_record_that_a_source_fails_on_is_in_quarantine(
    load: Callable[..., Plugins], root: str, tmp_path: Path
) -> None:
    text = EXAMPLES["gadget"].replace('failed = record["what"] == "crash"', "raise ValueError(record)")
    found = load(gadget=text)
    recording = tmp_path / "a.jsonl"
    recording.write_text('{"app": "gadget", "what": "x", "when": "2026-03-20"}\n' + json.dumps(PAYLOAD) + "\n")
    done = pipeline.ingest([str(recording)], root, plugins=found)
    assert (done.stored, done.quarantined) == (1, 1) and "gadget" in done.troubles[0].reason


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("import no_such_module", "no_such_module"),
        ("def (", "SyntaxError"),
        ("raise SystemExit", "SystemExit"),
        (RAISES.format(hook="register_surces", argument="", body="return []"), "register_surces"),
        (RAISES.format(hook="redact", argument="words", body="return None"), "words"),
        (RAISES.format(hook="register_columns", argument="", body="return ['x']"), "Column"),
        (RAISES.format(hook="register_columns", argument="", body="return 5"), "iterable"),
        (RAISES.format(hook="register_sources", argument="", body="raise OSError('gone')"), "gone"),
    ],
)
def test_a_plugin_that_cannot_be_loaded_is_named_and_the_others_are_there(
    load: Callable[..., Plugins], text: str, named: str
) -> None:
    found = load("tickets", bad=text)
    assert [one.plugin for one in found.troubles] == ["bad"] and named in found.troubles[0].reason
    assert recorded(found).meta["plugins"] == {"tickets": {"ticket": "OPS-17"}}


def test_what_others_may_write_is_not_loaded(load: Callable[..., Plugins], home: Path) -> None:
    load("tickets")
    (home / "plugins" / "tickets.py").chmod(0o666)
    found = Plugins.load()
    assert found.loaded == [] and "others may write" in found.troubles[0].reason
    (home / "plugins" / "tickets.py").chmod(0o600)
    (home / "plugins").chmod(0o777)
    assert Plugins.load().loaded == []


def test_a_variable_switches_all_of_them_off(load: Callable[..., Plugins], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EYELET_PLUGINS", "0")
    assert load("tickets").loaded == []


def test_two_of_one_name_are_told_apart(load: Callable[..., Plugins]) -> None:
    found = load("ticket_column", other=EXAMPLES["ticket_column"])
    assert [one.name for one in found.columns] == ["ticket"]
    assert "already" in found.troubles[0].reason


@pytest.mark.parametrize(
    "given",
    [
        {"name": "src"},
        {"name": "git_branch"},
        {"name": "a b"},
        {"name": "x; drop table hooks"},
        {"name": "eyelet_x"},
        {"name": ""},
        {"name": "rowid"},
        {"path": "$"},
        {"path": "plugins"},
        {"path": "$.a')) virtual; drop table hooks; --"},
        {"path": "$.a'b"},
        {"of": "uid"},
        {"type": "blob"},
    ],
    ids=str,
)
def test_a_column_that_could_be_anything_else_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(BadInput):
        Column(**{"name": "x", "path": "$.a", **given})


def test_a_day_that_cannot_take_a_column_is_named(root: str, make_event: Callable[..., Any]) -> None:
    with Store(root) as store:
        store.append([make_event(NOW_NS // 1_000)])
        (key,) = store.catalog.partitions()
        bad = layout.PartitionKey("default", 2026, 10)
        os.makedirs(layout.partition_dir(root, bad))
        Path(layout.db_path(root, bad)).write_bytes(b"no database" * 500)
        changed, errors = store.make_columns([Column("x", "$.a")])
        assert changed == 1 and len(errors) == 1 and "010" in str(errors[0])
        assert key in store.catalog.partitions()


def test_texts_are_changed_at_any_depth_and_nothing_else() -> None:
    deep: Any = "kestrel"
    for _ in range(5_000):
        deep = [deep]
    found: Any = plugged.mapped(deep, str.upper)
    while isinstance(found, list):
        found = found[0]
    assert found == "KESTREL"
    value = {"a": [1, 1.5, None, True, {"kestrel": "kestrel"}]}
    assert plugged.mapped(value, str.upper) == {"a": [1, 1.5, None, True, {"kestrel": "KESTREL"}]}
    assert value == {"a": [1, 1.5, None, True, {"kestrel": "kestrel"}]}


def test_what_an_enricher_does_to_the_payload_changes_nothing(load: Callable[..., Plugins]) -> None:
    found = load(bad=RAISES.format(hook="enrich", argument="event", body="event.payload.clear()"))
    assert json.loads(recorded(found).data) == PAYLOAD


def test_what_an_enricher_says_is_redacted(load: Callable[..., Plugins]) -> None:
    token = "ghp_" + "a1B2" * 9
    found = load(leaks=RAISES.format(hook="enrich", argument="event", body=f"return {{'a': {token!r}}}"))
    assert token not in json.dumps(recorded(found).meta)


def test_the_guard_serves_many_threads() -> None:
    guard = foreign.Guard()
    found: list[int] = []
    threads = [threading.Thread(target=lambda n=n: found.append(guard.run(lambda: n, 10))) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == list(range(20))
    with pytest.raises(foreign.TookTooLong):
        guard.run(lambda: time.sleep(30), 0.05)
    assert guard.run(lambda: 5, 10) == 5
    guard.close()


def test_an_object_may_be_a_plugin(root: str) -> None:
    class Shouting:
        @hookimpl
        def redact(self, text: str) -> str:
            return text.upper()

    found = Plugins()
    found.add("shouting", Shouting())
    assert json.loads(recorded(found).data)["tool_input"]["command"].isupper()


def test_the_command_lists_what_there_is_and_what_is_wrong(load: Callable[..., Plugins], root: str) -> None:
    done = subprocess.run([*EYELET, "plugins", "--root", root], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "No plugins.\n")
    load(*EXAMPLES, bad="raise ValueError('\\x1b[2J')")
    done = subprocess.run([*EYELET, "plugins", "--json", "--root", root], capture_output=True, text=True)
    said = json.loads(done.stdout)
    assert done.returncode == 1 and {one["name"] for one in said["plugins"]} == set(EXAMPLES)
    assert said["registered"]["register_checks"] == [{"plugin": "disk_check", "name": "my-disk"}]
    assert said["troubles"][0]["plugin"] == "bad" and "\x1b" not in done.stderr
    done = subprocess.run([*EYELET, "plugins", "--root", root, "--make-columns"], capture_output=True, text=True)
    assert "embedder letters" in done.stdout and "0 days" in done.stdout


def test_the_import_command_uses_them_and_says_what_failed(
    load: Callable[..., Plugins], root: str, tmp_path: Path
) -> None:
    load("codenames", "tickets", "ticket_column", bad=RAISES.format(hook="enrich", argument="event", body="1 / 0"))
    recording = tmp_path / "a.jsonl"
    recording.write_text(json.dumps({**PAYLOAD, "timestamp": "2026-03-20T10:00:00Z"}) + "\n")
    done = subprocess.run([*EYELET, "ingest", str(recording), "--root", root], capture_output=True, text=True)
    assert done.returncode == 0 and "bad (enrich)" in done.stderr and "Traceback" not in done.stderr
    with Store(root) as store:
        (key,) = store.catalog.partitions()
        conn = connect.open_reader(layout.db_path(root, key))
        assert conn.execute("select ticket, data like '%kestrel%' from hooks").fetchall() == [("OPS-17", 0)]
        conn.close()
