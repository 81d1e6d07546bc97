"""How SQLite is set for each role: as the table says, changed by the environment, and a wrong setting is said."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from eyelet_ingest import capture
from eyelet_ingest.cli import cli
from eyelet_ingest.errors import BadInput
from eyelet_ingest.events import Event
from eyelet_ingest.store import connect, layout, roles
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

SYNCHRONOUS = {"normal": 1, "full": 2, "extra": 3}
UNITS = {"cache_size": -1, "mmap_size": 2**20, "wal_autocheckpoint": 1, "journal_size_limit": 2**20}


def effective(conn: Any, pragma: str) -> int:
    return int(conn.execute(f"pragma {pragma}").fetchone()[0])


def opened(role: str, path: str) -> Any:
    if role in ("capture", "writer"):
        return connect.open_writer(path, small=role == "capture")
    connect.open_writer(path).close()
    return connect.open_reader(path, role=role)


@pytest.mark.parametrize("role", roles.ROLES)
def test_a_connection_has_what_is_shown(role: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"synchronous": "full", "cache_kib": "1234", "mmap_mib": "3", "wal_autocheckpoint": "77"}
    mine = {name: value for name, value in given.items() if name in roles.settings_of(role)}
    for at, setting in enumerate(("", " ".join("=".join(pair) for pair in mine.items()))):
        monkeypatch.setenv(roles.PREFIX + role.upper(), setting)
        conn = opened(role, str(tmp_path / f"{at}.sqlite"))
        try:
            for _, name, value, origin in (line for line in roles.shown() if line[0] == role):
                if name == "synchronous":
                    assert effective(conn, "synchronous") == SYNCHRONOUS[value]
                elif value != roles.SQLITES_OWN.get(name) or name != "journal_limit_mib":
                    pragma = roles.NUMBERS[name][0]
                    assert effective(conn, pragma) == int(value) * UNITS[pragma], (name, value)
                if name in mine and setting:
                    assert (value, origin) == (mine[name], roles.PREFIX + role.upper())
        finally:
            conn.close()


def test_a_day_that_stays_open_has_the_settings_of_a_search(
    store: Store, make_event: Callable[..., Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EYELET_SQLITE_SEARCH", "cache_kib=321")
    (key,) = store.append([make_event(1_790_000_000_000_000)]).partitions
    assert store.count(Filter()).count == 1
    with store._handles.reader(layout.db_path(store.root, key)) as conn:
        assert effective(conn, "cache_size") == -321


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("cache_kib=many", "cache_kib cannot be 'many' (a whole number from 0 to 2147483647)"),
        ("cache_kib=-1", "cache_kib cannot be '-1'"),
        ("synchronous=off", "synchronous cannot be 'off' (one of normal, full, extra)"),
        ("cash_kib=1", "'cash_kib=1' is no setting (NAME=VALUE of synchronous, cache_kib,"),
        ("cache_kib", "'cache_kib' is no setting"),
        ("mmap_mib=1", "'mmap_mib=1' is no setting"),
    ],
)
def test_a_wrong_setting_is_named_before_anything_is_opened(
    setting: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EYELET_SQLITE_WRITER", setting)
    with pytest.raises(BadInput) as refused:
        Store(str(tmp_path))
    assert f"EYELET_SQLITE_WRITER: {said}" in str(refused.value)
    done = CliRunner().invoke(cli, ["config", "show"])
    assert done.exit_code == 2
    assert done.stderr.startswith("Error: read EYELET_SQLITE_WRITER: ")


def test_a_hook_takes_the_default_where_a_setting_is_wrong(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(capture.__file__), "--root", str(tmp_path)],
        input=json.dumps({"hook_event_name": "Stop", "session_id": "one"}),
        env={**os.environ, "EYELET_SQLITE_CAPTURE": "synchronous=off nonsense"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("", "")
    with Store(str(tmp_path)) as store:
        assert store.count(Filter()).count == 1


def test_config_show_says_each_value_and_its_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EYELET_SQLITE_SEARCH", "mmap_mib=16,cache_kib=99")
    shown = json.loads(CliRunner().invoke(cli, ["config", "show", "--json"], catch_exceptions=False).stdout)
    of_sqlite = [
        tuple(one.values())
        for one in shown
        if one["name"].startswith("sqlite.") and one["name"] != "sqlite.extension"  # no setting of a role's
    ]
    assert of_sqlite == [(f"sqlite.{role}.{name}", value, origin) for role, name, value, origin in roles.shown()]
    assert {"name": "sqlite.search.mmap_mib", "value": "16", "origin": "EYELET_SQLITE_SEARCH"} in shown
    assert {"name": "sqlite.reader.mmap_mib", "value": "0", "origin": "SQLite"} in shown
    assert {"name": "sqlite.writer.synchronous", "value": "normal", "origin": "default"} in shown
