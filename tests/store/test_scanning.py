"""A scan says where a secret slipped through and of what kind, in every place, never what it is; it changes nothing."""

import base64
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from eyelet_ingest import json_files
from eyelet_ingest.cli import cli
from eyelet_ingest.events import Event
from eyelet_ingest.ledger import Ledger, Quarantined
from eyelet_ingest.looking import Looker, suspicions
from eyelet_ingest.store import audit, connect, layout, spool, writer
from eyelet_ingest.store.scanning import Finding
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
from tests.corpus.planted import Planted, a_token, traces

pytestmark = pytest.mark.store

TOKEN = a_token(21)
AT_US = int(time.time() - 3 * 86_400) * 1_000_000
KEY = layout.key_for("default", AT_US)

Make = Callable[..., Event]


def scan(root: str, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["secrets", "scan", "--root", root, *arguments], prog_name="eyelet")


def found(store: Store, where: Filter | None = None, **how: Any) -> list[Finding]:
    return list(store.scan_secrets(Looker(), where, **how))


def slipped(make_event: Make, **fields: Any) -> Event:
    """An event as it was stored before anybody knew what a token looks like."""
    return make_event(
        AT_US, **{"data": json.dumps({"tool_input": {"command": f"use {TOKEN}", "n": [1, TOKEN]}}), **fields}
    )


def test_a_day_is_told_with_event_and_field(store: Store, make_event: Make) -> None:
    store.append([slipped(make_event), make_event(AT_US + 5, data='{"a": "nothing"}')], "default")
    one, other = sorted(found(store), key=lambda finding: finding.field)
    assert one == Finding("days", "default", KEY.date, AT_US, "", "data.tool_input.command", "github-token", 1)
    assert other.field == "data.tool_input.n[1]"


def test_columns_and_damaged_payloads_are_looked_at(store: Store, make_event: Make) -> None:
    raw = base64.b64encode(f"no JSON {TOKEN}".encode()).decode()
    held = slipped(
        make_event, data=json.dumps({"_raw": raw, "_why": "not JSON"}), project_dir=f"/x/{TOKEN}", session_id=TOKEN
    )
    held.meta["git"] = {"remote": f"https://me:{TOKEN}@example.org/a.git"}
    store.append([held], "default")
    fields = {(one.field, one.kind) for one in found(store)}
    assert {("data._raw", "github-token"), ("project_dir", "github-token"), ("session_id", "github-token")} <= fields
    assert any(field == "meta.git.remote" for field, _ in fields)


def test_what_is_redacted_is_no_finding(store: Store, make_event: Make) -> None:
    marked = "[" + "redacted:github-token:9f2c61]"
    store.append(
        [slipped(make_event, data=json.dumps({"GITHUB_TOKEN": marked, "x": f"export TOKEN={marked}"}))], "default"
    )
    assert found(store) == []


def test_the_filter_chooses(store: Store, make_event: Make) -> None:
    store.append([slipped(make_event, session_id="a"), slipped(make_event, session_id="b")], "default")
    store.append([slipped(make_event, session_id="c")], "other")
    assert {one.context for one in found(store, Filter(contexts=("other",)))} == {"other"}
    assert len({one.id for one in found(store, Filter(session_id=("a",)))}) == 1
    assert found(store, Filter(since_us=AT_US + 86_400_000_000)) == []


@pytest.fixture
def everywhere(store: Store, root: str, make_event: Make) -> str:
    """A root with the same secret in every place."""
    store.append([slipped(make_event)], "default")
    row = writer.row_of(slipped(make_event))
    spool.put(root, KEY, "default", row, "no room")
    bad = Path(root, "spool", "bad")
    bad.mkdir(mode=0o700)
    (bad / f"{time.time_ns()}-1-default-2026-001.json").write_text(f"no event {TOKEN}")
    json_files.write(root, "default", slipped(make_event))
    with Ledger(root) as ledger:
        entry = Quarantined("default", "/x.jsonl", 3, "not JSON", f"bad {TOKEN}", 9, AT_US)
        ledger.quarantine([(os.urandom(16), entry)])
    audit.record(root, "me", "delete", {"session": TOKEN})
    Path(root, "notes.txt").write_text(f"remember {TOKEN}\n")
    old = layout.key_for("default", AT_US - 5 * 86_400_000_000)
    store.append([make_event(old.bounds_us[0] + 7, data=json.dumps({"x": TOKEN}))], "default")
    store.close()
    done = CliRunner().invoke(cli, ["archive", old.date, "--remove", "--yes", "--root", root])
    assert done.exit_code == 0, done.output
    return root


def test_every_place_is_looked_into_and_nothing_is_said_or_changed(everywhere: str) -> None:
    before = {str(path): path.read_bytes() for path in Path(everywhere).rglob("*.json") if path.is_file()}
    done = scan(everywhere, "--json")
    told = json.loads(done.stdout)
    assert done.exit_code == 1
    assert {one["place"] for one in told["findings"]} == {"days", "archive", "spool", "json", "quarantine", "files"}
    files = {one["name"] for one in told["findings"] if one["place"] == "files"}
    assert files == {"notes.txt", "audit.sqlite"}
    assert told["secrets"] >= 8 and told["failed"] == []
    table = scan(everywhere)
    assert "github-token" in table.stdout and "redact --rules" in table.stderr
    assert traces([Planted("it", TOKEN, TOKEN)], [], done.output, table.output) == []
    assert {str(path): path.read_bytes() for path in Path(everywhere).rglob("*.json") if path.is_file()} == before


def test_a_broken_file_hides_no_other_and_a_long_one_is_named(everywhere: str) -> None:
    Path(everywhere, "a.sqlite").write_bytes(b"SQLite format 3\0" + TOKEN.encode() + b"x" * 5_000)
    Path(everywhere, "b.log").write_bytes(b"x" * (1 << 24) + TOKEN.encode())
    told = json.loads(scan(everywhere, "--json").stdout)
    assert {one["name"] for one in told["findings"] if one["place"] == "files"} == {
        *("a.sqlite", "audit.sqlite", "notes.txt")
    }
    assert [one["error"].split(": ")[0] for one in told["failed"]] == ["a.sqlite", "b.log"]


def test_what_others_keep_in_a_day_and_beside_it_is_looked_at(store: Store, root: str, make_event: Make) -> None:
    store.append([make_event(AT_US)])
    path = layout.db_path(root, layout.key_for("default", AT_US))
    conn = connect.open_writer(path)
    conn.execute("create table notes (body text)")
    conn.execute("insert into notes values (?)", (f"it is {TOKEN}",))
    conn.execute(f"create view asked as select * from hooks where data like '%{TOKEN}%'")
    conn.close()
    Path(f"{path}.bak").write_text(TOKEN)
    told = json.loads(scan(root, "--json").stdout)
    name = os.path.relpath(f"{path}.bak", root)
    assert [(one["place"], one["field"], one["name"]) for one in told["findings"]] == [
        *(("days", "notes.body", ""), ("days", "view asked", ""), ("files", "text", name))
    ]
    assert "change or remove these files yourself" in scan(root).stderr


def test_why_something_waits_is_looked_at(store: Store, root: str, make_event: Make) -> None:
    spool.put(root, KEY, "default", writer.row_of(make_event(AT_US)), f"busy with {TOKEN}")
    bad = Path(root, "spool", "bad")
    bad.mkdir(mode=0o700)
    (bad / "1-1-default-2026-001.json").write_text("no event")
    (bad / "1-1-default-2026-001.json.why").write_text(TOKEN)
    told = json.loads(scan(root, "--json").stdout)
    assert sorted(one["field"] for one in told["findings"]) == ["text", "why"]


def test_a_scan_after_the_remedy_finds_nothing_there(everywhere: str) -> None:
    done = CliRunner().invoke(cli, ["redact", "--rules", "--yes", "--root", everywhere])
    assert [line.split(" holds it")[0] for line in done.stderr.splitlines() if "holds it" in line][-2:] == [
        *("eyelet: audit.sqlite", "eyelet: notes.txt")
    ]
    assert done.exit_code == 1
    told = json.loads(scan(everywhere, "--json").stdout)
    assert {one["place"] for one in told["findings"]} <= {"files"}


def test_nothing_found_ends_with_0_and_a_broken_day_is_named(store: Store, root: str, make_event: Make) -> None:
    store.append([make_event(AT_US, data='{"a": 1}')], "default")
    done = scan(root)
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "eyelet: 0 secrets in 1 events\n")
    Path(layout.db_path(root, layout.key_for("default", AT_US - 86_400_000_000))).parent.mkdir(parents=True)
    Path(layout.db_path(root, layout.key_for("default", AT_US - 86_400_000_000))).write_bytes(b"garbage " * 999)
    done = scan(root)
    assert done.exit_code == 1 and "default" in done.stderr


def test_suspicions_are_asked_for_and_marked(store: Store, root: str, make_event: Make) -> None:
    word = "q8Zr2LxV9bT4nKc7WmP1sYd6HfJ3"
    store.append([slipped(make_event, data=json.dumps({"note": f"see {word} there"}))], "default")
    assert found(store) == []
    (one,) = found(store, suspicions=True)
    assert (one.kind, one.is_sure, one.field) == ("high-entropy", False, "data")
    assert scan(root, "--suspicions").exit_code == 1 and scan(root).exit_code == 0


@pytest.mark.parametrize(
    "text",
    [
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "toolu_01A09q90qw90lq917835lq9ABC",
        "sha512-qwErTyUiOpAsDfGhJkLzXcVbNm1234567890qwErTyUiOp==",
        "getElementsByClassNameFromDocumentFragment2",
        "/usr/lib/Python3/dist-packages/SomeThing4You/x",
        "123e4567-e89b-12d3-a456-426614174000",
    ],
)
def test_what_programs_always_write_is_no_suspicion(text: str) -> None:
    assert list(suspicions(f"before {text} after")) == []


def test_the_limit_cuts_what_is_shown_not_what_is_counted(store: Store, root: str, make_event: Make) -> None:
    store.append([slipped(make_event) for _ in range(9)], "default")
    told = json.loads(scan(root, "--json", "--limit", "2").stdout)
    assert (len(told["findings"]), told["secrets"], told["looked"]) == (2, 18, 9)
