"""The build step is optional: what is missing is one line, and nothing else fails for it."""

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from eyelet_ingest.extension import build
from tests.conftest import REPOSITORY
from tests.extension.conftest import skip_or_fail

COMMAND = [sys.executable, "-m", "eyelet_ingest.extension.build"]


def fake_compiler(folder: Path, script: str) -> str:
    path = folder / "fakecc"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def in_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The sources in a folder of the test, so that what others have loaded stays."""
    folder = tmp_path / "extension"
    folder.mkdir()
    for name in os.listdir(build.FOLDER):
        if name.endswith((".c", ".h", ".py")):
            (folder / name).write_bytes((Path(build.FOLDER) / name).read_bytes())
    monkeypatch.setattr(build, "FOLDER", str(folder))
    return folder


def reason_of_failure() -> str:
    with pytest.raises(build.NotBuilt) as caught:
        build.build()
    return str(caught.value)


def test_where_there_is_no_compiler_one_line_names_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    in_a_copy(tmp_path, monkeypatch)
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    reason = reason_of_failure()
    assert "no C compiler" in reason and "apt install gcc" in reason and "\n" not in reason


@pytest.mark.parametrize(("found", "missing"), [("eyelet|stdio", "libsqlite3-dev"), ("eyelet", "libc6-dev")])
def test_where_a_header_is_missing_one_line_names_the_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, found: str, missing: str
) -> None:
    in_a_copy(tmp_path, monkeypatch)
    monkeypatch.setenv("CC", fake_compiler(tmp_path, f"grep -qE '{found}'"))
    reason = reason_of_failure()
    assert missing in reason and "\n" not in reason


def test_what_the_compiler_says_first_is_the_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = in_a_copy(tmp_path, monkeypatch)
    script = 'case "$*" in *fsyntax-only*) exit 0;; esac; echo "plan.c:3:1: error: no" >&2; echo second >&2; exit 1'
    monkeypatch.setenv("CC", fake_compiler(tmp_path, script))
    before = sorted(os.listdir(folder))
    assert reason_of_failure() == "fakecc: plan.c:3:1: error: no"
    assert sorted(os.listdir(folder)) == before  # nothing half made is left


def test_a_compiler_that_compiles_nothing_is_not_taken_for_one_without_headers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    in_a_copy(tmp_path, monkeypatch)
    monkeypatch.setenv("CC", fake_compiler(tmp_path, "echo 'licence expired' >&2; exit 1"))
    assert reason_of_failure() == "the compiler does not work: fakecc: licence expired"


def test_a_folder_that_cannot_be_written_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(build, "FOLDER", str(tmp_path / "gone"))
    assert "gone cannot be written" in reason_of_failure()


def test_the_command_says_why_and_an_optional_build_fails_nothing(tmp_path: Path) -> None:
    env = {**os.environ, "PATH": str(tmp_path), "CC": ""}
    for option, code in (((), 1), (("--optional",), 0)):
        done = subprocess.run([*COMMAND, *option], capture_output=True, text=True, env=env)
        assert (done.returncode, done.stdout) == (code, "")
        assert done.stderr.count("\n") == 1 and "not built: there is no C compiler" in done.stderr
    done = subprocess.run([*COMMAND, "--nonsense"], capture_output=True, text=True)
    assert done.returncode == 2 and "no such option" in done.stderr


def test_the_sources_compile_without_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = in_a_copy(tmp_path, monkeypatch)
    for compiler in ("gcc", "clang"):
        if any((Path(one) / compiler).exists() for one in os.environ["PATH"].split(os.pathsep)):
            monkeypatch.setenv("CC", compiler)
            try:
                path = build.build(strict=True)
            except build.NotBuilt as why:
                if "header" in str(why):
                    skip_or_fail(str(why))
                raise
            assert path == str(folder / build.NAME) and build.is_current()
            assert stat.S_IMODE(os.stat(path).st_mode) == 0o755
            os.utime(path, (1, 1))
            assert not build.is_current()


def test_the_one_thing_that_the_extension_shows_is_its_entry_point(extension: str) -> None:
    done = subprocess.run(["nm", "-D", "--defined-only", extension], capture_output=True, text=True)
    if done.returncode:
        pytest.skip("there is no nm that reads it")
    names = [line.split()[-1] for line in done.stdout.splitlines()]
    assert [name for name in names if not name.startswith("_") and not re.match("(mangle_path|gcov)", name)] == [
        "sqlite3_eyelet_init"
    ]


def test_a_wheel_says_for_which_system_it_is() -> None:
    assert re.fullmatch(r"(linux|macosx_\d+_\d+|freebsd_\w+)_\w+", build.platform_tag())


def test_what_an_install_needs_for_a_later_build_is_in_the_source_package() -> None:
    text = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    assert 'path = "hatch_build.py"' in text and '"hatch_build.py"]' in text


@pytest.mark.parametrize("compiler", ["", "false"], ids=["built", "without a compiler"])
def test_a_wheel_is_of_this_system_where_the_extension_is_in_it_and_of_all_where_not(
    tmp_path: Path, compiler: str
) -> None:
    pytest.importorskip("hatchling", reason="hatchling is in the isolated environment of a build only")
    env = {**os.environ, "CC": compiler}
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")]
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr
    (wheel,) = (tmp_path / "dist").iterdir()
    names = subprocess.run([sys.executable, "-m", "zipfile", "-l", str(wheel)], capture_output=True, text=True).stdout
    assert ("extension/" + build.NAME in names) is not compiler
    assert wheel.name.endswith("-py3-none-any.whl" if compiler else f"-py3-none-{build.platform_tag()}.whl")
    assert "extension/build.py" in names
