"""What is said, counted or kept of what went wrong holds no secret, whoever is told.

No string here is a credential, or looks like one to a scanner: prefixes and bodies are joined at run time.
"""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from eyelet_ingest import capture, faults, live, logs, metadata, pipeline, redactors, surroundings
from eyelet_ingest.cli import cli
from eyelet_ingest.errors import BadInput
from eyelet_ingest.plugins import Plugins
from eyelet_ingest.redaction import Redactor
from eyelet_ingest.store import connect
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

TOKEN = "gh" + "p_" + "aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zC" + "1234"


def everything(folder: str | Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(Path(folder).rglob("*")) if path.is_file())


def test_a_message_has_markers_without_a_hash_and_the_users_patterns() -> None:
    path = Path(surroundings.config_file())
    path.parent.mkdir(parents=True)
    path.write_text("redaction:\n  patterns:\n    acme-key: 'ACME-[A-Z]{9}'\n")
    assert (
        redactors.message(f"cannot read {TOKEN} ACME-ABCDEFGHI")
        == "cannot read [redacted:github-token] [redacted:acme-key]"
    )


def test_a_command_quotes_no_secret(root: str) -> None:
    for words in (
        ["query", "search", "--since", TOKEN],
        ["query", "search", "--status", TOKEN],
        ["log", "a", "--level", TOKEN],
        ["ingest", f"/nowhere/{TOKEN}.jsonl"],
        ["ingest", "-", "--map", f"time={TOKEN}", "--map", TOKEN],
        ["delete", "--session", TOKEN, "--since", TOKEN],
    ):
        done = CliRunner().invoke(cli, [*words, "--root", root], input="")
        assert done.exit_code and done.stderr and TOKEN not in done.output + done.stderr, words


def test_a_refused_log_event_is_told_of_without_its_secret(store: Store) -> None:
    events = [
        {"message": "x", "time": f"at {TOKEN}"},
        {"message": "x", "level": TOKEN},
        {"message": "x", "status": TOKEN},
    ]
    done = logs.record(store, "default", [json.dumps(one) for one in events], sender="t")
    assert len(done.refused) == 3 and TOKEN not in str(done.refused)


@pytest.mark.parametrize("name", [TOKEN, f"token={TOKEN}"])
def test_no_context_has_the_name_of_a_secret(store: Store, name: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput) as bad:
        logs.record(store, name, ['{"message": "x"}'], sender="t")
    assert TOKEN not in str(bad.value)
    (tmp_path / "a.jsonl").write_text('{"hook_event_name": "Stop", "session_id": "s"}\n')
    with pytest.raises(BadInput):
        pipeline.ingest([str(tmp_path / "a.jsonl")], store.root, name)
    assert TOKEN.encode() not in everything(store.root)


@pytest.mark.parametrize("name", ["secret-santa", "cookie-shop", "password-manager", "passwords"])
def test_a_name_that_only_speaks_of_secrets_is_a_name(
    store: Store, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert logs.record(store, name, ['{"message": "x"}'], sender="t").stored == 1
    project = tmp_path / name
    (project / ".git" / "refs" / "heads").mkdir(parents=True)
    (project / ".git" / "HEAD").write_text("ref: refs/heads/fix-password-reset\n")
    monkeypatch.setenv("EYELET_CONTEXT", "project")
    around = surroundings.Surroundings(str(project))
    assert around.context == name
    event, _ = live.event_of(b'{"hook_event_name": "Stop"}', 1, around.redactor)
    metadata.add(event, around)
    assert event.meta["git"] == {"branch": "fix-password-reset"}


def test_a_context_that_a_row_of_an_old_log_names_is_redacted(root: str, tmp_path: Path) -> None:
    path = tmp_path / "logs.db"
    conn = connect.driver().connect(str(path))
    with conn:
        conn.execute(
            "create table logs (id integer primary key, epoch real, src text, context_name text, content text)"
        )
        conn.execute("insert into logs values (1, 1767225600.5, 'a.b', ?, 'x')", (TOKEN,))
        conn.execute("insert into logs values (2, ?, 'a.b', 'c', 'x')", (f"then {TOKEN}",))
    conn.close()
    assert pipeline.ingest([str(path)], root).stored == 2
    assert TOKEN.encode() not in everything(root)


@pytest.mark.parametrize("hook", ["redact(text)", "enrich(event)"])
def test_what_a_plugin_raises_is_told_by_its_kind_and_place_and_not_by_its_words(hook: str, root: str) -> None:
    home = Path(surroundings.home())
    (home / "plugins").mkdir(parents=True, mode=0o700)
    code = (
        f"from eyelet_ingest.hookspecs import hookimpl\n\n@hookimpl\ndef {hook}:\n    raise KeyError('kestrel flies')\n"
    )
    (home / "plugins" / "bad.py").write_text(code)
    plugins = Plugins.load()
    try:
        with Store(root) as store:
            logs.record(store, "default", ['{"message": "kestrel flies"}'], sender="t", plugins=plugins)
            store.search(Filter(), limit=1)
    finally:
        plugins.close()
    (fault,) = faults.read(str(home))
    assert fault.reason.endswith("KeyError in bad.py, line 5") and "kestrel" not in str(plugins.troubles)


def test_why_an_event_waits_is_kept_without_a_secret(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from eyelet_ingest.store import writer

    def fail(*_: object, **__: object) -> None:
        raise OSError(f"no room for {TOKEN}")

    monkeypatch.setattr(writer, "insert", fail)
    around = surroundings.Surroundings("/")
    around.settings["root"] = root
    event, key = capture._event(b'{"hook_event_name": "Stop"}', 1, around, around.redactor, "default", bytes(16))
    capture.record_around(around, event, key, 10**30)
    assert list(Path(root, "spool").iterdir()) and b"no room for [redacted:" in everything(Path(root, "spool"))
    assert TOKEN.encode() not in everything(root) + everything(surroundings.home())


def test_a_fault_holds_no_secret_that_the_settings_know() -> None:
    redactor = surroundings.Surroundings("/").redactor_with(b"k" * 32)
    home = surroundings.home()
    faults.note(home, "lost", f"it said {TOKEN}", redactor)
    assert faults.read(home)[0].reason == f"it said {Redactor(b'k' * 32).marker('github-token', TOKEN)}"
