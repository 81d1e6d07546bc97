"""Plugins in the hook: those that say so, as the bundle runs them; none costs an event or speaks to the agent."""

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from eyelet_ingest import bundle, capture, faults, hot, place, plugins, stamp
from eyelet_ingest.cli import cli
from eyelet_ingest.install import launch
from eyelet_ingest.plugins import Plugins
from eyelet_ingest.redaction import Redactor
from eyelet_ingest.store import identity
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

DOCS = (Path(__file__).resolve().parents[2] / "docs" / "plugins.md").read_text("utf-8")
[EXAMPLE] = re.findall(r"```python\n(# hot_codenames\.py\n.*?)```", DOCS, re.DOTALL)
PAYLOAD = {
    "hook_event_name": "PreToolUse",
    "session_id": "s",
    "tool_name": "Bash",
    "tool_input": {"command": "git commit -m 'OPS-17: feed the kestrel'"},
}
HEAD = "from eyelet_ingest.hot import hookimpl\nhot = True\n"
REDACT = HEAD + "@hookimpl\ndef redact(text):\n    "
Run = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home" / ".eyelet"
    (folder / "plugins").mkdir(parents=True, mode=0o755)
    return folder


@pytest.fixture(params=["bundle", "by path"])
def run(request: pytest.FixtureRequest, home: Path, root: str) -> Run:
    """One event through a hook with these plugins; all rows, newest first."""

    def once(given: object = PAYLOAD, env: dict[str, str] | None = None, **texts: str) -> list[dict[str, Any]]:
        for name, text in texts.items():
            (home / "plugins" / f"{name}.py").write_text(text)
        file = bundle.write(str(home)) if request.param == "bundle" else str(capture.__file__)
        surrounding = {**os.environ, "EYELET_ROOT": root, **(env or {})}
        raw = given if isinstance(given, bytes) else json.dumps(given).encode()
        done = subprocess.run([sys.executable, "-I", "-S", file], input=raw, capture_output=True, env=surrounding)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
        with Store(root) as store:
            store.drain_spool()
            return store.search(Filter(), limit=100).rows

    return once


def meta(row: dict[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(row["meta"])
    return said


def all_bytes(root: str) -> bytes:
    return b"".join(path.read_bytes() for path in Path(root).rglob("*") if path.is_file())


def test_the_example_redacts_and_enriches_in_the_hook(run: Run, root: str, home: Path) -> None:
    [row] = run({**PAYLOAD, "cwd": "/home/kestrel"}, {"CLAUDE_PROJECT_DIR": "/work/kestrel"}, codes=EXAMPLE)
    assert "kestrel" not in str(row) and row["project_dir"] == "/work/[redacted:codename]"
    assert meta(row)["plugins"] == {"codes": {"ticket": "OPS-17"}}
    assert row["src"] == "claude.pretooluse.bash.git.commit" and faults.read(str(home)) == []
    assert meta(row)["environment"]["CLAUDE_PROJECT_DIR"] == "/work/[redacted:codename]"
    row = run(b"no JSON about the kestrel")[0]
    assert b"kestrel" not in base64.b64decode(json.loads(row["data"])["_raw"])
    assert b"kestrel" not in all_bytes(root)


def test_the_same_file_is_a_plugin_for_commands_and_the_server(home: Path) -> None:
    (home / "plugins" / "codes.py").write_text(EXAMPLE)
    found = Plugins.load()
    assert found.troubles == [] and found.loaded[0].hooks == ("enrich", "redact")
    assert found.redacted_text("a kestrel")[0] == "a [redacted:codename]"
    assert plugins.in_hooks(str(home)) == (["codes"], [])
    assert "In hooks, too: codes." in CliRunner().invoke(cli, ["plugins"]).stdout


def test_only_who_says_so_runs_in_a_hook(run: Run) -> None:
    cold = REDACT.replace("hot = True", "hot = False") + "return 'changed'\n"
    quoted = REDACT.replace("hot = True", "text = '  hot = True'") + "return 'changed'\n"
    [row] = run(cold=cold, quoted=quoted)
    assert json.loads(row["data"]) == PAYLOAD


def test_what_others_may_write_runs_in_no_hook(run: Run, home: Path) -> None:
    (home / "plugins" / "bad.py").write_text(REDACT + "return 'changed'\n")
    (home / "plugins" / "bad.py").chmod(0o666)
    assert json.loads(run()[0]["data"]) == PAYLOAD


def test_none_runs_where_the_environment_says_so(run: Run) -> None:
    assert json.loads(run(PAYLOAD, {"EYELET_PLUGINS": "0"}, one=REDACT + "return 'x'\n")[0]["data"]) == PAYLOAD


@pytest.mark.parametrize("what", ["1 / 0", "raise SystemExit(3)", "return 7", "raise KeyboardInterrupt"])
def test_a_text_that_a_redactor_fails_on_is_withheld_and_the_event_says_so(run: Run, what: str, home: Path) -> None:
    lines = f"if 'kestrel' in text:\n        {what}\n    return text\n"
    for _ in range(2):
        row = run(bad=REDACT + lines)[0]
    assert json.loads(row["data"]) == {**PAYLOAD, "tool_input": {"command": "[redacted:withheld]"}}
    assert meta(row)["redaction_failed"] == ["bad"]
    [one] = faults.read(str(home))  # once in a while: it fails at every event
    assert one.kind == "plugin" and one.reason.startswith("bad (redact, in the hook): ")


@pytest.mark.parametrize("inner", ["pass", "try: text.find('x')\n        except Exception: pass"])
def test_a_redactor_that_does_not_end_costs_the_payload_but_no_event(run: Run, inner: str, home: Path) -> None:
    for count in (1, 2):
        rows = run(slow=REDACT + f"while True:\n        {inner}\n")
        assert len(rows) == count
        kept = json.loads(rows[0]["data"])
        assert kept["session_id"] == "s" and "_withheld" in kept and "tool_input" not in kept
        assert meta(rows[0])["redaction_failed"] == ["slow"]
    [one] = faults.read(str(home))
    assert "took longer" in one.reason


def test_a_redactor_that_cannot_be_loaded_withholds_and_another_plugin_costs_nothing(run: Run, home: Path) -> None:
    broken = "import no_such_module\n" + REDACT + "return text\n"
    kept = json.loads(run(broken=broken)[0]["data"])
    assert "_withheld" in kept and kept["tool_name"] == "Bash"
    assert "no_such_module" in faults.read(str(home))[0].reason
    (home / "plugins" / "broken.py").write_text(HEAD + "@hookimpl\ndef enrich(event:\n")
    assert json.loads(run()[0]["data"]) == PAYLOAD
    names, troubles = plugins.in_hooks(str(home))
    assert names == [] and troubles[0].plugin == "broken" and "SyntaxError" in troubles[0].reason


def test_a_redactor_that_does_not_load_in_time_is_waited_for_once_in_a_while(run: Run, home: Path) -> None:
    for _ in range(2):
        assert "_withheld" in run(slow=REDACT + "return text\n\nwhile True:\n    pass\n")[0]["data"]
    assert (home / "cache" / "plugin-slow.load.slow").exists()
    [one] = faults.read(str(home))
    assert "took longer" in one.reason


@pytest.mark.parametrize("answer", ["{'a': 1e999}", "[1]", "{1: 2}", "{'a': 'x' * 100_000}", "1 / 0", "{'a': {1}}"])
def test_an_enricher_that_fails_adds_nothing(run: Run, answer: str, home: Path) -> None:
    [row] = run(bad=HEAD + f"@hookimpl\ndef enrich(event):\n    return {answer}\n")
    assert "plugins" not in meta(row) and json.loads(row["data"]) == PAYLOAD
    assert len(faults.read(str(home))) == 1


def test_what_an_enricher_adds_is_redacted(run: Run, root: str) -> None:
    secret = "ghp_" + "Ab3dEf7hIj" * 4
    [row] = run(one=HEAD + f"@hookimpl\ndef enrich(event):\n    return {{'found': {secret!r}}}\n")
    marker = Redactor(identity.load_key(root)).marker("github-token", secret)
    assert meta(row)["plugins"] == {"one": {"found": marker}}
    assert secret.encode() not in all_bytes(root)


def test_nothing_that_a_plugin_prints_reaches_the_agent(run: Run) -> None:
    loud = "import os, sys\nprint('x')\nos.write(2, b'x')\n" + REDACT + "print(text); sys.stderr.write(text)\n"
    assert json.loads(run(loud=loud)[0]["data"]) == PAYLOAD


def test_a_redactor_may_answer_what_no_file_can_hold(run: Run) -> None:
    assert "feed" not in run(odd=REDACT + "return '\\ud800'\n")[0]["data"]


def test_a_changed_plugin_is_in_the_hook_with_the_next_command(home: Path) -> None:
    launch.write(str(home))
    assert not stamp.is_stale(str(home))
    (home / "plugins" / "one.py").write_text(REDACT + "return text\n")
    assert stamp.is_stale(str(home))
    CliRunner().invoke(cli, ["config", "show"])
    assert not stamp.is_stale(str(home))
    (home / "plugins" / "one.py").unlink()
    assert stamp.is_stale(str(home))


def test_without_such_plugins_a_hook_loads_nothing_of_theirs(home: Path) -> None:
    (home / "plugins" / "cold.py").write_text("import pluggy\n")
    assert hot.bundled(str(home)) == () and place.HOT is None
    code = f"""
import sys
sys.path.append({os.path.dirname(place.PACKAGE)!r})
from eyelet_ingest import capture, place
place.HOT = ()
around = capture.Surroundings("/")
capture._event(b"{{}}", 1, around, around.redactor, "default", bytes(16))
print([name for name in sys.modules if name.endswith((".hot", ".plugged"))])
"""
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
