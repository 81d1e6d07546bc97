"""Secrets of every kind through every way in: not one byte of them in any file, and none in what commands say.

Looked for plain, behind JSON's and URLs' escapes, in base64, in UTF-16, and as the words a text index keeps; in every
file below the root and the home folder, packed ones unpacked, databases row by row.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from eyelet_ingest import bundle, capture, faults
from eyelet_ingest.cli import cli
from eyelet_ingest.store import layout, spool
from eyelet_ingest.store.connect import FileLock
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
from tests.corpus.planted import Planted, a_token, planted, traces
from tests.ingest.old_databases import LOGS, envelope, eyelet_db, logs_db, old_row

pytestmark = pytest.mark.store

SOAK = bool(os.environ.get("EYELET_SOAK"))
LIGHT = [sys.executable, "-I", "-S", str(Path(capture.__file__))]
TOKEN = a_token(7)
TWO_DAYS_AGO = time.time() - 2 * 86_400


@pytest.fixture(scope="module")
def secrets() -> list[Planted]:
    found = planted(20261121)
    assert len(found) >= 40
    return [*found, Planted("a token in every field", TOKEN, TOKEN)]


@pytest.fixture
def disk(tmp_path: Path, root: str) -> list[Path]:
    """All that a run may write: the root, the home folder."""
    Path(root).mkdir(mode=0o700, exist_ok=True)
    return [Path(root), tmp_path / "home"]


def payload(secrets: list[Planted], **fields: Any) -> dict[str, Any]:
    """One payload that holds all of them, and a token in every field that becomes a column or a name."""
    texts = [one.text for one in secrets]
    return {
        "hook_event_name": "PostToolUse",
        "session_id": f"s-{TOKEN}",
        "tool_name": "Bash",
        "tool_use_id": f"toolu-{TOKEN}",
        "cwd": f"/work/{TOKEN}/x",
        "transcript_path": f"/home/bob/{TOKEN}.jsonl",
        "permission_mode": TOKEN,
        "agent_id": TOKEN,
        "model": TOKEN,
        "tool_input": {"command": f"git push https://me:{TOKEN}@example.org/a.git", "lines": texts},
        "tool_response": {"stdout": "\n".join(texts[:10]), "stderr": json.dumps(texts[10:20]), TOKEN: 1},
        **fields,
    }


def git_tree(folder: Path) -> Path:
    """A working tree whose remote and branch hold a token."""
    (folder / ".git" / "refs" / "heads").mkdir(parents=True)
    (folder / ".git" / "HEAD").write_text(f"ref: refs/heads/fix-{TOKEN}\n")
    (folder / ".git" / "config").write_text(f'[remote "origin"]\n\turl = https://me:{TOKEN}@example.org/a.git\n')
    return folder


def hook(root: str, given: bytes, tree: Path | None = None, *flags: str, command: list[str] | None = None) -> bytes:
    env = {**os.environ, "CLAUDE_PROJECT_DIR": f"/work/{TOKEN}", "CLAUDE_CODE_ENTRYPOINT": TOKEN, "TERM": TOKEN}
    done = subprocess.run(
        [*(command or LIGHT), "--root", root, *flags], input=given, capture_output=True, cwd=tree, env=env
    )
    return done.stdout + done.stderr


def eyelet(*arguments: str, stdin: bytes | None = None) -> str:
    done = CliRunner().invoke(cli, list(arguments), input=stdin, prog_name="eyelet")
    assert not done.exception or isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code != 2 or "broken" in arguments, (arguments, done.output)
    return done.output


def as_utf16(value: object) -> bytes:
    return json.dumps(value).encode("utf-16")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return git_tree(tmp_path / "tree")


def test_a_hook_leaves_none(secrets: list[Planted], root: str, disk: list[Path], tree: Path) -> None:
    said = hook(root, json.dumps(payload(secrets)).encode(), tree)
    with Store(root) as store:
        (row,) = store.search(Filter(), limit=5).rows
    assert "redacted" in str(row["session_id"]) and "redacted" in str(row["meta"])
    assert traces(secrets, disk, said, str(row)) == []


def test_a_hook_whose_settings_name_json_files_leaves_none(
    secrets: list[Planted], root: str, disk: list[Path], tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EYELET_FORMAT", "both")
    said = hook(root, json.dumps(payload(secrets, tool_name=f"X-{TOKEN}")).encode(), tree)
    assert list(Path(root, "json").rglob("*.json"))
    assert traces(secrets, disk, said) == []


def test_the_installed_bundle_leaves_none(secrets: list[Planted], root: str, disk: list[Path], tree: Path) -> None:
    home = Path.home() / ".eyelet"
    home.mkdir(mode=0o700)
    (home / "eyelet.yaml").write_text("logging:\n  context: project\n")
    file = bundle.write(str(home))
    said = b"".join(
        hook(root, given, tree, command=[sys.executable, "-I", "-S", file])
        for given in (json.dumps(payload(secrets)).encode(), json.dumps(payload(secrets)).encode()[:-9])
    )
    assert traces(secrets, disk, said) == []


DAMAGES: dict[str, Callable[[dict[str, Any]], bytes]] = {
    "cut short": lambda value: json.dumps(value).encode()[:-7],
    "cut in its middle": lambda value: json.dumps(value, indent=1).encode()[:-2_000],
    "not a number": lambda value: json.dumps({**value, "n": float("nan")}).encode(),
    "two of them": lambda value: json.dumps(value).encode() * 2,
    "nested too deep": lambda value: b'{"a":' * 950 + json.dumps(value).encode() + b"}" * 950,
    "UTF-16": as_utf16,
    "UTF-16 without a mark": lambda value: json.dumps(value).encode("utf-16-le"),
    "UTF-8 with a mark": lambda value: b"\xef\xbb\xbf" + json.dumps(value).encode(),
    "not UTF-8": lambda value: json.dumps({**value, "x": "\x00"}).encode().replace(b"\\u0000", b"\xff\xfe"),
    "escaped throughout": lambda value: _all_escaped(json.dumps(value)),
    "no JSON": lambda value: "\n".join(value["tool_input"]["lines"]).encode(),
    "a list": lambda value: json.dumps([value]).encode(),
    "the same key twice": lambda value: (
        json.dumps(value)[:-1].encode() + b', "cwd": "/x", "cwd": "' + TOKEN.encode() + b'"}'
    ),
}


def _all_escaped(text: str) -> bytes:
    r"""Every letter within a string as \u00XX: what JSON allows and nobody writes."""
    out, within = [], False
    for at, char in enumerate(text):
        if char == '"' and text[at - 1] != "\\":
            within = not within
        out.append(f"\\u{ord(char):04x}" if within and char.isalpha() and text[at - 1] != "\\" else char)
    return "".join(out).encode()


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_payload_that_is_damaged_leaves_none(
    secrets: list[Planted], root: str, disk: list[Path], tree: Path, damage: str
) -> None:
    said = hook(root, DAMAGES[damage](payload(secrets)), tree)
    with Store(root) as store:
        rows = [str(row) for row in store.search(Filter(), limit=5).rows]
    assert rows and traces(secrets, disk, said, *rows) == []


def test_what_waits_in_the_spool_has_none_nor_what_comes_out_of_it(
    secrets: list[Planted], root: str, disk: list[Path], tree: Path
) -> None:
    hook(root, json.dumps({"hook_event_name": "Stop", "session_id": "s"}).encode())
    key = layout.key_for("default", time.time_ns() // 1_000)
    with FileLock(layout.lock_path(root, key), time.monotonic_ns() + 10**9):
        said = hook(root, json.dumps(payload(secrets)).encode(), tree)
        said += hook(root, json.dumps(payload(secrets)).encode()[:-9], tree)
        assert len(spool.waiting(root)) == 2
        assert traces(secrets, disk, said) == []
    assert traces(secrets, disk, eyelet("drain", "--root", root, "--json")) == []
    assert not spool.waiting(root)


def test_a_hook_that_is_killed_anywhere_leaves_none(
    secrets: list[Planted], root: str, disk: list[Path], tree: Path
) -> None:
    chance = random.Random(5)
    given = json.dumps(payload(secrets)).encode()
    for _ in range(200 if SOAK else 12):
        running = subprocess.Popen([*LIGHT, "--root", root], stdin=subprocess.PIPE, cwd=tree)
        assert running.stdin
        with running.stdin as pipe:
            pipe.write(given)
        time.sleep(chance.uniform(0.01, 0.12))
        running.send_signal(chance.choice([signal.SIGKILL, signal.SIGTERM]))
        running.wait()
    assert traces(secrets, disk) == []


@pytest.mark.parametrize("broken", ["the day", "the key", "the root", "the context"])
def test_a_fault_keeps_none(secrets: list[Planted], root: str, disk: list[Path], tree: Path, broken: str) -> None:
    key = layout.key_for("default", time.time_ns() // 1_000)
    where = {
        "the day": Path(layout.db_path(root, key)),
        "the key": Path(root, "secret.key"),
        "the root": Path(root, "logs"),
        "the context": Path(layout.db_path(root, key)).parent.parent,
    }[broken]
    where.parent.mkdir(parents=True, exist_ok=True)
    where.write_bytes(b"garbage " * 40)
    said = hook(root, json.dumps(payload(secrets)).encode(), tree, "--context", "default")
    told = [str(fault) for fault in faults.read(str(Path.home() / ".eyelet"))]
    assert traces(secrets, disk, said, *told, eyelet("status", "--json")) == []


def test_a_plugin_that_fails_with_a_secret_in_its_words_keeps_none(
    secrets: list[Planted], root: str, disk: list[Path], tree: Path, tmp_path: Path
) -> None:
    folder = Path.home() / ".eyelet" / "plugins"
    folder.mkdir(parents=True, mode=0o700)
    (folder / "bad.py").write_text(
        "from eyelet_ingest.hot import hookimpl\nhot = True\n\n"
        "@hookimpl\ndef redact(text):\n    raise ValueError(text)\n\n"
        "@hookimpl\ndef enrich(event):\n    raise ValueError(str(event))\n"
    )
    said = hook(root, json.dumps(payload(secrets)).encode(), tree)
    given = tmp_path / "given.jsonl"
    given.write_text(json.dumps(payload(secrets, timestamp=TWO_DAYS_AGO)) + "\n")
    said += eyelet("ingest", str(given), "--root", root).encode()
    told = [str(fault) for fault in faults.read(str(Path.home() / ".eyelet"))]
    assert traces(secrets, disk, said, *told, eyelet("status"), eyelet("plugins", "--json")) == []


def test_logged_events_leave_none(secrets: list[Planted], root: str, disk: list[Path]) -> None:
    said = [eyelet("log", "--root", root, "--src", f"a.{TOKEN}", "--session", TOKEN, one.text) for one in secrets[:20]]
    lines = "\n".join(line for one in secrets for line in [json.dumps({"content": one.text, "src": f"x.{TOKEN}"})])
    said.append(eyelet("log", "--root", root, "--data", json.dumps({"password": TOKEN}), "x"))
    said.append(eyelet("log", "-", "--root", root, stdin=lines.encode()))
    said.append(eyelet("log", "--root", root, "--data", json.dumps({"password": TOKEN})[:-3], "broken"))
    assert traces(secrets, disk, *(text for text in said if "broken" not in text)) == []


@pytest.fixture
def given(tmp_path: Path, secrets: list[Planted]) -> list[str]:
    """Recordings of every kind, each with all the secrets: the paths to import. Nobody looks there afterwards."""
    folder = tmp_path / "given"
    folder.mkdir()
    held = payload(secrets, timestamp=TWO_DAYS_AGO)
    record = {
        "type": "user",
        "uuid": TOKEN,
        "sessionId": TOKEN,
        "timestamp": "2026-11-01T10:00:00Z",
        "cwd": f"/{TOKEN}",
    }
    record["message"] = {"role": "user", "content": [{"type": "text", "text": one.text} for one in secrets]}
    lines = [json.dumps(held), json.dumps(record), json.dumps({"type": "summary", "summary": TOKEN, "leafUuid": "x"})]
    (folder / f"all-{TOKEN}.jsonl").write_text("\n".join(lines) + "\n")
    bad = [DAMAGES[name](held) for name in ("cut short", "not a number", "nested too deep")]
    # A line is a record: of texts of several lines only a key is known by one of them.
    bad += [one.text.encode() for one in secrets if "\n" not in one.text.strip() or "PRIVATE KEY" in one.text]
    (folder / "bad.jsonl").write_bytes(b"\n".join(bad) + b"\n" + json.dumps({"password": TOKEN}).encode() + b"\n")
    (folder / "wide.jsonl").write_bytes(as_utf16(held))
    (folder / "narrow.jsonl").write_bytes(json.dumps(held).encode("utf-16-le"))
    (folder / "torn.jsonl").write_bytes(json.dumps(held, indent=1).encode()[:-3_000])
    rows = [old_row(envelope(0, tool_input={"lines": [one.text for one in secrets]}, session_id=TOKEN))]
    eyelet_db(folder / "eyelet.db", rows)
    return [str(folder), str(folder / "eyelet.db")]


def test_imports_leave_none_and_say_none(secrets: list[Planted], root: str, disk: list[Path], given: list[str]) -> None:
    said = [eyelet("ingest", *given, "--root", root), eyelet("ingest", *given, "--root", root, "--json")]
    said += [eyelet("quarantine", "--root", root), eyelet("quarantine", "--root", root, "--json")]
    with Store(root) as store:
        assert store.count(Filter()).count >= 3
    named = [text.replace(f"all-{TOKEN}", "") for text in said]  # a path that the user typed
    assert traces(secrets, disk, *named) == []


def test_mapped_lines_and_old_logs_leave_none(
    secrets: list[Planted], root: str, disk: list[Path], tmp_path: Path
) -> None:
    folder = tmp_path / "given"
    folder.mkdir()
    lines = [json.dumps({"at": TWO_DAYS_AGO, "who": f"x.{TOKEN}", "what": one.text, "sid": TOKEN}) for one in secrets]
    (folder / "app.jsonl").write_text("\n".join([*lines, lines[0][:-4]]) + "\n")
    said = eyelet(
        "ingest", str(folder / "app.jsonl"), "--root", root, "--map", "time=at,src=who,message=what,session=sid"
    )
    logs_db(
        folder / "logs.db", [(n, "x", int(TWO_DAYS_AGO), TOKEN, "info", 0, one.text) for n, one in enumerate(secrets)]
    )
    said += eyelet("ingest", str(folder / "logs.db"), "--root", root)
    with Store(root) as store:
        assert store.count(Filter()).count >= len(secrets)
    assert LOGS and traces(secrets, disk, said) == []


@pytest.fixture
def filled(secrets: list[Planted], root: str, given: list[str]) -> Iterator[str]:
    """A root with a day that is over, into which all of it was imported."""
    eyelet("ingest", *given, "--root", root)
    yield root


def test_every_copy_and_every_answer_has_none(
    secrets: list[Planted], filled: str, disk: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    day = layout.key_for("default", int(TWO_DAYS_AGO * 1e6)).date
    commands = [
        ("export", "-o", str(out / "all.jsonl.gz")), ("export", "-o", str(out / "all.jsonl")), ("export", "-o", "-"),
        ("backup", str(out / "backup")), ("backup", str(out / "backup"), "--verify"), ("query", "search", "--json"),
        ("query", "search"), ("query", "search", "--csv"), ("query", "errors"),
        ("query", "summary"), ("text", "build"), ("text", "check"), ("query", "grep", "git"), ("vacuum", day),
        ("checkpoint", "truncate"),
        ("sources", "--tree"), ("tail", "-n", "20", "--json"), ("partitions", "--json"), ("seal", day), ("verify",),
        ("archive", day, "--remove", "--yes"), ("verify", "--json"), ("archive", day, "--restore"),
        ("token", "create", "t"), ("retention", "show"), ("quarantine",), ("token", "list"),
    ]  # fmt: skip
    said = [eyelet(*command, "--root", filled) for command in commands]
    said += [eyelet(*command) for command in (("config", "show"), ("status", "--json"), ("plugins",))]
    other = str(tmp_path / "other")
    said += [
        eyelet("sync", filled, "--root", other),
        eyelet("import", str(out / "all.jsonl.gz"), "--root", other + "2"),
    ]
    said += [eyelet("restore", str(out / "backup"), "--root", other + "3")]
    with Store(other) as store:
        assert store.count(Filter()).count >= 3
    assert traces(secrets, [*disk, out, Path(other), Path(other + "2"), Path(other + "3")], *said) == []


def test_a_deletion_that_names_a_secret_does_not_write_it_down(
    secrets: list[Planted], filled: str, disk: list[Path]
) -> None:
    """Who deletes a session whose name is a secret types it: the audit, the tombstones and the rest do not keep it."""
    eyelet("delete", "--session", TOKEN, "--root", filled, "--yes")
    eyelet("delete", "--text", TOKEN, "--root", filled, "--yes")
    assert traces(secrets, disk) == []


def test_the_search_finds_what_is_planted_in_every_form(secrets: list[Planted], tmp_path: Path) -> None:
    """The proof's own proof: a file with the secret in any of its forms is named."""
    one = next(one for one in secrets if one.kind == "github-token")
    packed = {
        "plain": one.secret.encode(), "word": one.secret[4:].lower().encode(), "gzip": _gzipped(one.secret.encode()),
        "base64": _base64(b"x" + one.secret.encode() + b"yy"), "wide": one.secret.encode("utf-16"),
    }  # fmt: skip
    for name, content in packed.items():
        folder = tmp_path / name
        folder.mkdir()
        (folder / "file").write_bytes(b"before " + content if name != "gzip" else content)
        assert traces([one], [folder]) == [f"github-token in {folder / 'file'}"], name


def _gzipped(raw: bytes) -> bytes:
    import gzip

    return gzip.compress(raw)


def _base64(raw: bytes) -> bytes:
    import base64

    return base64.b64encode(raw)
