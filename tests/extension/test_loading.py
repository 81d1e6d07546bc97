"""Only our file is loaded, by connect alone, and loading is off again before anybody's SQL runs."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from eyelet_ingest import extension as built
from eyelet_ingest.cli import cli
from eyelet_ingest.store import connect
from tests.test_rooms import INGEST, PLUGIN


@pytest.fixture
def memory() -> Any:
    return connect.driver().connect(":memory:")


def copied(extension: str, tmp_path: Path, mode: int = 0o755) -> str:
    path = tmp_path / built.NAME
    shutil.copy(extension, path)
    path.chmod(mode)
    return str(path)


def test_after_it_is_loaded_nothing_else_can_be(memory: Any, loadable: str) -> None:
    assert connect.load_extension(memory, loadable) == ""
    with pytest.raises(connect.driver().OperationalError, match="not authorized"):
        memory.execute("select load_extension(?)", (loadable,))
    with pytest.raises(connect.driver().OperationalError, match="not authorized"):
        memory.load_extension(loadable)


def test_nor_after_it_could_not_be(memory: Any, loadable: str, tmp_path: Path) -> None:
    path = tmp_path / "junk.so"
    path.write_bytes(b"junk")
    reason = connect.load_extension(memory, str(path))
    assert reason.startswith("the extension cannot be loaded: ") and "\n" not in reason
    with pytest.raises(connect.driver().OperationalError, match="not authorized"):
        memory.load_extension(loadable)


def test_a_file_that_others_may_write_is_not_loaded(memory: Any, loadable: str, tmp_path: Path) -> None:
    path = copied(loadable, tmp_path, 0o757)
    assert "may be written by others (chmod go-w" in connect.load_extension(memory, path)
    os.chmod(path, 0o755)
    assert connect.load_extension(memory, path) == ""


def test_what_is_no_file_is_not_loaded(memory: Any, tmp_path: Path) -> None:
    assert "is no file" in connect.load_extension(memory, str(tmp_path))
    assert "No such file" in connect.load_extension(memory, str(tmp_path / "gone.so"))


def test_a_file_of_somebody_else_is_not_loaded(memory: Any, loadable: str, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    path = copied(loadable, tmp_path)
    os.chown(path, 12345, -1)
    assert "belongs to somebody else" in connect.load_extension(memory, path)


def test_where_it_is_not_built_the_line_says_how(memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(built, "path_of_built", lambda: None)
    assert connect.load_extension(memory).endswith("(build it with: python -m eyelet_ingest.extension.build)")


def test_a_python_that_cannot_load_says_so(loadable: str) -> None:
    assert "pip install pysqlite3" in connect.load_extension(object(), loadable)


def test_config_show_says_whether_it_is_there_and_what_helps_where_not(
    monkeypatch: pytest.MonkeyPatch, loadable: str
) -> None:
    def shown() -> list[str]:
        done = CliRunner().invoke(cli, ["config", "show"])
        assert done.exit_code == 0
        return done.stdout.splitlines()[-1].split(maxsplit=2)

    monkeypatch.setattr(built, "path_of_built", lambda: loadable)
    assert shown() == ["sqlite.extension", "true", loadable]
    monkeypatch.setattr(built, "path_of_built", lambda: None)
    assert shown()[:2] == ["sqlite.extension", "false"]
    assert shown()[2].endswith("(build it with: python -m eyelet_ingest.extension.build)")


def test_only_connect_loads() -> None:
    found = [
        path.name
        for folder in (INGEST, PLUGIN)
        for path in folder.rglob("*.py")
        if "load_extension(" in path.read_text(encoding="utf-8").replace("connect.load_extension(", "")
    ]
    assert found == ["connect.py"]


def test_the_extension_leaves_no_name_in_sql_that_does_anything_but_its_modules(
    memory: Any, loadable: str, tmp_path: Path
) -> None:
    """The one function that comes with it is for who makes the tables; after that it is an error."""
    listed = "select name from pragma_function_list"
    before = set(memory.execute(listed))
    assert connect.load_extension(memory, loadable) == ""
    assert set(memory.execute(listed)) - before == {("eyelet_root",)}
    assert memory.execute("select eyelet_root(?)", (f"{tmp_path}/",)).fetchone()[0] == 1
    assert memory.execute("select eyelet_root(?)", (str(tmp_path),)).fetchone()[0] == 1
    memory.execute("create virtual table hooks using eyelet_partitions(table='hooks', root='1')")
    assert str(tmp_path) not in repr(memory.execute("select sql from sqlite_master").fetchall())
    with pytest.raises(memory.OperationalError, match="already"):
        memory.execute("select eyelet_root('/etc')")
