"""Redacting what others made hard: numbers beyond Python's, names that hide a table's ids, definitions that spell the
secret, a full disk, copies that come back by the spool."""

import json
import os
import shutil
import subprocess
import sys
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from eyelet_ingest.events import Event
from eyelet_ingest.past import Pattern, Rules
from eyelet_ingest.store import archives, connect, layout, schema, sealing, spool, writer
from eyelet_ingest.store.cleaning import Cleaning
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

MakeEvent = Callable[..., Event]
NOON_US = 1_774_008_000_000_000  # 2026-03-20T12:00:00Z
DAY_US = 86_400_000_000
DAY = layout.key_for("default", NOON_US)
SECRET = "Zq9-plant-7Kd3"
TOKEN = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
WHAT = Pattern(SECRET)


def holding(root: str, secret: str = SECRET) -> list[str]:
    paths = (Path(folder, name) for folder, _, names in os.walk(root) for name in names)
    return [str(path) for path in paths if secret.encode() in path.read_bytes()]


def said(make_event: MakeEvent, n: int, secret: str = SECRET, **fields: object) -> Event:
    return make_event(NOON_US + n, data=json.dumps({"p": f"say {secret} {n}"}), **fields)


def opened(root: str) -> Any:
    return connect.open_writer(layout.db_path(root, DAY), busy_ms=1_000)


@pytest.mark.parametrize(("what", "secret"), [(WHAT, SECRET), (Rules(), TOKEN)])
def test_a_number_beyond_python_hinders_no_redaction(
    store: Store, make_event: MakeEvent, what: Cleaning, secret: str
) -> None:
    data = [f'{{"n": {number}, "p": "{secret}"}}' for number in ("1e400", "-1e999", "9" * 5_000)]
    store.append([make_event(NOON_US)])
    conn = opened(store.root)
    for n, one in enumerate(data, 1):
        conn.execute(
            "insert into hooks (uid, timestamp, hook_type, data) values (?, ?, 'X', ?)",
            (os.urandom(16), (NOON_US + n) / 1e6, one),
        )
    conn.close()
    done = store.redact(what)
    assert (done.events, done.failed, holding(store.root, secret)) == (3, [], [])


def test_a_column_that_hides_the_ids_of_a_table_mixes_no_rows(store: Store, make_event: MakeEvent) -> None:
    store.append([said(make_event, 1)])
    conn = opened(store.root)
    conn.execute("create table notes (RowId text, _rowid_ text, body text)")
    conn.execute("create table hidden (rowid text, _rowid_ text, oid text, body text)")
    for name, more in (("notes", ""), ("hidden", "'x', ")):
        rows = ", ".join(f"('x', 'x', {more}'{n} {SECRET if n < 3 else ''}')" for n in range(1, 4))
        conn.execute(f"insert into {name} values {rows}")
    conn.close()
    done = store.redact(WHAT)
    assert [bad.error for bad in done.failed] == ["its table hidden of another program still holds it: change it there"]
    conn = opened(store.root)
    assert [body[:2] for (body,) in conn.execute("select body from notes order by oid")] == ["1 ", "2 ", "3 "]
    assert conn.execute("select count(*) from notes where body like '%Zq9%'").fetchone()[0] == 0
    conn.close()


def test_a_row_that_its_check_refuses_hinders_no_other(store: Store, make_event: MakeEvent) -> None:
    """Written by a program that checks nothing: no JSON, or nested deeper than SQLite reads."""
    store.append([said(make_event, 1)])
    conn = opened(store.root)
    conn.execute("pragma ignore_check_constraints = on")
    deep = "[" * 5_000 + f'"{SECRET}"' + "]" * 5_000
    for n, data in enumerate((f'{{"n": NaN, "p": "{SECRET}"}}', deep), 2):
        sql = "insert into hooks (uid, timestamp, hook_type, data) values (?, ?, 'X', ?)"
        conn.execute(sql, (os.urandom(16), (NOON_US + n) / 1e6, data))
    conn.close()
    done = store.redact(WHAT)
    assert (done.events, done.failed, holding(store.root)) == (3, [], [])
    raw = [json.loads(str(row["data"])).get("_raw", "") for row in store.export(Filter())]
    assert sum(b"[redacted:custom:" in b64decode(one) for one in raw) == 2


@pytest.mark.parametrize("archived", [False, True])
@pytest.mark.parametrize("secret", [SECRET, "nothing"])
def test_a_definition_that_spells_it_is_named_without_it(
    store: Store, make_event: MakeEvent, archived: bool, secret: str
) -> None:
    """Also where nothing else in the day does."""
    store.append([said(make_event, 1, secret)])
    conn = opened(store.root)
    conn.execute(f"create view \"of {SECRET}\" as select * from hooks where data like '%{SECRET}%'")
    conn.close()
    if archived:
        archives.archive(store.root, DAY, remove=True)
    for dry_run in (True, False):
        done = store.redact(WHAT, dry_run=dry_run)
        (bad,) = done.failed
        assert bad.error.startswith("its view of [redacted:custom:") and "drop it" in bad.error
        assert SECRET not in bad.error + "".join(Path(one).read_text() for one in done.receipts)


def test_a_copy_that_somebody_left_under_the_root_is_named(root: str, store: Store, make_event: MakeEvent) -> None:
    store.append([said(make_event, 1)])
    copy = Path(f"{layout.db_path(root, DAY)}.bak")
    copy.write_bytes(Path(layout.db_path(root, DAY)).read_bytes() + SECRET.encode())
    Path(root, "eyelet.yaml").write_text(f"redaction:\n  patterns:\n    acme: {SECRET}\n")
    for dry_run in (True, False):
        (bad,) = store.redact(WHAT, dry_run=dry_run).failed
        assert bad.error.startswith(f"{os.path.relpath(copy, root)} holds it, and is no place of events")
    assert store.redact(WHAT, Filter(since_us=1)).failed == []
    copy.unlink()
    assert store.redact(WHAT).failed == []


def test_the_reason_why_an_event_waits_is_clean_where_only_it_holds_the_secret(
    root: str, store: Store, make_event: MakeEvent
) -> None:
    spool.put(root, DAY, "default", writer.row_of(make_event(NOON_US)), f"busy with {SECRET}")
    Path(root, "spool", "bad").mkdir(mode=0o700)
    aside = Path(root, "spool", "bad", f"{NOON_US * 1_000:020d}-1-{DAY.mount_name}.json")
    aside.write_text('{"half": ')
    Path(f"{aside}.why").write_text(f"half of {SECRET}")
    planned, done = store.redact(WHAT, dry_run=True), store.redact(WHAT)
    for one in (planned, done):
        assert sum(day.columns["why"] for day in one.days) == 2
    assert holding(root) == []
    assert store.drain_spool().stored == 1


@pytest.mark.parametrize("light", [False, True])
def test_a_drain_of_an_old_spool_brings_no_redacted_event_back(
    root: str, store: Store, make_event: MakeEvent, light: bool
) -> None:
    """As a spool has it that was on another disk, or came out of a backup; here the day is in an archive alone."""
    event = said(make_event, 1)
    store.append([event])
    store.redact(WHAT)
    sealing.seal(root, DAY)
    archives.archive(root, DAY, remove=True)
    spool.put(root, DAY, "default", writer.row_of(event), "the day is locked")
    drained = spool.drain(root, time.monotonic_ns() + 5_000_000_000, chosen=connect.light_driver() if light else None)
    assert (drained.stored, drained.dead, holding(root)) == (0, 1, [])
    archives.restore(root, DAY)
    spool.put(root, DAY, "default", writer.row_of(event), "the day is locked")
    drained = spool.drain(root, time.monotonic_ns() + 5_000_000_000, chosen=connect.light_driver() if light else None)
    assert (drained.stored, drained.known, holding(root)) == (0, 1, [])


def test_a_receipt_calls_done_only_what_was_committed(store: Store, make_event: MakeEvent) -> None:
    """No file may grow beyond the limit: the WAL of the first day does, where its transaction is committed."""
    store.append([make_event(NOON_US, data=json.dumps({"p": f"{SECRET} {'x' * 600_000}"}))])
    store.append([said(make_event, DAY_US)])
    store.close()
    program = (
        "import json, resource, sys\n"
        "from eyelet_ingest.past import Pattern\n"
        "from eyelet_ingest.store.store import Store\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))\n"
        "with Store(sys.argv[1]) as store: done = store.redact(Pattern(sys.argv[2]))\n"
        "print(json.dumps([[bad.day for bad in done.failed], [one.key.date for one in done.days], done.receipts]))\n"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(one for one in sys.path if one)}
    ended = subprocess.run(
        [sys.executable, "-c", program, store.root, SECRET], env=env, capture_output=True, text=True, check=True
    )
    failed, done, (receipt,) = json.loads(ended.stdout)
    assert (failed, done) == (["2026-03-20"], ["2026-03-21"])
    states = {day["day"]: day["state"] for day in json.loads(Path(receipt).read_text())["days"]}
    assert states == {"2026-03-20": "failed", "2026-03-21": "done"}
    with Store(store.root) as again:
        assert again.redact(WHAT).failed == [] and len(list(again.export(Filter()))) == 2
    assert holding(store.root) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB."""
    at = tmp_path / "disk"
    at.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=3m", "none", str(at)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("only root may mount a small disk; the limit on files stands in for it")
    yield at
    subprocess.run(["umount", "-l", str(at)], check=True)


def test_a_disk_that_a_redaction_fills_has_its_room_again_and_all_is_as_it_was(
    small_disk: Path, make_event: MakeEvent
) -> None:
    root = str(small_disk / "root")
    data = json.dumps({"p": f"{SECRET} {'x' * 20_000}"})
    with Store(root) as store:
        store.append([make_event(NOON_US + n, data=data) for n in range(60)])
    killed = "import os, sys; from eyelet_ingest.store import connect; conn = connect.open_writer(sys.argv[1])\n"
    killed += "conn.execute('create table later (x)'); conn.execute('insert into later values (zeroblob(40000))')\n"
    killed += "os._exit(0)"  # what it committed stands in the WAL, and lies beyond the end of the file
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(one for one in sys.path if one)}
    subprocess.run([sys.executable, "-c", killed, layout.db_path(root, DAY)], env=env, check=True)
    (small_disk / "ballast").write_bytes(b"x" * (shutil.disk_usage(small_disk).free - 500_000))
    free = shutil.disk_usage(small_disk).free
    with Store(root) as store:
        done = store.redact(WHAT)
    assert done.days == [] and "the disk is full" in done.failed[0].error
    assert done.failed[1:] == [] and json.loads(Path(done.receipts[0]).read_text())["failed"]
    assert shutil.disk_usage(small_disk).free > free - 100_000
    with Store(root) as store:
        assert sum(SECRET in str(row["data"]) for row in store.export(Filter())) == 60


@pytest.mark.parametrize("version", range(1, schema.VERSION))
def test_a_day_of_an_older_version_is_brought_up_and_redacted(
    root: str, store: Store, make_event: MakeEvent, version: int
) -> None:
    path = Path(layout.db_path(root, DAY))
    path.parent.mkdir(parents=True, mode=0o700)
    conn = connect.open_writer(str(path))
    for step in schema.STEPS[:version]:
        for statement in step:
            conn.execute(statement)
    facts = {"context": "default", "given": "default", "start_us": DAY.bounds_us[0], "end_us": DAY.bounds_us[1]}
    conn.executemany("insert into eyelet_partition values (?, ?)", list(facts.items()))
    for n in range(20):
        sql = "insert into hooks (timestamp, hook_type, project_dir, data) values (?, 'X', ?, ?)"
        conn.execute(sql, ((NOON_US + n) / 1e6, f"/{SECRET}", json.dumps({"p": f"{SECRET} {n}"})))
    conn.execute(f"pragma user_version = {version}")
    conn.close()
    planned, done = store.redact(WHAT, dry_run=True), store.redact(WHAT)
    assert (planned.events, done.events, done.failed, holding(root)) == (20, 20, [], [])
