"""Alerts: told of a change and of nothing else, by a real server and a real program, whatever the findings hold."""

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from eyelet_ingest import settings
from eyelet_ingest.cli import cli
from eyelet_ingest.errors import BadInput
from eyelet_ingest.health import alerts, telling
from eyelet_ingest.health.finding import ERROR, OK, UNKNOWN, WARN, Finding
from eyelet_ingest.settings import Settings, Value
from eyelet_ingest.store import alert_rows, audit
from eyelet_ingest.store.alert_rows import ACKNOWLEDGED, FIRING, RESOLVED, Alert
from eyelet_ingest.store.metrics import Metrics
from eyelet_ingest.store.store import Store

MINUTE_US = 60_000_000
NOW_US = 1_700_000_000_000_000
SECRET = "ghp_0123456789abcdefghijABCDEFGHIJ012345"


class Receiver:
    """A real HTTP server on this machine: what was posted to it, and what it answers."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.status, self.headers, self.wait_s = 200, {}, 0.0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append({"path": self.path, **json.loads(body)})
                time.sleep(receiver.wait_s)
                self.send_response(receiver.status)
                for name, value in receiver.headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/T0/very-private-path"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def told(self) -> list[tuple[str, str, str]]:
        return [(one["name"], one["level"], one["state"]) for body in self.got for one in body["alerts"]]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def held(**values: Any) -> Settings:
    """The defaults but for these settings of `health`."""
    base = settings.of_files("", "")
    return Settings({**base.values, **{f"health.{name}": Value(value, "test") for name, value in values.items()}})


def look(root: str, minute: float, *findings: Finding, to: Settings | None = None, **more: Any) -> list[Alert]:
    return alerts.evaluate(root, findings, None, to or held(), NOW_US + int(minute * MINUTE_US), **more)


def bad(status: str = ERROR, name: str = "wal", **fields: Any) -> Finding:
    return Finding(status, fields.pop("message", "the WAL is long"), "eyelet checkpoint", name=name, **fields)


WELL = Finding(OK, "short", name="wal")


def test_an_alert_is_told_when_it_begins_and_when_it_is_over_and_never_between(root: str, receiver: Receiver) -> None:
    to = held(alert_webhook=receiver.url)
    for minute in (0, 5, 10):
        (one,) = look(root, minute, bad(evidence={"wal_bytes": 9}), to=to)
        assert (one.state, one.since_us, one.changed_us) == (FIRING, NOW_US, NOW_US)
    assert receiver.told == [("wal", ERROR, FIRING)]
    (one,) = look(root, 15, WELL, to=to)
    assert one.state == FIRING and one.eased_us == NOW_US + 15 * MINUTE_US
    assert look(root, 25, WELL, to=to) == []
    assert look(root, 30, WELL, to=to) == []
    assert receiver.told == [("wal", ERROR, FIRING), ("wal", ERROR, RESOLVED)]
    begun, over = receiver.got
    assert begun["alerts"][0] == {
        "name": "wal", "level": "error", "state": "firing", "message": "the WAL is long", "fix": "eyelet checkpoint",
        "evidence": {"wal_bytes": 9, "findings": 1}, "since_us": NOW_US, "changed_us": NOW_US,
    }  # fmt: skip
    assert begun["text"] == "Eyelet\nwal error: the WAL is long" and over["text"].startswith("Eyelet\nwal is over")
    (past,) = alerts.lately(root, NOW_US + 30 * MINUTE_US)
    assert (past.state, past.told_us) == (RESOLVED, NOW_US + 25 * MINUTE_US)


def test_what_comes_and_goes_stays_one_alert_and_is_told_once(root: str, receiver: Receiver) -> None:
    to = held(alert_webhook=receiver.url)
    for minute in range(0, 120, 5):
        look(root, minute, bad() if minute % 10 == 0 else WELL, to=to)
    assert receiver.told == [("wal", ERROR, FIRING)]


def test_what_begins_again_and_again_takes_ever_longer_to_be_over(root: str, receiver: Receiver) -> None:
    to = held(alert_webhook=receiver.url)
    for minute in range(0, 6 * 60, 5):  # bad for a look, then well for a quarter of an hour
        look(root, minute, bad() if minute % 20 == 0 else WELL, to=to)
    assert receiver.told == [("wal", ERROR, FIRING), ("wal", ERROR, RESOLVED), ("wal", ERROR, FIRING)]
    assert [alerts.hold_us(begun) // MINUTE_US for begun in (0, 1, 2, 3, 50)] == [10, 10, 20, 40, 320]


def test_worse_is_told_at_once_and_better_only_when_it_lasts(root: str, receiver: Receiver) -> None:
    to = held(alert_webhook=receiver.url)
    look(root, 0, bad(WARN), to=to)
    look(root, 5, bad(ERROR), to=to)
    look(root, 10, bad(WARN), to=to)
    assert receiver.told == [("wal", WARN, FIRING), ("wal", ERROR, FIRING)]
    (one,) = look(root, 20, bad(WARN), to=to)
    assert (one.level, one.since_us) == (WARN, NOW_US)
    assert receiver.told[2:] == [("wal", WARN, FIRING)]


def test_what_is_acknowledged_is_told_no_more_until_it_gets_worse(root: str, receiver: Receiver) -> None:
    to = held(alert_webhook=receiver.url)
    look(root, 0, bad(WARN), to=to)
    alerts.acknowledge(root, "wal", "user:me")
    (one,) = look(root, 5, bad(WARN), to=to)
    assert (one.state, one.acknowledged_by) == (ACKNOWLEDGED, "user:me")
    (line,) = audit.lines(root)
    assert (line.who, line.action, json.loads(line.what)) == ("user:me", "alert.acknowledge", {"name": "wal"})
    with pytest.raises(BadInput, match="no alert of this name fires"):
        alerts.acknowledge(root, "wal", "user:me")
    (one,) = look(root, 10, bad(ERROR), to=to)
    assert (one.state, one.acknowledged_by) == (FIRING, "")
    assert receiver.told == [("wal", WARN, FIRING), ("wal", ERROR, FIRING)]


def test_what_is_acknowledged_before_it_could_be_told_is_not_told(root: str, receiver: Receiver) -> None:
    to = held(alert_webhook=receiver.url)
    look(root, 0, bad(WARN), to=to)
    receiver.status = 500
    look(root, 5, bad(ERROR), to=to)
    alerts.acknowledge(root, "wal", "user:me")
    receiver.status, told = 200, len(receiver.told)
    look(root, 10, bad(ERROR), to=to)
    assert [name for name, _, _ in receiver.told[told:]] == [alerts.TELLING]


def test_what_could_not_be_looked_at_or_was_left_out_ends_no_alert(root: str) -> None:
    look(root, 0, bad())
    for minute in range(5, 60, 5):
        (one,) = look(root, minute, Finding(UNKNOWN, "locked", name="wal"), WELL)
        assert (one.state, one.eased_us) == (FIRING, None)
        assert [one.name for one in look(root, minute + 1, Finding(OK, "fine", name="disk"))] == ["wal"]
    assert look(root, 60, known=["disk"]) == []  # its check is gone, with its plugin


def test_many_findings_of_a_check_are_one_alert_with_the_worst(root: str) -> None:
    (one,) = look(root, 0, bad(WARN), bad(ERROR, message="damaged"), *[bad(WARN)] * 3)
    assert (one.level, one.message, json.loads(one.evidence)["findings"]) == (ERROR, "damaged; and 4 more", 5)


def test_a_clock_that_goes_back_breaks_nothing(root: str) -> None:
    look(root, 100, bad())
    look(root, 110, WELL)
    (one,) = look(root, 0, WELL)
    assert one.eased_us == NOW_US
    assert look(root, 10, WELL) == []


def test_two_who_evaluate_at_once_tell_once(root: str, receiver: Receiver) -> None:
    to = held(alert_webhook=receiver.url)
    receiver.wait_s = 0.2
    threads = [threading.Thread(target=look, args=(root, 0, bad()), kwargs={"to": to}) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert receiver.told == [("wal", ERROR, FIRING)]


def test_who_died_while_telling_leaves_it_to_the_next(root: str, receiver: Receiver) -> None:
    look(root, 0, bad())
    with Metrics(root) as metrics, metrics.writing() as conn:
        assert len(alert_rows.claim(conn, NOW_US, 10)) == 1
    to = held(alert_webhook=receiver.url)
    look(root, 0.5, bad(), to=to)
    assert receiver.told == []
    look(root, 2, bad(), to=to)
    assert receiver.told == [("wal", ERROR, FIRING)]


def test_a_failure_to_tell_is_a_finding_is_tried_again_and_is_over_when_it_works(root: str, receiver: Receiver) -> None:
    to = held(alert_webhook=receiver.url)
    receiver.status = 500
    found = look(root, 0, bad(), to=to)
    assert [(one.name, one.level) for one in found] == [("wal", ERROR), (alerts.TELLING, WARN)]
    (finding,) = alerts.findings(root)
    assert finding.status == WARN and finding.message == "the webhook was not told: it answered 500"
    assert finding.fix.startswith("eyelet alerts test") or "alerts test" in finding.fix
    receiver.status = 200
    look(root, 5, bad(), to=to)
    assert receiver.told[-2:] == [("wal", ERROR, FIRING), (alerts.TELLING, WARN, FIRING)]
    assert [one.name for one in look(root, 15, bad(), to=to)] == ["wal"]
    assert [one.status for one in alerts.findings(root)] == [OK]


def test_nothing_is_written_where_all_is_well(root: str) -> None:
    look(root, 0, WELL)
    assert not os.path.exists(os.path.join(root, "health.sqlite"))


def test_alerts_that_cannot_be_kept_are_answered_and_not_told(root: str, receiver: Receiver) -> None:
    os.mkdir(root)
    Path(root, "health.sqlite").write_bytes(b"no database" * 1_000)
    found = look(root, 0, bad(), WELL, to=held(alert_webhook=receiver.url))
    assert [(one.name, one.state) for one in found] == [("wal", FIRING)]
    assert receiver.got == []
    assert alerts.line(root) == ""
    assert [one.status for one in alerts.findings(root)] == [UNKNOWN]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(receiver: Receiver, status: int) -> None:
    elsewhere = Receiver()
    try:
        receiver.status, receiver.headers = status, {"Location": elsewhere.url}
        said = telling.post(receiver.url, "{}")
        assert said == f"it answered {status}, which leads elsewhere: that is not followed"
        assert elsewhere.got == []
    finally:
        elsewhere.close()


def test_a_proxy_is_not_asked_about_this_machine(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    assert telling.post(receiver.url, "{}") == ""


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://example.com/x", "example.com is not this machine: use https"),
        ("http://127.0.0.1.example.com/x", "is not this machine"),
        ("http://localhost@example.com/", "holds a name or password"),
        ("https://me:secret@example.com/", "holds a name or password"),
        ("ftp://127.0.0.1/x", "none of http or https"),
        ("file:///etc/passwd", "none of http or https"),
        ("http://[::1", "cannot be read"),
        ("http://127.0.0.1:99999/", "cannot be read"),
        ("http://127.0.0.1:1/private-path", "cannot be reached"),
    ],
)
def test_an_address_that_is_not_safe_is_not_told_and_not_repeated(url: str, said: str) -> None:
    answer = telling.post(url, "{}")
    assert said in answer
    assert "secret" not in answer and "private-path" not in answer


def test_a_server_that_does_not_answer_is_not_waited_for(receiver: Receiver) -> None:
    receiver.wait_s = 30
    assert telling.post(receiver.url, "{}", seconds=0.2) in (
        "it took longer than 0.2 s",
        "it cannot be reached: TimeoutError",
    )


def program(tmp_path: Path, text: str) -> tuple[str, ...]:
    path = tmp_path / "told.py"
    path.write_text(text)
    return (sys.executable, str(path), "$(touch /tmp/never)", "; exit 3")


def test_a_command_gets_its_arguments_as_they_are_and_json_on_its_input(root: str, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    words = program(
        tmp_path, f"import json, sys\njson.dump([sys.argv[1:], json.load(sys.stdin)], open({str(out)!r}, 'w'))"
    )
    look(root, 0, bad(), to=held(alert_command=words))
    arguments, body = json.loads(out.read_text())
    assert arguments == ["$(touch /tmp/never)", "; exit 3"]
    assert [one["name"] for one in body["alerts"]] == ["wal"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("raise SystemExit(7)", "ended with status 7"),
        ("import time\ntime.sleep(60)", "took longer than 0.5 s"),
        ("import os, time\nos.fork() or time.sleep(1)", ""),  # what it leaves running is not waited for
        ("import sys\nsys.stdin.close()", ""),
    ],
)
def test_a_command_that_fails_or_hangs_is_ended_and_said(tmp_path: Path, text: str, said: str) -> None:
    answer = telling.run(program(tmp_path, text), "x" * 1_000_000, seconds=0.5)
    assert said in answer if said else answer == ""


def test_a_command_that_is_not_there_is_said() -> None:
    assert telling.run(("/nowhere/told",), "{}") == "told does not run: No such file or directory"


def test_hostile_findings_are_told_without_secrets_payloads_and_controls(root: str, receiver: Receiver) -> None:
    text = f"\x1b[2J\u202e{SECRET}\ud800 " + "x" * 100_000
    evidence = {"path": text, "wal_bytes": 7, "huge": 10**400, "nan": float("nan"), text: 1, "list": [text]}
    look(root, 0, bad(message=text, evidence=evidence), to=held(alert_webhook=receiver.url))
    (body,) = receiver.got
    (one,) = body["alerts"]
    assert one["message"].isprintable() and len(one["message"]) <= 300
    assert one["evidence"]["wal_bytes"] == 7 and all(isinstance(value, int) for value in one["evidence"].values())
    assert SECRET not in json.dumps(body)


def test_the_command_line_lists_acknowledges_tests_and_says_one_line(
    root: str, receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store(root):
        look(root, 0, bad(message="a\x1b[2Jb"), bad(WARN, "disk"))

    def run(*words: str) -> Any:
        return CliRunner().invoke(cli, ["alerts", *words, "--root", root])

    assert run().exit_code == 1 and run("list").output.startswith("error wal, firing, since 2023-11-14")
    assert "\x1b" not in run().output and "a\\x1b[2Jb" in run().output
    assert [one["name"] for one in json.loads(run("--json").output)["alerts"]] == ["wal", "disk"]
    assert alerts.line(root).startswith("alert: wal (error): ") and ", and 1 more; see `" in alerts.line(root)
    assert run("acknowledge", "wal").exit_code == 0
    assert run().exit_code == 0 and "acknowledged by" in run().output
    assert run("acknowledge", "nothing").exit_code == 2
    refused = run("test")
    assert refused.exit_code == 2 and "no way to tell them is set" in refused.output
    config = tmp_path / "eyelet.yaml"
    config.write_text(f"health:\n  alert_webhook: {receiver.url}\n")
    monkeypatch.setenv("EYELET_CONFIG", str(config))
    assert json.loads(run("test", "--json").output) == {"ok": True, "ways": ["webhook"], "failed": []}
    assert receiver.got[-1]["test"] is True
    receiver.status = 404
    assert run("test").exit_code == 1 and "it answered 404" in run("test").output
