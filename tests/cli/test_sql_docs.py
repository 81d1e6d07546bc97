"""docs/sql.md: its statements run, and its commands where their tool is there; tables are as it says."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from eyelet_ingest import extension
from eyelet_ingest.cli import cli
from eyelet_ingest.events import Event
from eyelet_ingest.store import all_days, connect
from eyelet_ingest.store.store import Store

DOCS = (Path(__file__).resolve().parents[2] / "docs" / "sql.md").read_text("utf-8")
START_US = 1_773_792_000_000_000  # 2026-03-18T00:00:00Z
STATEMENTS = [
    one.strip()
    for block in re.findall(r"```sql\n(.*?)```", DOCS, re.DOTALL)
    for one in block.split(";\n")
    if one.strip()
]
NOT_BUILT = connect.load_extension(connect.open_memory())
needs_extension = pytest.mark.skipif(bool(NOT_BUILT), reason=NOT_BUILT)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = str(tmp_path_factory.mktemp("documented") / "it's a root")
    with Store(root) as store:
        for number in range(3):
            at = START_US + number * 86_400_000_000
            store.append([Event(time_us=at, uid=bytes([number]) * 16, hook_type="Stop", src="a.b", session_id="s-1")])
    return root


def shell(*command: str, given: str = "") -> str:
    return subprocess.run(command, input=given, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda text: text.splitlines()[0])
def test_every_statement_runs(recorded: str, statement: str) -> None:
    done = CliRunner().invoke(cli, ["sql", "-", "--json", "--root", recorded], input=statement)
    assert done.exit_code == 0, done.stderr


def test_every_table_is_listed_with_columns_it_has() -> None:
    tables = {
        name: {"context_name", *(column for column, _ in columns)} for name, columns in all_days.VIEW_COLUMNS.items()
    }
    for name, columns in tables.items():
        (line,) = [line for line in DOCS.splitlines() if line.startswith(f"| `{name}` |")]
        assert set(re.findall(r"`([a-z_]+)`", line)) - {name, "src"} <= columns


@needs_extension
@pytest.mark.skipif(shutil.which("sqlite3") is None, reason="there is no shell of SQLite here")
def test_the_shell_of_sqlite_has_the_same_tables(recorded: str, tmp_path: Path) -> None:
    script = tmp_path / "days.sql"
    script.write_text(CliRunner().invoke(cli, ["sql", "--script", "--root", recorded]).stdout)
    asked = "select (select count(*) from hooks), (select events from sources), (select count(*) from sessions)"
    assert shell("sqlite3", "-init", str(script), ":memory:", asked).strip() == "3|3|1"
    for view in all_days.VIEWS:
        shell("sqlite3", "-init", str(script), ":memory:", f"select * from {view}")


@needs_extension
@pytest.mark.skipif(shutil.which("sqlite3") is None, reason="there is no shell of SQLite here")
def test_sqlite_utils_reads_them_from_a_file(recorded: str, tmp_path: Path) -> None:
    days, tool = str(tmp_path / "days.db"), str(Path(sys.executable).parent / "sqlite-utils")
    shell("sqlite3", days, given=CliRunner().invoke(cli, ["sql", "--script", "--root", recorded]).stdout)
    path = str(extension.path_of_built())
    found = shell(tool, days, "select count(*) as n from hooks", "--load-extension", path)
    assert found.strip() == '[{"n": 3}]'
    with pytest.raises(subprocess.CalledProcessError):  # a foreign file's views must not read what somebody recorded
        shell(tool, days, "select * from sources", "--load-extension", path)


def test_sqlite_utils_has_the_command(recorded: str) -> None:
    tool = str(Path(sys.executable).parent / "sqlite-utils")
    assert shell(tool, "eyelet", "sql", "select count(*) as n from hooks", "--nl", "--root", recorded) == '{"n": 3}\n'


def test_python_has_the_same_tables(recorded: str) -> None:
    with Store(recorded) as store:
        days = store.all_days()
        assert days.conn.execute("select src, events from sources").fetchall() == [("a.b", 3)]
        days.close()
        limited = store.limited_to(frozenset(["other"])).all_days()
        assert limited.conn.execute("select count(*) from hooks").fetchone() == (0,)
        limited.close()
