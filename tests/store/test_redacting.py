"""Redacting what is stored: the secret is in no byte of any place, the events stay, and nothing brings it back."""

import hashlib
import json
import lzma
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from eyelet_ingest import json_files, pipeline
from eyelet_ingest.events import Event
from eyelet_ingest.ledger import Ledger
from eyelet_ingest.past import Pattern, Rules
from eyelet_ingest.store import (
    alongside,
    archives,
    connect,
    export,
    layout,
    schema,
    sealing,
    spool,
    sync,
    verify,
    writer,
)
from eyelet_ingest.store.redacted import Redacted
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
from eyelet_ingest.store.tombstones import Tombstones

MakeEvent = Callable[..., Event]
NOON_US = 1_774_008_000_000_000  # 2026-03-20T12:00:00Z
DAY_US = 86_400_000_000
DAY = layout.key_for("default", NOON_US)
SECRET = 'corr"ect-hörse\\9'
WHAT = Pattern(r"corr\"ect-hörse\\9")
FORMS = (
    SECRET,
    json.dumps(SECRET)[1:-1],
    json.dumps(SECRET, ensure_ascii=False)[1:-1],
    json.dumps(json.dumps(SECRET))[1:-1],
    json.dumps(json.dumps(SECRET, ensure_ascii=False), ensure_ascii=False)[1:-1],
)
COLUMNS = ("id", "uid", "arrived", "timestamp", "session_id", "tool_use_id", "hook_type", "status")


def everywhere(root: str, *forms: str) -> list[str]:
    """The files under the root that hold any of these texts, archives unpacked."""
    found = []
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            content = lzma.decompress(path.read_bytes()) if name.endswith(".xz") else path.read_bytes()
            if any(form.encode() in content for form in forms or FORMS):
                found.append(str(path))
    return found


def told(make_event: MakeEvent, n: int, secret: str = SECRET, **fields: object) -> Event:
    data = {"prompt": f"say {secret} {n}", "tool": json.dumps({"q": [secret]}), secret: {"deep": [[secret]]}}
    fields = {"project_dir": f"/home/{secret}/app", "session_id": f"s{n % 3}", "tool_use_id": f"t{n}"} | fields
    return make_event(NOON_US + n, data=json.dumps(data), **fields)


def rows(store: Store, *columns: str) -> list[tuple[object, ...]]:
    return [tuple(row[name] for name in columns or COLUMNS) for row in store.export(Filter())]


def digests(root: str) -> dict[str, str]:
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder, _, names in os.walk(root)
        for name in names
        if not (path := Path(folder, name)).name.endswith((".lock", "-shm")) and path.stat().st_size
    }


def counts(done: Redacted) -> set[tuple[str, int]]:
    return {(day.place, day.events) for day in done.days}


@pytest.fixture
def places(root: str, store: Store, make_event: MakeEvent, tmp_path: Path) -> Store:
    """The secret in a sealed day, its archive, the day after, the spool, its `bad`, JSON files, the quarantine, and a
    root beside this one."""
    store.append([told(make_event, n) if n % 3 else make_event(NOON_US + n) for n in range(90)])
    store.append([told(make_event, n, meta={"git": {"branch": SECRET}}) for n in range(DAY_US, DAY_US + 5)])
    sealing.seal(root, DAY)
    archives.archive(root, DAY)
    json_files.write(root, "default", told(make_event, 2_000, tool_name=SECRET))
    log = tmp_path / "log.jsonl"
    log.write_text(
        '{"hook_event_name": "Stop", "session_id": "s", "timestamp": "2026-03-20T10:00:00Z"}\n'
        f'{{"half": {json.dumps(SECRET)}\n'
    )
    assert pipeline.ingest([str(log)], root).quarantined == 1
    spool.put(root, DAY, "default", writer.row_of(told(make_event, 1_000)), f"busy {SECRET}")
    Path(root, "spool", "bad").mkdir(mode=0o700)
    aside = Path(root, "spool", "bad", f"{NOON_US * 1_000:020d}-1-{DAY.mount_name}.json")
    aside.write_text('{"half": ' + json.dumps(SECRET)[:-1])
    Path(f"{aside}.why").write_text(f"half of {SECRET}")
    Path(root, "faults").write_text(f"1774008000000000\tspooled\tbusy with {SECRET}\n")
    side = alongside.path_of(root, "old")
    with Store(side) as other:
        other.append([told(make_event, 3_000)])
    return store


def test_a_secret_is_in_no_byte_of_any_place_and_every_event_stays(places: Store) -> None:
    root = places.root
    before = rows(places)
    assert len(everywhere(root)) >= 8
    planned = places.redact(WHAT, dry_run=True)
    done = places.redact(WHAT)
    assert (done.failed, done.unerased) == ([], [])
    assert counts(planned) == counts(done)
    assert counts(done) == {
        *(("days", 60), ("days", 5), ("days", 1), ("archive", 60)),
        *(("json", 1), ("quarantine", 1), ("spool", 2), ("faults", 1)),
    }
    assert everywhere(root) == []
    assert rows(places) == before
    assert Tombstones.of(root).to_erase() == []
    assert archives.restore(root, DAY).rows == 90
    assert everywhere(root) == []
    conn = connect.open_reader(layout.db_path(root, DAY))
    made = {name for (name,) in conn.execute("select name from sqlite_master where type = 'index'")}
    assert set(schema.index_statements()) <= made
    conn.close()


def test_no_gap_of_a_file_keeps_a_piece_of_it(root: str, store: Store, make_event: MakeEvent, tmp_path: Path) -> None:
    """Rows of all lengths, which SQLite moves about; and as many records in quarantine."""
    data = [json.dumps({"p": f"{SECRET} {'x' * (n * 37 % 3_000)}", "q": SECRET * (n % 7)}) for n in range(300)]
    store.append([make_event(NOON_US + n, data=one) for n, one in enumerate(data)])
    log = tmp_path / "log.jsonl"
    log.write_text("".join(f"{one[:-1]}\n" for one in data))
    assert pipeline.ingest([str(log)], root).quarantined == 300
    assert counts(store.redact(WHAT)) == {("days", 300), ("quarantine", 300)}
    assert everywhere(root) == []


def test_what_waits_is_stored_without_the_secret(root: str, store: Store, make_event: MakeEvent) -> None:
    event = told(make_event, 1)
    path = spool.put(root, DAY, "default", writer.row_of(event), "busy")
    assert counts(store.redact(WHAT)) == {("spool", 1)}
    assert spool.waiting(root) == [path] and stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert store.drain_spool().stored == 1
    assert rows(store, "uid") == [(event.uid.hex(),)]
    assert everywhere(root) == []


def test_a_dry_run_changes_nothing(places: Store) -> None:
    before = digests(places.root)
    assert places.redact(WHAT, dry_run=True).receipts == []
    assert digests(places.root) == before


def test_redacting_twice_is_redacting_once_and_leaves_one_receipt(places: Store) -> None:
    first = places.redact(WHAT)
    before = digests(places.root)
    again = places.redact(WHAT)
    assert (again.days, again.failed, again.receipts) == ([], [], [])
    assert digests(places.root) == before
    assert len(first.receipts) == 2  # one for each root


def test_only_what_is_chosen_changes(store: Store, make_event: MakeEvent) -> None:
    store.append([told(make_event, n) for n in range(6)])
    store.append([told(make_event, 10)], "other")
    assert store.redact(WHAT, Filter(session_id=("s1",), contexts=("default",))).events == 2
    assert store.redact(WHAT, Filter(since_us=NOON_US + 3, until_us=NOON_US + 5), projects=["/nowhere"]).events == 0
    assert store.redact(WHAT, Filter(since_us=NOON_US + 3, until_us=NOON_US + 5)).events == 1  # 4 was of s1
    assert store.redact(WHAT).events == 7 - 2 - 1


def test_the_same_secret_is_the_same_marker_however_it_is_written(store: Store, make_event: MakeEvent) -> None:
    store.append([told(make_event, 1)])
    store.redact(Pattern(WHAT.pattern, "db-password"))
    (row,) = store.export(Filter())
    data = json.loads(str(row["data"]))
    marker = data["prompt"].split()[1]
    assert marker.startswith("[redacted:db-password:") and len(marker) == len("[redacted:db-password:123456]")
    expected = {"prompt": f"say {marker} 1", "tool": json.dumps({"q": [marker]}), marker: {"deep": [[marker]]}}
    assert data == expected
    assert row["project_dir"] == f"/home/{marker}/app"


def test_derived_columns_statistics_and_src_follow(store: Store, make_event: MakeEvent) -> None:
    meta = {"execution": {"error_code": "exit:hunter22"}, "git": {"branch": "fix/hunter22"}}
    event = make_event(NOON_US, src="claude.x.bash.hunter22.run", meta=meta, data='{"command": "Hunter22 run"}')
    store.append([event, make_event(NOON_US + 1)])
    sealing.seal(store.root, DAY)
    store.redact(Pattern("(?i)hunter22"))
    found = store.facets(Filter(), ["src", "git_branch"], src_below="claude.x.bash")
    assert "hunter22" not in str(found).lower()
    (row,) = [row for row in store.export(Filter()) if row["error_code"]]
    assert row["src"] == "claude.x.bash.redacted.run"
    assert str(row["error_code"]).startswith("exit:[redacted:custom:")
    assert everywhere(store.root, "hunter22", "Hunter22") == []


def test_a_src_keeps_no_part_of_a_long_secret(store: Store, make_event: MakeEvent) -> None:
    secret = "Acme+" + "k9" * 40
    part = "acme_" + "k9" * 13  # 31 characters, as a program's name is cut
    store.append([make_event(NOON_US, src=f"claude.x.bash.{part}", data=json.dumps({"command": secret}))])
    store.redact(Pattern(r"Acme\+[k9]{80}"))
    assert rows(store, "src") == [("claude.x.bash.redacted",)]


def test_a_number_is_a_secret_too(store: Store, make_event: MakeEvent) -> None:
    store.append([make_event(NOON_US, data='{"pin": 12345678, "n": 1, "yes": true, "none": null}')])
    store.redact(Pattern("12345678"))
    (row,) = store.export(Filter())
    data = json.loads(str(row["data"]))
    assert data.pop("pin").startswith("[redacted:custom:")
    assert data == {"n": 1, "yes": True, "none": None}


def test_what_was_no_json_is_redacted_inside_its_base64(store: Store, make_event: MakeEvent) -> None:
    store.append([make_event(NOON_US, data=writer.raw_payload(f"half {SECRET} \x00".encode(), "not JSON"))])
    store.redact(WHAT)
    (row,) = store.export(Filter())
    from base64 import b64decode

    raw = b64decode(json.loads(str(row["data"]))["_raw"])
    assert raw.startswith(b"half [redacted:custom:") and raw.endswith(b" \x00")


def test_what_names_a_session_or_a_call_stays_and_is_told(store: Store, make_event: MakeEvent) -> None:
    store.append([told(make_event, 1, session_id=SECRET, tool_use_id=SECRET, agent_id=SECRET)])
    done = store.redact(WHAT)
    assert done.days[0].kept == {"session_id": 1, "tool_use_id": 1, "agent_id": 1}
    assert done.kept == 3
    assert rows(store, "session_id", "tool_use_id", "agent_id") == [(SECRET,) * 3]
    assert store.redact(WHAT).kept == 3
    assert store.delete(Filter(session_id=(SECRET,))).events == 1
    assert everywhere(store.root) == []


def test_importing_the_same_recording_again_brings_nothing_back(root: str, store: Store, tmp_path: Path) -> None:
    """A live payload's shape with and without a time, a transcript's record with an identifier, and one damaged."""
    lines = [
        {
            "hook_event_name": "UserPromptSubmit",
            "session_id": "s",
            "prompt": SECRET,
            "timestamp": "2026-03-20T10:00:00Z",
        },
        {"hook_event_name": "Stop", "session_id": "s", "last_assistant_message": SECRET},
        {"type": "user", "uuid": "u1", "sessionId": "s", "message": {"role": "user", "content": SECRET}},
    ]
    log = tmp_path / "s.jsonl"
    log.write_text("".join(json.dumps(one) + "\n" for one in lines) + '{"half": ' + json.dumps(SECRET) + "\n")
    assert pipeline.ingest([str(log)], root).stored == 3
    done = store.redact(WHAT)
    assert done.failed == [] and everywhere(root) == []
    before = rows(store)
    again = pipeline.ingest([str(log)], root)
    assert (again.stored, again.duplicates, again.quarantined, again.deleted) == (0, 3, 0, 1)
    assert rows(store) == before and everywhere(root) == []
    grown = {"hook_event_name": "Stop", "session_id": "s", "timestamp": "2026-03-20T11:00:00Z"}
    log.write_text(log.read_text() + json.dumps(grown) + "\n")
    assert pipeline.ingest([str(log)], root).stored == 1
    assert everywhere(root) == []


def test_a_quarantined_record_stays_redacted_with_its_line(root: str, store: Store, tmp_path: Path) -> None:
    log = tmp_path / "s.jsonl"
    log.write_text('{"half": ' + json.dumps(SECRET) + "\n")
    pipeline.ingest([str(log)], root)
    store.redact(WHAT)
    with Ledger(root) as ledger:
        (entry,) = ledger.quarantined()
    assert entry.line == 1 and "[redacted:custom:" in entry.content


def test_the_path_of_a_file_is_redacted_and_the_file_is_still_known(root: str, store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "hunter22"
    folder.mkdir()
    log = folder / "s.jsonl"
    log.write_text('{"hook_event_name": "Stop", "session_id": "s", "prompt": "p"}\n')
    pipeline.ingest([str(log)], root)
    assert everywhere(root, "hunter22") != []
    store.redact(Pattern("hunter22"))
    assert everywhere(root, "hunter22") == []
    moved = tmp_path / "s.jsonl"
    log.rename(moved)
    assert pipeline.ingest([str(moved)], root).stored == 0


def test_what_is_only_in_an_archive_or_a_lost_day_comes_back_by_force_alone(
    root: str, store: Store, tmp_path: Path
) -> None:
    line = {"hook_event_name": "Stop", "session_id": "s", "prompt": SECRET, "timestamp": "2026-03-20T10:00:00Z"}
    other = {"hook_event_name": "Stop", "session_id": "s", "timestamp": "2026-03-20T11:00:00Z"}
    log = tmp_path / "s.jsonl"
    log.write_text(f"{json.dumps(line)}\n{json.dumps(other)}\n")
    pipeline.ingest([str(log)], root)
    copy = str(tmp_path / "backup")
    store.backup(copy)
    theirs = str(tmp_path / "theirs")
    sync.sync(theirs, [root])
    store.redact(WHAT)
    with pytest.raises(AssertionError):
        assert store.restore(copy, replace=True).failed == []
    archives.archive(root, DAY, remove=True)
    again = pipeline.ingest([str(log)], root)
    assert (again.stored, again.deleted) == (1, 1)
    assert [(one.stored, one.dead) for one in sync.sync(root, [theirs])] == [(0, 1)]
    assert (store.restore(copy).events, everywhere(root)) == (0, [])
    archives.restore(root, DAY)
    assert store.count(Filter()).count == 2 and everywhere(root) == []
    store.delete(Filter(contexts=("default",)))
    assert pipeline.ingest([str(log)], root, force=True).stored == 2
    assert everywhere(root) != []


@pytest.mark.parametrize("archived", [False, True])
def test_a_sealed_day_is_sealed_again_and_verifies(store: Store, make_event: MakeEvent, archived: bool) -> None:
    store.append([told(make_event, n) for n in range(9)])
    store.append([make_event(NOON_US + DAY_US)])
    first = sealing.seal(store.root, DAY).seal
    after = layout.key_for("default", NOON_US + DAY_US)
    sealing.seal(store.root, after)
    if archived:
        archives.archive(store.root, DAY, remove=True)
    (day,) = store.redact(WHAT).days
    if archived:
        archives.restore(store.root, DAY)
    now = {one.key: one for one in verify.verify(store.root, [DAY, after])}
    assert {one.state for one in now.values()} == {verify.UNCHANGED}
    assert (day.before, day.before == day.after) == (first.rows_sha256, False)
    from eyelet_ingest.store import manifest

    known = manifest.read(store.root, DAY)
    assert known is not None and known.newest.rows_sha256 == day.after
    assert known.newest.reason == ("restored" if archived else "redacted")


def test_the_receipt_says_what_changed_where_and_holds_no_secret(places: Store) -> None:
    done = places.redact(Pattern(WHAT.pattern, "db-password"), Filter(since_us=NOON_US))
    mine = [Path(path) for path in done.receipts if "alongside" not in path]
    assert [path.parent for path in mine] == [Path(places.root, "redactions")]
    said = json.loads(mine[0].read_text())
    assert stat.S_IMODE(mine[0].stat().st_mode) == 0o600 and stat.S_IMODE(mine[0].parent.stat().st_mode) == 0o700
    assert said["what"]["kind"] == "db-password" and len(said["what"]["pattern"]) == 32
    assert said["asked"] == {"since_us": NOON_US}
    assert {day["state"] for day in said["days"]} == {"done"} and said["finished_us"] >= said["began_us"]
    of_day = next(day for day in said["days"] if day["place"] == "days" and day["day"] == DAY.date)
    assert (of_day["events"], of_day["columns"]) == (60, {"data": 60, "project_dir": 60})
    text = mine[0].read_text()
    assert not any(form in text for form in (*FORMS, WHAT.pattern, json.dumps(WHAT.pattern)[1:-1]))


def test_a_copy_made_afterwards_carries_the_new_bytes(store: Store, make_event: MakeEvent, tmp_path: Path) -> None:
    store.append([told(make_event, n) for n in range(9)])
    target = str(tmp_path / "backup")
    store.backup(target)
    assert everywhere(target) != []
    store.redact(WHAT)
    assert store.backup(target).failed == []
    assert everywhere(target) == []
    lines = tmp_path / "events.jsonl"
    export.write_file(store.export_lines(Filter()), str(lines))
    assert not any(form in lines.read_text() for form in FORMS)
    fresh = str(tmp_path / "fresh")
    assert [one.stored for one in sync.sync(fresh, [store.root])] == [9]
    assert everywhere(fresh) == []


def test_sync_brings_the_old_row_back_in_neither_direction(store: Store, make_event: MakeEvent, tmp_path: Path) -> None:
    """Who has it unredacted keeps it so, and hands it to nobody who has it redacted."""
    store.append([told(make_event, n) for n in range(9)])
    other = str(tmp_path / "other")
    sync.sync(other, [store.root])
    store.redact(WHAT)
    fresh = told(make_event, 100, secret="nothing")
    store.append([fresh])
    before = rows(store)
    assert [one.stored for one in sync.sync(store.root, [other])] == [0]
    assert [one.stored for one in sync.sync(other, [store.root])] == [1]
    assert rows(store) == before and everywhere(store.root) == []
    with Store(other) as theirs:
        assert theirs.redact(WHAT).events == 9
    assert everywhere(other) == []


def test_a_reader_keeps_what_it_sees_and_the_last_bytes_go_when_it_is_done(
    store: Store, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.append([told(make_event, n) for n in range(9)])
    reader = connect.open_reader(layout.db_path(store.root, DAY))
    try:
        reader.execute("begin")
        data = reader.execute("select data from hooks order by id").fetchone()[0]
        done = store.redact(WHAT)
        assert done.unerased == [DAY.mount_name]
        assert reader.execute("select data from hooks order by id").fetchone()[0] == data
        assert SECRET not in str(rows(store, "data"))
    finally:
        reader.close()
    store.finish_redactions()
    assert everywhere(store.root) == []


def test_tables_of_others_are_cleaned_and_their_text_indexes_made_anew(store: Store, make_event: MakeEvent) -> None:
    store.append([told(make_event, n, secret="hunter22") for n in range(9)])
    with store.connection(DAY) as lent, lent.writing() as conn:
        conn.execute("create table notes (id integer primary key, text)")
        conn.execute("insert into notes values (1, 'it is hunter22'), (2, 'other')")
        conn.execute("create virtual table found using fts5(data, content=hooks, content_rowid=id)")
        conn.execute("insert into found (found) values ('rebuild')")
        conn.execute("create virtual table own using fts5(text)")
        conn.execute("insert into own select text from notes")
    done = store.redact(Pattern("hunter22"))
    assert done.failed == [] and done.days[0].columns["tables of others: notes"] == 1
    assert everywhere(store.root, "hunter22") == []
    conn = connect.open_reader(layout.db_path(store.root, DAY))
    assert conn.execute("select count(*) from found where found match 'redacted'").fetchone() == (9,)
    assert conn.execute("select count(*) from own where own match 'redacted'").fetchone() == (1,)
    conn.close()


def test_what_cannot_be_cleaned_of_others_is_named(store: Store, make_event: MakeEvent) -> None:
    store.append([told(make_event, n, secret="hunter22") for n in range(3)])
    with store.connection(DAY) as lent, lent.writing() as conn:
        conn.execute("create table keyed (name text primary key) without rowid")
        conn.execute("create table checked (name text check (name = 'hunter22'))")
        conn.execute("insert into keyed values ('hunter22')")
        conn.execute("insert into checked values ('hunter22')")
        conn.execute("create virtual table bare using fts5(text, content='')")
        conn.execute("insert into bare (rowid, text) values (1, 'hunter22')")
    done = store.redact(Pattern("hunter22"))
    assert done.events == 3
    assert sorted(bad.error.split(" of another")[0] for bad in done.failed) == [
        *("its table checked", "its table checked", "its table keyed", "its text index bare")  # and in its definition
    ]


def test_the_rules_of_today_go_over_what_older_ones_left(store: Store, make_event: MakeEvent) -> None:
    token = "ghp_" + "a1B2" * 9
    payload = {"prompt": f"use {token}", "tool_input": {"command": f"curl -H 'Authorization: Bearer {token}'"}}
    store.append([make_event(NOON_US, data=json.dumps(payload)), make_event(NOON_US + 1)])
    assert store.redact(Rules()).events == 1
    assert everywhere(store.root, token) == []
    assert "[redacted:github-token:" in str(rows(store, "data"))
    assert store.redact(Rules()).events == 0


def test_a_root_in_memory_is_redacted_too(make_event: MakeEvent) -> None:
    with Store.in_memory() as store:
        store.append([told(make_event, n) for n in range(3)])
        done = store.redact(WHAT)
        assert (done.events, done.receipts, done.failed) == (3, [], [])
        assert SECRET not in str(rows(store, "data", "project_dir"))


def test_a_damaged_day_is_named_and_hinders_no_other(store: Store, make_event: MakeEvent) -> None:
    store.append([told(make_event, 1), told(make_event, DAY_US)])
    path = Path(layout.db_path(store.root, DAY))
    path.write_bytes(b"this is no database" * 500)
    done = store.redact(WHAT)
    assert ([bad.day for bad in done.failed], done.events) == ([DAY.date], 1)
    assert json.loads(Path(done.receipts[0]).read_text())["failed"][0]["day"] == DAY.date
