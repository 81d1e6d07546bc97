"""`eyelet serve`, the real process: it says where it is, signs its reader in, and goes quietly."""

import contextlib
import errno
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import partial
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from datasette.app import Datasette

from eyelet_ingest.cli import cli
from tests.web.conftest import free_port

Serve = Callable[..., Any]


def browser() -> tuple[urllib.request.OpenerDirector, CookieJar]:
    cookies = CookieJar()
    return urllib.request.build_opener(urllib.request.HTTPCookieProcessor(cookies)), cookies


def test_the_printed_link_signs_in_and_lands_on_the_search_page(serve: Serve) -> None:
    served = serve("--port", str(free_port()))
    opener, _ = browser()
    with pytest.raises(urllib.error.HTTPError, match="403"):
        opener.open(served.search_url)
    with opener.open(served.sign_in_url) as answer:
        assert answer.url == served.search_url
        assert "Nothing is recorded yet" in answer.read().decode()
    with opener.open(served.search_url) as answer:
        assert answer.status == 200


def test_its_log_of_requests_holds_no_secret(root: str, tmp_path: Path) -> None:
    token, port = "ghp_" + "a1B2c3D4e5F6" * 3, free_port()
    command = [sys.executable, "-c", "from eyelet_ingest.cli import main; main()", "serve", "--root", root]
    told = tmp_path / "log"
    with told.open("wb") as log, subprocess.Popen([*command, "--port", str(port)], stdout=log, stderr=log) as process:
        try:
            until = time.monotonic() + 30
            while "Ctrl-C ends" not in told.read_text() and time.monotonic() < until:
                time.sleep(0.05)
            with pytest.raises(urllib.error.HTTPError, match="403"):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/-/eyelet?q={token}")
        finally:
            process.terminate()
    assert "/-/eyelet?q=[redacted:github-token]" in told.read_text()
    assert token not in told.read_text()


def test_it_listens_to_this_machine_only(serve: Serve) -> None:
    served = serve()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/-/eyelet", served.search_url)
    port = int(served.search_url.split(":")[2].split("/")[0])
    listening = Path("/proc/net/tcp")
    if listening.exists():
        entries = [line.split()[1] for line in listening.read_text().splitlines()[1:] if line.split()[3] == "0A"]
        assert [entry for entry in entries if entry.endswith(f":{port:04X}")] == [f"0100007F:{port:04X}"]


def test_a_sign_in_outlives_the_server(serve: Serve, root: str) -> None:
    port = str(free_port())
    first = serve("--port", port)
    opener, _ = browser()
    opener.open(first.sign_in_url).close()
    first.end()
    second = serve("--port", port)
    with opener.open(second.search_url) as answer:
        assert answer.status == 200
    secret = Path(root) / "datasette.secret"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert len(secret.read_text()) == 64
    assert [name for name in os.listdir(root) if name.startswith("datasette.secret.")] == []


def test_a_busy_port_is_passed_over_unless_it_was_asked_for(serve: Serve, root: str) -> None:
    with socket.socket() as taker:
        taker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server: one just gone may linger
        with contextlib.suppress(OSError):  # where another program has it already, that serves as well
            taker.bind(("127.0.0.1", 8001))
            taker.listen()
        served = serve()
        assert ":8001/" not in served.search_url
        taken = served.search_url.split(":")[2].split("/")[0]
        refused = CliRunner().invoke(cli, ["serve", "--root", root, "--port", taken])
        assert refused.exit_code == 1
        assert f"port {taken} is in use: choose another port or leave it out" in refused.output
        _, errors = served.end()
        assert "is in use; taking" in errors


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_quietly(serve: Serve, how: int) -> None:
    served = serve()
    _, errors = served.end(how)
    assert "Traceback" not in errors
    assert "Aborted" not in errors
    with pytest.raises(OSError):
        browser()[0].open(served.search_url)


def test_the_link_leads_whoever_is_signed_in_already_to_the_search(serve: Serve) -> None:
    served = serve()
    opener, _ = browser()
    for _ in range(3):
        with opener.open(served.sign_in_url) as answer:
            assert answer.url == served.search_url
    stranger, _ = browser()
    with pytest.raises(urllib.error.HTTPError, match="403"):
        stranger.open(served.sign_in_url)


@pytest.mark.parametrize("after_s", [0.0, 0.05, 0.15, 0.3, 0.6])
def test_ctrl_c_ends_it_quietly_while_it_starts(root: str, after_s: float) -> None:
    command = [sys.executable, "-c", "from eyelet_ingest.cli import main; main()", "serve", "--root", root]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell ignores SIGINT for what it puts in the background, these tests perhaps, and children inherit that.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Serving ")
        time.sleep(after_s)
        process.send_signal(signal.SIGINT)
        try:
            _, errors = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode in (-signal.SIGINT, 130)
    assert "Traceback" not in errors and "KeyboardInterrupt" not in errors


@pytest.mark.parametrize("setting", ["{alow: {id: x}}", "{root: 5}", "[root]", "{allow: alice}"])
def test_a_wrong_setting_is_one_clear_line_of_plain_datasette(tmp_path: Path, setting: str) -> None:
    path = tmp_path / "settings.yml"
    path.write_text(f"plugins:\n  datasette-eyelet: {setting}\n")
    flag = "-c" if hasattr(Datasette, "allowed") else "-m"
    command = [sys.executable, "-m", "datasette", "serve", flag, str(path), "--port", str(free_port())]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    [line] = [line for line in done.stderr.splitlines() if line]
    assert line.startswith("Error: plugins: datasette-eyelet: ")


def test_open_opens_the_browser_at_the_sign_in_link(serve: Serve, tmp_path: Path) -> None:
    noted = tmp_path / "noted"
    script = tmp_path / "browser"
    script.write_text(f'#!/bin/sh\necho "$1" > {noted}\n')
    script.chmod(0o755)
    served = serve("--open", BROWSER=f"{script} %s")
    deadline_s = time.monotonic() + 20
    while not (noted.exists() and noted.read_text()) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    assert noted.read_text().strip() == served.sign_in_url


def test_a_folder_with_modules_of_the_same_names_does_no_harm(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if sys.version_info < (3, 11):
        pytest.skip("Python 3.10 has no safe path")
    (tmp_path / "click.py").write_text("raise SystemExit('wrong click')")
    (tmp_path / "datasette.py").write_text("raise SystemExit('wrong datasette')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONSAFEPATH", "1")
    assert serve().search_url.endswith("/-/eyelet")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--port", "0"], "0 is not in the range"),
        (["--port", "65536"], "65536 is not in the range"),
        (["--port", "web"], "web"),
        (["--host", "203.0.113.7"], "cannot listen on 203.0.113.7"),
        (["--host", "no.such.host.invalid"], "cannot listen on no.such.host.invalid"),
    ],
)
def test_what_cannot_be_listened_on_is_one_clear_line(root: str, arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(cli, ["serve", "--root", root, *arguments])
    assert done.exit_code != 0
    assert said in done.output
    assert "Traceback" not in done.output


def test_a_root_that_is_a_file_is_one_clear_line(root: str) -> None:
    Path(root).write_text("not a folder")
    done = CliRunner().invoke(cli, ["serve", "--root", root])
    assert done.exit_code == 1
    assert "a file is there" in done.output


def test_a_secret_that_others_could_read_is_closed_to_them(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from eyelet_ingest.cli import serve as module

    os.mkdir(root)
    path = Path(root) / "datasette.secret"
    path.write_text("known")
    path.chmod(0o644)
    started: list[dict[str, Any]] = []
    monkeypatch.setattr(os, "execve", lambda path, command, environment: started.append(environment))
    monkeypatch.delenv("DATASETTE_SECRET", raising=False)
    assert CliRunner().invoke(module.serve, ["--root", root]).exit_code == 0
    assert started[0]["DATASETTE_SECRET"] == "known"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "No space left on device (the disk is full: make room)"),
        (errno.EACCES, "Permission denied (it must be readable and writable by you alone)"),
        (errno.EROFS, "Read-only file system (name another folder with --root)"),
    ],
)
def test_a_secret_that_cannot_be_kept_is_said_with_what_helps(
    root: str, monkeypatch: pytest.MonkeyPatch, number: int, said: str
) -> None:
    opened = os.open

    def refused(path: Any, flags: int, *rest: Any, **given: Any) -> int:
        if "datasette.secret" in str(path) and flags & os.O_CREAT:
            raise OSError(number, os.strerror(number), path)
        return opened(path, flags, *rest, **given)

    monkeypatch.setattr(os, "open", refused)
    monkeypatch.delenv("DATASETTE_SECRET", raising=False)
    done = CliRunner().invoke(cli, ["serve", "--root", root])
    assert done.exit_code == 1
    assert done.output.rstrip().endswith(said)
