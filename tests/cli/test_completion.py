"""What a shell completes, asked of the real shells."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from eyelet_ingest.cli.completion import SHELLS
from eyelet_ingest.cli.options import RANGES, STATUSES
from eyelet_ingest.events import Event
from eyelet_ingest.ranges import RANGES as KNOWN_RANGES
from eyelet_ingest.store import layout
from eyelet_ingest.store.store import Store

Complete = Callable[..., list[str]]
HOSTILE = (
    "$(touch owned)",
    "a b",
    "x;ls",
    "`id`",
    "a'b",
    'a"b',
    "a\nplain,injected",
    "*",
    "~root",
    "-rf",
    "a|b",
    "\x1b[2J",
)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A folder with an `eyelet` that runs this code."""
    folder = tmp_path / "program"
    folder.mkdir()
    script = folder / "eyelet"
    script.write_text(f"#!{sys.executable}\nfrom eyelet_ingest.cli import main\nmain()\n")
    script.chmod(0o755)
    return folder


@pytest.fixture
def complete(program: Path, root: str, monkeypatch: pytest.MonkeyPatch) -> Complete:
    """What bash offers for the last of these words."""
    monkeypatch.setenv("EYELET_ROOT", root)
    monkeypatch.setenv("PATH", f"{program}:/usr/bin:/bin")

    def asked(*words: str) -> list[str]:
        code = """
            eval "$(eyelet completion bash)"
            COMP_WORDS=(eyelet "$@"); COMP_CWORD=$#
            _eyelet_completion eyelet
            printf '%s\\n' "${COMPREPLY[@]}"
        """
        bash = shutil.which("bash")
        if bash is None:
            pytest.skip("bash is not installed")
        done = subprocess.run(
            [bash, "--norc", "-c", code, "bash", *words], capture_output=True, text=True, timeout=60, cwd=program
        )
        assert done.returncode == 0 and done.stderr == "", done.stderr
        return [line for line in done.stdout.splitlines() if line]

    return asked


@pytest.fixture
def recorded(store: Store, make_event: Callable[..., Event]) -> None:
    now_us = time.time_ns() // 1_000
    some = [
        make_event(now_us, src="claude.posttooluse.bash.git", tool_name="Bash", session_id="0d9c-1"),
        make_event(now_us + 1, src="claude.posttooluse.edit", tool_name="Edit", session_id="0d9c-2"),
        make_event(now_us + 2, src="shop.orders", tool_name="BashOutput", session_id="ffff"),
    ]
    store.append(some)
    store.append([make_event(now_us)], "shop")


def test_commands_and_flags_are_completed(complete: Complete) -> None:
    assert {"query", "ingest", "tail", "completion"} <= set(complete(""))
    assert complete("query", "sea") == ["search"]
    assert {"--since", "--src", "--status", "--session"} <= set(complete("query", "search", "--s"))
    assert complete("completion", "z") == ["zsh"]


def test_what_was_recorded_is_completed(complete: Complete, recorded: None) -> None:
    assert sorted(complete("query", "search", "--context", "")) == ["default", "shop"]
    assert sorted(complete("tail", "--tool", "Ba")) == ["Bash", "BashOutput"]
    assert sorted(complete("query", "search", "--session", "0d9c")) == ["0d9c-1", "0d9c-2"]
    assert complete("ingest", "--context", "s") == ["shop"]


def test_the_tree_of_src_is_completed_level_by_level(complete: Complete, recorded: None) -> None:
    assert sorted(complete("query", "search", "--src", "")) == ["claude", "shop"]
    assert complete("query", "search", "--src", "claude.") == ["claude.posttooluse"]
    found = complete("query", "search", "--src", "claude.posttooluse.")
    assert sorted(found) == ["claude.posttooluse.bash", "claude.posttooluse.edit"]


def test_what_is_known_beforehand_is_completed(complete: Complete) -> None:
    assert sorted(complete("query", "search", "--status", "")) == sorted(STATUSES)
    assert complete("query", "search", "--range", "yes") == ["yesterday"]
    assert sorted(RANGES) == sorted(KNOWN_RANGES)


def test_no_recorded_name_types_into_the_shell(
    complete: Complete, store: Store, make_event: Callable[..., Event], program: Path
) -> None:
    now_us = time.time_ns() // 1_000
    store.append([make_event(now_us + n, tool_name=name, session_id=name) for n, name in enumerate(HOSTILE)])
    assert complete("query", "search", "--tool", "") == []
    assert complete("query", "search", "--session", "") == []
    assert sorted(path.name for path in program.iterdir()) == ["eyelet"]


def test_the_root_on_the_line_is_the_one_that_is_asked(
    complete: Complete, tmp_path: Path, make_event: Callable[..., Event]
) -> None:
    with Store(str(tmp_path / "second")) as other:
        other.append([make_event(time.time_ns() // 1_000)], "elsewhere")
    assert complete("query", "search", "--root", str(tmp_path / "second"), "--context", "") == ["elsewhere"]


def test_trouble_offers_nothing_and_says_nothing(complete: Complete, root: str) -> None:
    assert complete("query", "search", "--context", "") == []
    day = Path(layout.db_path(root, layout.key_for("default", time.time_ns() // 1_000)))
    day.parent.mkdir(parents=True)
    day.write_bytes(b"no database at all" * 300)
    assert complete("query", "search", "--tool", "") == []
    shutil.rmtree(root)
    Path(root).write_text("a file")
    assert complete("query", "search", "--context", "") == []


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_takes_its_script(shell: str, program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = shutil.which(shell)
    script = subprocess.run(
        [program / "eyelet", "completion", shell], capture_output=True, text=True, check=True
    ).stdout
    assert f"_EYELET_COMPLETE={shell}_complete" in script and "eyelet" in script
    if found is None:
        pytest.skip(f"{shell} is not installed")
    monkeypatch.setenv("PATH", f"{program}:/usr/bin:/bin")
    done = subprocess.run([found, "-n"], input=script, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
