"""What is installed: the launcher and its bundle, run as agents run it, with and without what it was made from."""

import json
import marshal
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from eyelet_ingest import again, bundle, faults, patterns, stamp, surroundings
from eyelet_ingest.sources import times
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

PAYLOAD = {"session_id": "s1", "hook_event_name": "PreToolUse", "tool_name": "Bash", "tool_input": {"command": "ls"}}
SECRET = "ghp_" + "Ab3dEf7hIj" * 4


@pytest.fixture
def home(tmp_path: Path) -> str:
    return str(tmp_path / "home" / ".eyelet")


def run(home: str, root: str, *, python: str = "", given: object = PAYLOAD, flags: tuple[str, ...] = ()) -> None:
    """One event through the launcher: silent, exit 0."""
    command = [python or bundle.interpreter(), "-I", "-S", os.path.join(home, "bin", "eyelet-hook.py"), *flags]
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    env = {**kept, "EYELET_ROOT": root}
    done = subprocess.run(command, input=json.dumps(given).encode(), capture_output=True, env=env, cwd="/")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def sessions(root: str) -> list[object]:
    with Store(root) as store:
        store.drain_spool()
        return [row["session_id"] for row in store.search(Filter()).rows]


def test_an_event_goes_through_the_bundle_into_its_day(home: str, root: str) -> None:
    path = bundle.write(home)
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert os.stat(os.path.dirname(path)).st_mode & 0o777 == 0o700
    for _ in range(2):
        run(home, root)
    assert sessions(root) == ["s1", "s1"]
    assert faults.read(home) == []


def test_a_bundle_that_was_cut_short_is_made_anew_before_the_event_is_read(home: str, root: str) -> None:
    """Wherever: what is fetched from its end is asked for in the middle of an event, whose input is gone then."""
    bundle.write(home)
    code = again.code_name(os.path.join(home, "bin", "eyelet-hook"))
    whole = Path(code).read_bytes()
    payload = {**PAYLOAD, "tool_input": {"command": f"echo {SECRET}"}}
    head = 8 + int(whole[:8])
    for kept in (head - 1, head + 9, (head + len(whole)) // 2, len(whole) - 1):
        for rest in (b"", b"\0" * (len(whole) - kept)):
            Path(code).write_bytes(whole[:kept] + rest)
            run(home, root, given=payload)
            assert len(Path(code).read_bytes()) > head, "it is whole again"
    assert sessions(root) == ["s1"] * 8
    assert faults.read(home) == []


def test_where_the_input_is_closed_nothing_is_recorded_but_what_was_said_by_the_command(home: str, root: str) -> None:
    """The bundle's file would else lie where the input is looked for."""
    bundle.write(home)
    said = ("--notify", json.dumps(PAYLOAD))
    for flags in ((), said):
        command = [bundle.interpreter(), "-I", "-S", os.path.join(home, "bin", "eyelet-hook.py"), *flags]
        closed = ["sh", "-c", 'exec "$@" <&-', "sh", *command]
        done = subprocess.run(closed, capture_output=True, env={**os.environ, "EYELET_ROOT": root}, timeout=20)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert sessions(root) == ["s1"]
    assert faults.read(home) == []


def test_the_bundle_stands_by_itself(home: str, root: str, tmp_path: Path) -> None:
    """Neither the package nor the virtual environment it was made from is there."""
    bundle.write(home)
    gone = {str(bundle.PACKAGE): "/nowhere/eyelet_ingest", str(Path(sys.prefix)): "/nowhere/venv"}
    beside = os.path.join(home, "bin", "eyelet-hook")
    with open(f"{beside}.source", "rb") as file:
        sources, groups = marshal.load(file)
    for name, (is_package, text) in sources.items():
        for old, new in gone.items():
            text = text.replace(old, new)
        sources[name] = (is_package, text)
    Path(again.code_name(beside)).write_bytes(again.compiled(sources, groups, {}))
    run(home, root)
    run(home, root, given={**PAYLOAD, "tool_input": {"command": f"echo {SECRET}"}})
    assert sessions(root) == ["s1", "s1"]
    assert faults.read(home) == []


def test_another_python_makes_the_code_anew(home: str, root: str) -> None:
    bundle.write(home)
    code = Path(again.code_name(os.path.join(home, "bin", "eyelet-hook")))
    code.unlink()
    run(home, root)
    assert code.exists()
    run(home, root)
    assert sessions(root) == ["s1", "s1"]


@pytest.mark.parametrize("damage", [b"", b"garbage" * 100, b"00000020" + bytes(40)])
def test_a_damaged_bundle_is_made_anew(home: str, root: str, damage: bytes) -> None:
    bundle.write(home)
    code = Path(again.code_name(os.path.join(home, "bin", "eyelet-hook")))
    code.write_bytes(damage)
    run(home, root)
    assert sessions(root) == ["s1"]
    assert code.stat().st_size > 10_000


def test_where_nothing_helps_all_that_is_kept_is_that_an_event_came(home: str, root: str) -> None:
    bundle.write(home)
    for path in Path(home, "bin").glob("*"):
        if path.suffix in (".code", ".source"):
            path.write_bytes(b"garbage")
    run(home, root, given={**PAYLOAD, "session_id": SECRET})
    (fault,) = faults.read(home)
    assert fault.kind == "launcher"
    assert not Path(root).exists()
    Path(home, "bin", "eyelet-hook-again.py").unlink()
    run(home, root)


@pytest.mark.parametrize("version", ["3.10", "3.12", "3.13", "3.14"])
def test_other_versions_of_python_run_it(home: str, root: str, version: str) -> None:
    python = shutil.which(f"python{version}")
    works = (
        python and subprocess.run([python, "-c", "import sqlite3"], capture_output=True, check=False).returncode == 0
    )
    if not works:
        pytest.skip(f"no python{version} here")
    bundle.write(home)
    for flags in ((), ("--mode", "spool")):
        run(home, root, python=str(python), given={**PAYLOAD, "tool_input": {"command": SECRET}}, flags=flags)
    assert sessions(root) == ["s1", "s1"]


def test_a_secret_is_redacted_without_the_dear_modules(home: str, root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the bundle no rule of redaction needs `re`, nor does a pattern of the settings; what they find is what they
    find in the package."""
    bundle.write(home)
    Path(home, "eyelet.yaml").write_text(
        "redaction:\n  patterns:\n    acme-key: 'ACME-[A-Z]{9}'\n  allow: ['/acme[0-9]{4}/']\n"
    )
    monkeypatch.setenv("EYELET_CONFIG", os.path.join(home, "eyelet.yaml"))
    monkeypatch.setattr(surroundings, "WAIT_MS", 20_000)
    assert surroundings.Surroundings("/").settings["patterns"]  # read and kept for the hook
    code = (
        "import os, sys\n"
        "def told(status):\n"
        f"    dear = {{'re', 'enum', 'functools', 'collections', 'json', 'typing', 'select'}}\n"
        f"    os.write(1, ' '.join(sorted(dear & set(sys.modules))).encode())\n"
        "    ends(status)\n"
        "ends, os._exit = os._exit, told\n"
        f"__file__ = {os.path.join(home, 'bin', 'eyelet-hook.py')!r}\n"
        "exec(open(__file__).read())\n"
    )
    command = f"curl -u me:{SECRET} https://a:{SECRET}@b.c; export DB_PASSWORD={SECRET}; echo {SECRET}; ACME-ABCDEFGHI"
    given = {**PAYLOAD, "tool_input": {"command": command, "password": SECRET}, "-----BEGIN PRIVATE KEY-----": "x"}
    env = {**os.environ, "EYELET_ROOT": root}
    done = subprocess.run(
        [bundle.interpreter(), "-I", "-S", "-c", code],
        input=json.dumps(given).encode(),
        capture_output=True,
        env=env,
        check=True,
    )
    assert (done.stdout, done.stderr) == (b"", b"")
    content = b"".join(path.read_bytes() for path in Path(root).rglob("*") if path.is_file())
    assert SECRET.encode() not in content and b"ABCDEFGHI" not in content and b"[redacted:acme-key:" in content
    assert sessions(root) == ["s1"]


def test_what_is_written_down_of_a_pattern_finds_what_it_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = ["", "a password=hunter22hunter", f"x {SECRET} y", "Bearer abcdefgh12345678", "é _ 9 \n value: 'x'"]
    from eyelet_ingest import redaction_rules

    redaction_rules.compile_all()
    ready = patterns.written_down()
    assert len(ready) > 40
    monkeypatch.setattr(patterns, "READY", ready)
    monkeypatch.setattr(patterns, "READY_FOR", sys.hexversion)
    for (text, flags), old in patterns._known.items():
        new = patterns._made(text, flags)
        assert (new.flags, new.groups, new.groupindex) == (old.flags, old.groups, old.groupindex)
        for sample in samples:
            assert [one.span() for one in new.finditer(sample)] == [one.span() for one in old.finditer(sample)]


def test_the_bundle_is_made_anew_when_the_package_has_changed(home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not bundle.refresh(home)
    bundle.write(home)
    assert not stamp.is_stale(home)
    Path(home, "bin", stamp.STAMP).write_text("another")
    before = Path(home, "bin", "eyelet-hook.py").stat().st_ino
    assert bundle.refresh(home)
    assert not bundle.refresh(home)
    assert Path(home, "bin", "eyelet-hook.py").stat().st_ino != before


def test_the_hook_knows_where_payloads_keep_their_time() -> None:
    from eyelet_ingest import live

    assert live.TIME_KEYS == times.KEYS


def test_the_code_of_a_hook_carries_no_tables_of_lines(tmp_path: Path) -> None:
    bundle.write(str(tmp_path))
    (path,) = (tmp_path / "bin").glob("eyelet-hook-*.code")
    content = path.read_bytes()
    boot, parts = marshal.loads(content[8 : 8 + int(content[:8])])
    left = [boot, *(code for _, _, code in parts[0])]
    assert len(left) > 10
    while left:
        code = left.pop()
        assert code.co_linetable == b"", code
        left += [one for one in code.co_consts if isinstance(one, type(boot))]
