"""What the hook has in place of `os` answers as `os` does, and loads no `os` for it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from eyelet_ingest import bundle, system

PACKAGES = str(Path(system.__file__).parent.parent)
PATHS = (
    *("", "/", "//", "///", ".", "..", "a", "a/", "/a", "/a/", "//a", "/a//b", "/a/./b", "/a/../b", "/a/b/.", "/a/..b"),
    *("/..", "/.", "/...", "/.a/b", "/.a/./b", "/a./b", "/a/b/..", "/.a/../b", "/a/...", "/.a/"),
    *("~", "~/", "~/a", "~//a", "~nobody-of-this-name/a", "a/~", "/a/.b", "a\0b", "/tmp/é\udcff", "/nowhere/at/all"),
)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one of each: file, folder, links to both and to nothing, and a pipe."""
    folder = Path(os.path.realpath(tmp_path_factory.mktemp("system")))
    (folder / "folder").mkdir()
    (folder / "file").write_text("x")
    for name, target in (
        ("to-file", "file"),
        ("to-folder", "folder"),
        ("to-nothing", "gone"),
        ("to-itself", "to-itself"),
    ):
        (folder / name).symlink_to(target)
    os.mkfifo(folder / "pipe")
    return folder


def paths_in(folder: Path) -> list[str]:
    names = ("", "file", "folder", "to-file", "to-folder", "to-nothing", "to-itself", "pipe", "gone", "file/below")
    return [*PATHS, *(f"{folder}/{name}" for name in names), f"{folder}/to-folder/below", f"{folder}/to-folder/../file"]


@pytest.mark.parametrize("name", ["dirname", "basename", "abspath", "realpath", "expanduser"])
def test_a_part_of_a_path_is_what_os_says(name: str, here: Path) -> None:
    answers(name, paths_in(here))


@pytest.mark.parametrize("name", ["exists", "lexists", "isfile", "isdir", "islink", "getsize", "relpath"])
def test_what_is_at_a_path_is_what_os_says(name: str, here: Path) -> None:
    answers(name, paths_in(here))


def answers(name: str, paths: list[str]) -> None:
    mine, whole = getattr(system.light().path, name), getattr(os.path, name)
    for path in paths:
        assert answer(mine, path) == answer(whole, path), (name, path)


def answer(ask: object, path: str) -> object:
    try:
        return ask(path)  # type: ignore[operator]
    except (OSError, ValueError) as bad:
        return type(bad)


def test_paths_are_joined_as_os_joins_them() -> None:
    join = system.light().path.join
    for first in PATHS:
        for second in PATHS:
            assert join(first, second) == os.path.join(first, second)
            assert join(first, second, "c") == os.path.join(first, second, "c")


def test_a_home_of_any_shape_is_expanded_as_os_does(monkeypatch: pytest.MonkeyPatch) -> None:
    for home in ("/home/a", "/home/a/", "/", "", "relative"):
        monkeypatch.setenv("HOME", home)
        assert system.expanduser("~/x") == os.path.expanduser("~/x")
        assert system.expanduser("~") == os.path.expanduser("~")
    monkeypatch.delenv("HOME")
    assert system.expanduser("~/x") == os.path.expanduser("~/x")


def test_what_is_not_there_is_asked_of_os_and_what_os_lacks_is_lacking() -> None:
    light = system.light()
    assert light.makedirs is os.makedirs
    assert light.path.commonpath is os.path.commonpath
    assert light.O_NONBLOCK == os.O_NONBLOCK
    assert getattr(light, "O_NOTHING_OF_THIS_NAME", 0) == 0
    assert light.fsencode("a\udcffé") == os.fsencode("a\udcffé")


def test_the_environment_is_that_of_os() -> None:
    code = "from eyelet_ingest.system import os as light; import os; print(light is os, light.environ == os.environ)"
    env = {**os.environ, "NAME": "a=b", "BYTES": "\udcff", "EMPTY": ""}
    assert under_a_bare_interpreter(code, env) == "False True"


def test_os_itself_is_taken_where_it_is_loaded() -> None:
    assert system.os is os


@pytest.mark.parametrize("named", [True, False], ids=["folders that are named", "the user's own, with a dot"])
def test_a_hook_that_is_installed_loads_no_os(tmp_path: Path, named: bool) -> None:
    """Recorded, spooled and with a plain payload: `os` costs more than all the rest of the modules."""
    home, work = tmp_path / ".eyelet", tmp_path / ".work"
    work.mkdir()
    launcher = bundle.write(str(home))
    code = f"""
import sys, posix
end = posix._exit
def told(status):
    posix.write(1, str(sorted({{"os", "posixpath", "stat"}} & set(sys.modules))).encode())
    end(status)
posix._exit = told
__file__ = {launcher!r}
exec(open(__file__).read())
"""
    env = {**os.environ, "HOME": str(tmp_path), "CLAUDE_PROJECT_DIR": str(work)}
    env.pop("EYELET_ROOT", None)
    env.pop("EYELET_CONFIG", None)
    if named:
        env |= {"EYELET_ROOT": str(tmp_path / "root"), "EYELET_CONFIG": str(home / "eyelet.yaml")}
    payload = b'{"hook_event_name":"PreToolUse","session_id":"s","tool_name":"Bash","cwd":"/"}'
    for more in ([], [], ["--mode", "spool"]):
        asked = [sys.executable, "-I", "-S", "-c", code, *more]
        done = subprocess.run(asked, input=payload, env=env, capture_output=True, check=True)
        assert done.stdout == b"[]"
    root = tmp_path / "root" if named else home
    assert len(list(root.glob("logs/*/*/*/logs.sqlite"))) == 1
    assert len(list(root.glob("spool/*.json"))) == 1


def under_a_bare_interpreter(code: str, env: dict[str, str]) -> str:
    code = f"import sys; sys.path.append({PACKAGES!r}); {code}"
    asked = [sys.executable, "-I", "-S", "-c", code]
    return subprocess.run(asked, env=env, capture_output=True, text=True, check=True).stdout.strip()
