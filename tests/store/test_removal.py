"""A day goes in one step and no byte of what was deleted is left under the root, whoever was stopped where."""

import errno
import lzma
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eyelet_ingest import pipeline
from eyelet_ingest.events import Event
from eyelet_ingest.ledger import Ledger
from eyelet_ingest.store import archives, connect, erasing, layout, removal, spool, writer
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
from eyelet_ingest.store.tombstones import Tombstones

MakeEvent = Callable[..., Event]
DAY_US = 86_400_000_000
NOON_US = 1_774_008_000_000_000  # 2026-03-20T12:00:00Z
DAY = layout.key_for("default", NOON_US)
SECRET = "correct-horse-battery-staple"


def everywhere(root: str, text: str) -> list[str]:
    """The files under the root that hold the text, archives unpacked."""
    found = []
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            content = lzma.decompress(path.read_bytes()) if name.endswith(".xz") else path.read_bytes()
            if text.encode() in content:
                found.append(str(path))
    return found


def other_names(root: str) -> Iterator[str]:
    for _, folders, names in os.walk(root):
        yield from (name for name in [*folders, *names] if name.startswith("."))


def hidden(root: str, key: layout.PartitionKey = DAY) -> str:
    with connect.FileLock(layout.lock_path(root, key), 0):
        return removal.hide(root, key)


def test_a_day_that_was_hidden_is_gone_and_its_leftovers_go_with_the_next_deletion(
    store: Store, make_event: MakeEvent
) -> None:
    store.append([make_event(NOON_US), make_event(NOON_US + DAY_US)])
    left = hidden(store.root)
    assert os.path.exists(os.path.join(left, "logs.sqlite"))
    assert [key.day for key in store.catalog.partitions()] == [DAY.day + 1]
    assert store.count(Filter()).count == 1
    store.delete(Filter(session_id=("nobody",)))
    assert list(other_names(store.root)) == []


def test_a_day_made_anew_while_the_old_one_is_removed_stays(store: Store, make_event: MakeEvent) -> None:
    store.append([make_event(NOON_US)])
    left = hidden(store.root)
    store.append([make_event(NOON_US + 1)])
    removal.clear(store.root, left)
    assert store.count(Filter()).count == 1


def test_files_of_others_go_back_even_where_their_day_was_left_hidden(store: Store, make_event: MakeEvent) -> None:
    store.append([make_event(NOON_US)])
    folder = Path(layout.partition_dir(store.root, DAY))
    (folder / "notes.txt").write_text("mine")
    (folder / "more").mkdir()
    (folder / "more" / "pages").write_text("mine, too")
    hidden(store.root)
    assert removal.clean(store.root) == 1
    assert sorted(os.listdir(folder)) == ["more", "notes.txt"]
    assert (folder / "more" / "pages").read_text() == "mine, too"


def test_a_file_of_others_whose_name_is_taken_again_is_lost_in_neither_place(
    store: Store, make_event: MakeEvent
) -> None:
    store.append([make_event(NOON_US)])
    folder = Path(layout.partition_dir(store.root, DAY))
    (folder / "notes.txt").write_text("old")
    left = Path(hidden(store.root))
    folder.mkdir()
    (folder / "notes.txt").write_text("new")
    removal.clear(store.root, str(left))
    assert (folder / "notes.txt").read_text() == "new"
    assert os.listdir(left) == ["notes.txt"]


def test_names_that_are_not_a_hidden_day_are_left_alone(store: Store, make_event: MakeEvent) -> None:
    store.append([make_event(NOON_US)])
    context = Path(store.root, "logs", "default")
    for name in (".gone-", ".gone-2026", ".gone-abcd-xyz-12", ".DS_Store"):
        (context / name).mkdir()
    assert removal.clean(store.root) == 0
    assert len(list(context.iterdir())) == 5


def test_a_program_that_writes_to_a_day_keeps_it_from_being_removed(
    store: Store, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eyelet_ingest.store.deletion.DEADLINE_MS", 100)
    store.append([make_event(NOON_US)])
    conn = connect.open_writer(layout.db_path(store.root, DAY))
    conn.execute("begin immediate")
    done = store.delete(Filter(contexts=("default",)))
    assert (done.days, [bad.day for bad in done.failed]) == ([], ["2026-03-20"])
    assert "another program writes" in done.failed[0].error
    conn.execute("rollback")
    conn.close()
    assert store.delete(Filter(contexts=("default",))).events == 1


def test_a_session_is_in_no_byte_of_any_place_and_the_others_are_whole(
    root: str, store: Store, make_event: MakeEvent, tmp_path: Path
) -> None:
    def told(n: int, session: str) -> Event:
        return make_event(NOON_US + n, session_id=session, data=f'{{"prompt": "{session}-{SECRET}-{n}"}}')

    store.append([told(n, "going" if n % 3 else "staying") for n in range(300)])
    archives.archive(root, DAY)
    waits = told(1_000, "going")
    spool.put(root, DAY, "default", writer.row_of(waits), "busy")
    Path(root, "spool", "bad").mkdir(mode=0o700)
    aside = Path(root, "spool", "bad", f"{NOON_US * 1_000:020d}-1-{DAY.mount_name}.json")
    aside.write_text('{"session_id": "going", "half')
    Path(f"{aside}.why").write_text("half of going")
    transcript = tmp_path / "going.jsonl"
    transcript.write_text(
        '{"hook_event_name": "Stop", "session_id": "going", "timestamp": "2026-03-20T10:00:00Z"}\n'
        f'{{"going": {SECRET}\n'
    )
    assert pipeline.ingest([str(transcript)], root).quarantined == 1
    conn = connect.open_writer(layout.db_path(root, DAY))
    conn.execute("analyze")
    conn.close()

    planned = store.delete(Filter(session_id=("going",)), dry_run=True)
    done = store.delete(Filter(session_id=("going",)))
    assert done.failed == []
    assert [(day.place, day.key, day.events) for day in [*planned.days, *planned.elsewhere]] == [
        (day.place, day.key, day.events) for day in [*done.days, *done.elsewhere]
    ]
    assert {(day.place, day.events) for day in [*done.days, *done.elsewhere]} == {
        *(("days", 202), ("spool", 1), ("archive", 200), ("quarantine", 1))
    }
    assert everywhere(root, "going") == everywhere(root, f"going-{SECRET}") == []
    assert store.count(Filter(session_id=("staying",))).count == 100
    shutil.rmtree(layout.partition_dir(root, DAY))
    assert archives.restore(root, DAY).rows == 100
    assert store.count(Filter()).count == 100
    assert (done.unerased, Tombstones.of(root).to_erase()) == ([], [])


def test_a_project_goes_with_what_lies_below_it_and_not_with_its_namesakes(
    root: str, store: Store, make_event: MakeEvent
) -> None:
    dirs = ("/home/me/app", "/home/me/app/web", "/home/me/app-2", "/home/me/application", "/home/me", None)
    store.append([make_event(NOON_US + n, project_dir=one) for n, one in enumerate(dirs)])
    assert store.delete(Filter(), projects=["/home/me/app/"]).events == 2
    left = {row["project_dir"] for row in store.search(Filter()).rows}
    assert left == {"/home/me/app-2", "/home/me/application", "/home/me", None}


def test_what_was_quarantined_and_deleted_stays_out_until_it_is_forced(root: str, tmp_path: Path) -> None:
    log = tmp_path / "a.jsonl"
    log.write_text('{"session_id": "bad", "no\n{"hook_event_name": "Stop", "session_id": "bad"}\n')
    assert pipeline.ingest([str(log)], root).quarantined == 1
    with Store(root) as store:
        store.delete(Filter(session_id=("bad",)))
    again = pipeline.ingest([str(log)], root)
    assert (again.read, again.deleted, again.quarantined, again.stored, again.troubles) == (2, 2, 0, 0, ())
    forced = pipeline.ingest([str(log)], root, force=True)
    assert (forced.quarantined, forced.stored, forced.deleted) == (1, 1, 0)


def test_a_payload_in_quarantine_is_asked_what_events_are_asked(root: str, tmp_path: Path) -> None:
    """Its day could not take it: it is whole, and its src, its tool and its time are known."""
    log = tmp_path / "a.jsonl"
    said = (
        '{"hook_event_name": "PreToolUse", "session_id": "s", "tool_name": "%s", "timestamp": "2026-03-20T10:00:00Z"}'
    )
    log.write_text("\n".join(said % tool for tool in ("Read", "Edit")))
    day = Path(layout.partition_dir(root, DAY))
    day.mkdir(parents=True)
    (day / "logs.sqlite").write_bytes(b"no database" * 500)
    assert pipeline.ingest([str(log)], root).quarantined == 2
    with Store(root) as store:
        done = store.delete_by_src("claude.pretooluse.read")
    assert [(day.place, day.events) for day in done.elsewhere] == [("quarantine", 1)]
    with Ledger(root) as ledger:
        assert ["Edit" in entry.content for entry in ledger.quarantined()] == [True]


def test_rows_are_erased_by_whoever_comes_next_when_a_reader_was_in_the_way(
    root: str, store: Store, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasing, "CHECKPOINT_WAIT_MS", 50)
    store.append([make_event(NOON_US + n, data=f'{{"x": "{SECRET}"}}', src="a" if n % 2 else "b") for n in range(50)])
    reader = connect.open_reader(layout.db_path(root, DAY))
    reader.execute("begin")
    assert reader.execute("select count(*) from hooks where src = 'a'").fetchone() == (25,)
    done = store.delete(Filter(text=SECRET))
    assert (done.events, done.failed, done.unerased) == (50, [], [DAY.mount_name])
    assert reader.execute("select count(*) from hooks where src = 'a'").fetchone() == (25,)
    assert erasing.finish(root, 1_000) == [DAY.mount_name]
    reader.close()
    assert erasing.finish(root, 1_000) == []
    assert everywhere(root, SECRET) == []


def test_a_sealed_day_is_sealed_again_and_a_removed_one_is_said_to_be_removed(
    root: str, store: Store, make_event: MakeEvent
) -> None:
    from eyelet_ingest.store import manifest, sealing

    store.append([make_event(NOON_US + n, src="a" if n % 2 else "b") for n in range(10)])
    sealing.seal(root, DAY)
    store.delete(Filter(src=("a",)))
    known = manifest.read(root, DAY)
    assert known is not None and (known.reopened, known.newest.reason, known.newest.rows) == ("", "deleted", 5)
    store.delete_older_than(NOON_US + DAY_US)
    assert manifest.register(root, "default")["2026-03-20"].gone == "retired"


def test_a_horizon_is_never_later_than_now_and_what_bears_a_later_time_stays_away_by_itself(
    root: str, store: Store, make_event: MakeEvent
) -> None:
    now_us = time.time_ns() // 1_000
    old, coming = make_event(NOON_US), make_event(now_us + 30 * DAY_US)
    store.append([old, coming])
    assert store.delete_older_than(2**70).events == 2
    live = make_event(time.time_ns() // 1_000)
    spool.put(root, layout.key_for("default", live.time_us), "default", writer.row_of(live), "busy")
    assert (store.drain_spool().stored, store.count(Filter()).count) == (1, 1)
    assert store.append([old, coming], deleted="respect").dead == 2
    assert store.append([make_event(now_us + 31 * DAY_US)], deleted="respect").stored == 1


def test_what_is_retired_of_a_context_that_has_only_archives_stays_away(
    root: str, store: Store, make_event: MakeEvent
) -> None:
    archived = make_event(NOON_US)
    store.append([archived], "archived")
    archives.archive(root, layout.key_for("archived", NOON_US), remove=True)
    store.delete_older_than(NOON_US + DAY_US)
    assert archives.keys(root) == []
    assert store.append([archived], "archived", deleted="respect").dead == 1


@pytest.mark.parametrize("linked", ["day", "year", "database"])
def test_a_day_that_is_a_link_goes_where_it_leads_and_nothing_of_others(
    store: Store, make_event: MakeEvent, tmp_path: Path, linked: str
) -> None:
    store.append([make_event(NOON_US, data=f'{{"x": "{SECRET}"}}'), make_event(NOON_US + DAY_US)])
    folder, away = Path(layout.partition_dir(store.root, DAY)), tmp_path / "away"
    moved = {"day": folder, "year": folder.parent, "database": folder / "logs.sqlite"}[linked]
    shutil.move(moved, away)
    moved.symlink_to(away)
    if linked == "day":
        (away / "notes.txt").write_text("mine")
    assert store.delete(Filter(until_us=NOON_US + DAY_US // 2)).events == 1
    assert everywhere(str(tmp_path), SECRET) == [] and list(other_names(store.root)) == []
    assert store.count(Filter()).count == 1 and not folder.is_symlink()
    assert (away / "notes.txt").exists() == (linked == "day")


def test_a_day_in_a_year_on_another_disk_goes(
    store: Store, make_event: MakeEvent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.append([make_event(NOON_US), make_event(NOON_US + DAY_US)])
    year = Path(layout.partition_dir(store.root, DAY)).parent
    shutil.move(year, tmp_path / "away")
    year.symlink_to(tmp_path / "away")
    rename = os.rename

    def across(old: str, new: str) -> None:
        if Path(old).parent.name != Path(new).parent.name:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        rename(old, new)

    monkeypatch.setattr(os, "rename", across)
    with connect.FileLock(layout.lock_path(store.root, DAY), 0):
        left = removal.hide(store.root, DAY)
    assert [key.day for key in store.catalog.partitions()] == [DAY.day + 1]
    assert removal.clean(store.root) == 1 and not os.path.exists(left)
    assert store.delete(Filter(contexts=("default",))).events == 1
    assert list(other_names(str(tmp_path / "away"))) == []


def test_a_short_session_puts_out_only_paths_that_are_its_own(root: str, tmp_path: Path) -> None:
    for name in ("a", "alpha", "a.old"):
        record = f'{{"hook_event_name": "Stop", "session_id": "{name}", "n": 1}}\n{{"session_id": "b", "half\n'
        (tmp_path / f"{name}.jsonl").write_text(record)
        pipeline.ingest([str(tmp_path / f"{name}.jsonl")], root)
    with Store(root) as store:
        store.delete(Filter(session_id=("a",), since_us=NOON_US))
        with Ledger(root) as ledger:
            assert len([path for path in ledger.paths() if path.endswith(".jsonl")]) == 3
        store.delete(Filter(session_id=("a",)))
    with Ledger(root) as ledger:
        assert {Path(path).name for path in ledger.paths() if path.endswith(".jsonl")} == {"alpha.jsonl"}


def test_a_file_of_the_spool_whose_name_says_no_day_is_looked_into(root: str, store: Store) -> None:
    Path(root, "spool").mkdir(mode=0o700, parents=True)
    for name in ("stray.json", "99999999999999999999-1-x.json"):
        Path(root, "spool", name).write_text('{"session_id": "going"')
    assert store.drain_spool().bad == 2
    assert store.delete(Filter(session_id=("going",), contexts=("one",))).elsewhere == []
    store.delete(Filter(session_id=("going",)))
    assert everywhere(root, "going") == []
