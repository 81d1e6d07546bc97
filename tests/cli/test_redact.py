"""`eyelet redact`: what is said first is what goes; the secret stands in no answer, audit or receipt; Ctrl-C."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from eyelet_ingest.cli import cli
from eyelet_ingest.events import Event
from eyelet_ingest.store import audit, layout
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

MakeEvent = Callable[..., Event]
NOON_US = 1_774_008_000_000_000  # 2026-03-20T12:00:00Z
DAY_US = 86_400_000_000
SECRET = "hunter22-of-acme"


def run(root: str, *args: str, given: str | bytes | None = None) -> Result:
    return CliRunner().invoke(cli, ["redact", *args, "--root", root], input=given)


@pytest.fixture
def three(store: Store, make_event: MakeEvent) -> Store:
    """Three days: of each, two events with the secret and one without."""
    for n in range(3):
        at = NOON_US + n * DAY_US
        store.append([make_event(at + m, data=json.dumps({"p": SECRET if m else "no"})) for m in range(3)])
    return store


def texts(store: Store) -> str:
    return "".join(str(row["data"]) for row in store.export(Filter()))


def test_a_dry_run_says_by_place_day_and_column_what_would_go(three: Store) -> None:
    done = run(three.root, "--pattern", SECRET, "--dry-run")
    assert done.exit_code == 0 and texts(three).count(SECRET) == 6
    assert done.stdout.splitlines() == [
        "Would redact 6 events of 3 days.",
        *(f"  days       default 2026-03-2{n}  2 events  (data 2)" for n in range(3)),
    ]
    assert audit.lines(three.root) == []


def test_what_was_said_first_goes_and_neither_audit_nor_receipt_holds_it(three: Store) -> None:
    planned = json.loads(run(three.root, "--pattern", SECRET, "--dry-run", "--json").stdout)
    done = json.loads(run(three.root, "--pattern", SECRET, "--yes", "--json").stdout)
    places = [(one["place"], one["day"], one["events"], one["columns"]) for one in done["days"]]
    assert places == [(one["place"], one["day"], one["events"], one["columns"]) for one in planned["days"]]
    assert (done["events"], done["failed"], SECRET in texts(three)) == (6, [], False)
    end, begin = audit.lines(three.root)
    assert (begin.action, end.action) == ("redact.begin", "redact.end")
    assert json.loads(end.what)["events"] == 6
    receipt = Path(done["receipts"][0]).read_text()
    assert json.loads(receipt)["what"] == json.loads(begin.what)["what"]
    assert SECRET not in receipt + begin.what + end.what + json.dumps(done)


def test_the_terminal_is_told_the_receipt_and_what_else_to_do(three: Store) -> None:
    done = run(three.root, "--pattern", SECRET, "--range", "all", "--yes")
    assert done.exit_code == 0 and SECRET not in done.output
    assert "  receipt    " in done.stdout and "Copies elsewhere still hold it" in done.stdout


@pytest.mark.parametrize("ending", ["\n", "", "\r\n"])
def test_a_pattern_is_read_from_standard_input_or_a_file(three: Store, tmp_path: Path, ending: str) -> None:
    file = tmp_path / "pattern"
    file.write_text(SECRET + ending)
    assert "Would redact 6" in run(three.root, "--pattern-file", str(file), "--dry-run").stdout
    assert run(three.root, "--pattern-file", "-", "--yes", given=SECRET + ending).exit_code == 0
    assert SECRET not in texts(three)


@pytest.mark.parametrize(
    ("args", "given", "said"),
    [
        ((), None, "say one of"),
        (("--pattern", "abcd", "--rules"), None, "say one of"),
        (("--pattern", "ab(cd"), None, "at character 3"),
        (("--pattern", "(hunter+)+22"), None, "repeat"),
        (("--pattern-file", "-"), "", "it is empty"),
        (("--pattern-file", "-"), b"hunter22\xff", "the pattern is not UTF-8"),
        (("--pattern-file", "-"), "abcd\nefgh\n", "more than one line"),
        (("--pattern-file", "/nowhere/at/all"), None, "No such file"),
        (("--pattern", "abcd", "--name", "No Kind"), None, "no kind"),
        (("--rules", "--name", "acme-key"), None, "--name belongs to a pattern"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_one_line_and_nothing_changes(
    three: Store, args: tuple[str, ...], given: str | bytes | None, said: str
) -> None:
    done = run(three.root, *args, "--yes", given=given)
    assert done.exit_code in (1, 2) and said in done.output and "Traceback" not in done.output
    assert "hunter" not in done.output
    assert texts(three).count(SECRET) == 6 and audit.lines(three.root) == []


def test_nobody_to_ask_is_told_what_to_say_and_nothing_goes(three: Store) -> None:
    done = run(three.root, "--pattern", SECRET)
    assert done.exit_code == 2 and "--yes" in done.stderr and "Would redact 6 events" in done.stderr
    assert texts(three).count(SECRET) == 6


def test_flags_choose_and_a_kind_can_be_named(three: Store) -> None:
    done = run(three.root, "--pattern", SECRET, "--since", "2026-03-21", "--name", "acme-key", "--yes")
    assert "Redacted 4 events of 2 days." in done.stdout
    assert (texts(three).count(SECRET), texts(three).count("[redacted:acme-key:")) == (2, 4)


def test_what_is_not_there_is_no_question_and_leaves_no_line(three: Store) -> None:
    done = run(three.root, "--pattern", "nobody-has-this")
    assert (done.exit_code, done.stdout) == (0, "Nothing to redact.\n")
    assert audit.lines(three.root) == [] and not os.path.exists(os.path.join(three.root, "redactions"))


def test_the_patterns_of_the_settings_go_over_the_past(three: Store) -> None:
    home = Path(os.environ["HOME"], ".eyelet")
    home.mkdir(mode=0o700)
    (home / "eyelet.yaml").write_text("redaction:\n  patterns:\n    acme-key: 'hunter[0-9]{2}-of-[a-z]{4}'\n")
    assert "Redacted 6 events" in run(three.root, "--rules", "--yes").stdout
    assert texts(three).count("[redacted:acme-key:") == 6 and SECRET not in texts(three)


def test_what_names_a_session_is_said_with_what_removes_it(store: Store, make_event: MakeEvent) -> None:
    store.append([make_event(NOON_US, session_id=SECRET)])
    done = run(store.root, "--pattern", SECRET, "--yes")
    said = "1 time it is the name of a context, a session, a call or an agent, and stays: `eyelet delete`"
    assert said in done.stderr


@pytest.mark.parametrize("chosen", [(), ("--since", "2026-03-01")])
def test_what_names_a_context_is_said_once_a_day(store: Store, make_event: MakeEvent, chosen: tuple[str, ...]) -> None:
    store.append([make_event(NOON_US, data=json.dumps({"p": SECRET})), make_event(NOON_US + 1)], f"of {SECRET}")
    assert "1 time it is the name of a context" in run(store.root, "--pattern", SECRET, *chosen, "--yes").stderr


def test_nothing_is_called_redacted_where_a_day_cannot_be(three: Store) -> None:
    path = layout.db_path(three.root, layout.key_for("default", NOON_US))
    three.close()
    Path(path).write_bytes(b"this is no database" * 500)
    done = run(three.root, "--pattern", SECRET, "--until", "2026-03-20", "--yes")
    assert (done.exit_code, done.stdout.splitlines()[0]) == (1, "Nothing was redacted.")
    assert "default 2026-03-20: " in done.stderr


def test_a_slow_search_is_stopped_by_ctrl_c_and_all_is_as_it_was(store: Store, make_event: MakeEvent) -> None:
    store.append([make_event(NOON_US, data=json.dumps({"p": "a" * 3_000_000 + " !"}))])
    path = Path(layout.db_path(store.root, layout.key_for("default", NOON_US)))
    store.close()
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    command = [sys.executable, "-m", "eyelet_ingest.cli", "redact", "--pattern", "[a-z]{3,900}!", "--yes"]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(one for one in sys.path if one)}
    child = subprocess.Popen(
        [*command, "--root", store.root],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    while not Path(f"{path}-shm").exists() and child.poll() is None:
        time.sleep(0.01)  # until it reads the day
    time.sleep(0.3)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=60)
    assert (child.returncode, said.strip().splitlines()[-1]) == (130, "interrupted") and "Traceback" not in said
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before
