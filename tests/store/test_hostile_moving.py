"""What others made to be imported, synced or restored does no harm: it is refused by name, and the rest is kept."""

import hashlib
import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from eyelet_ingest.errors import BadInput, RootError
from eyelet_ingest.events import Event
from eyelet_ingest.store import connect, identity, layout, lines, remote, sync, transfer, writer
from eyelet_ingest.store.restoring import Restored
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
from eyelet_ingest.store.sync import Synced
from tests.store.test_transfer import taken

START_US = 1_773_792_000_000_000  # 2026-03-18T00:00:00Z
DAY = layout.key_for("shop", START_US)
MakeEvent = Callable[..., Event]


@pytest.fixture
def filled(store: Store, make_event: MakeEvent) -> Store:
    store.append([make_event(START_US + n, data=f'{{"n": {n}}}') for n in range(20)], "shop")
    return store


def exported(store: Store) -> list[bytes]:
    return list(store.export_lines(Filter()))


def changed(line: bytes, **how: object) -> bytes:
    return json.dumps({**json.loads(line), **how}).encode() + b"\n"


@pytest.mark.parametrize("name", ["data", "src", "uid", "meta"])
def test_a_line_with_half_a_character_is_refused_alone(filled: Store, tmp_path: Path, name: str) -> None:
    content = exported(filled)
    content[7] = changed(content[7], **{name: {"text": "\ud800"} if name == "uid" else '"\ud800"'})
    done = taken(str(tmp_path / "b"), b"".join(content))
    assert [(one.line, one.reason) for one in done.troubles] == [(8, f"its {name} holds half of a character")]
    assert done.stored == 19


def test_a_uid_that_is_no_number_at_all_is_refused(filled: Store, tmp_path: Path) -> None:
    content = exported(filled)
    content[7] = changed(content[7], uid={"real": "nan"})
    assert [one.line for one in taken(str(tmp_path / "b"), b"".join(content)).troubles] == [8]


@pytest.mark.parametrize("given", ["Another Shop", "\ud800", "a\0b"])
def test_a_context_is_not_given_the_name_of_another(filled: Store, tmp_path: Path, given: str) -> None:
    content = [
        filled_line if at in (0, 21) else changed(filled_line, given=given)
        for at, filled_line in enumerate(exported(filled))
    ]
    assert taken(str(tmp_path / "b"), b"".join(content)).stored == 20
    with transfer.reading(layout.db_path(str(tmp_path / "b"), DAY)) as conn:
        assert transfer.given_name(conn, DAY) == "shop"


def test_lines_that_were_lost_from_the_middle_are_missed(filled: Store, tmp_path: Path) -> None:
    content = exported(filled)
    done = taken(str(tmp_path / "b"), b"".join(content[:5] + content[9:]))
    assert done.stored == 16 and "it holds 16, and was made with 20" in done.troubles[0].reason
    assert taken(str(tmp_path / "c"), b"".join(content * 2)).troubles == []


@pytest.mark.parametrize("arrived", [writer.ARRIVED_END - 1, writer.ARRIVED_END, 2**63 - 1])
def test_a_made_up_arrival_hinders_neither_recording_nor_sync(
    filled: Store, tmp_path: Path, make_event: MakeEvent, arrived: int
) -> None:
    target, third = str(tmp_path / "b"), str(tmp_path / "c")
    content = exported(filled)
    content[7] = changed(content[7], arrived=arrived)
    assert taken(target, b"".join(content)).stored == 20
    with Store(target) as store:
        for number in range(3):
            assert store.append([make_event(START_US + 100 + number)], "shop").stored == 1
            (done,) = sync.sync(third, [target])
            assert (done.stored, done.failed) == (21 if number == 0 else 1, [])
    filled.append([make_event(START_US + 500)], "shop")
    assert taken(target, b"".join(exported(filled))).stored == 1


def mark(**how: object) -> bytes:
    said = {"day": DAY.mount_name, "given": "shop", "cursor": [5, "aa", ""], "trouble": "", **how}
    return lines.line({"sync": said}) if how.get("deep") is None else b'{"sync": ' + b"[" * 200_000 + b"\n"


@pytest.mark.parametrize(
    "how",
    [
        {"deep": True},
        {"day": 5},
        {"day": "../../x-2026-077"},
        {"day": "other-2020-001"},
        {"cursor": [2**70, "aa", ""]},
        {"cursor": [1, "aa", "\ud800"]},
        {"cursor": [1, "aa", None]},
        {"cursor": {"a": 1}},
    ],
)
def test_an_answer_made_to_harm_is_refused_as_damaged(filled: Store, tmp_path: Path, how: dict[str, object]) -> None:
    here = str(tmp_path / "b")
    answer = lines.header() + exported(filled)[1] + mark(**how)
    with pytest.raises(BadInput, match="is damaged"):
        sync.receive(here, Synced("there", False), lambda *_: sync.received(io.BytesIO(answer)))
    assert not connect.is_there(layout.db_path(here, DAY))


@pytest.mark.parametrize("asked", [b'{"eyelet_sync": 1, "cursors": ' + b"[" * 200_000, b'{"a":' * 200_000])
def test_a_question_made_to_harm_is_refused(filled: Store, asked: bytes) -> None:
    with pytest.raises(BadInput, match="cannot be understood"):
        list(sync.sender(filled.root, asked))


DATABASE = f"logs/shop/2026/{DAY.day:03d}/logs.sqlite"


@pytest.fixture
def saved(filled: Store, tmp_path: Path) -> Path:
    identity.load_key(filled.root)
    filled.backup(str(tmp_path / "saved"))
    return tmp_path / "saved"


def restored(saved: Path, deep: str = "x/y") -> tuple[Path, Restored]:
    root = saved.parent / deep / "root"
    with Store(str(root)) as store:
        return root, store.restore(str(saved))


def declare(saved: Path, name: str, **how: object) -> None:
    """Let the manifest say of a file what is true of it now, and `how`."""
    said = json.loads((saved / "backup.json").read_bytes())
    content = (saved / name).read_bytes() if (saved / name).is_file() else b""
    true = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content), "state": []}
    said["files"][name] = {**said["files"].get(name, {}), **true, **how}
    (saved / "backup.json").write_text(json.dumps(said))


@pytest.mark.parametrize(
    "name", ["../evil", "seals/../../evil", "/tmp/evil", ".evil", "seals/.evil", "a\0b", "a\ud800", "", "seals//evil"]
)
def test_no_name_in_a_backup_leads_out_of_the_root(saved: Path, name: str) -> None:
    (saved.parent / "evil").write_text("evil")
    declare(saved, "evil")
    text = (saved / "backup.json").read_text()
    (saved / "backup.json").write_text(text.replace('"evil"', json.dumps(name)))
    with pytest.raises(RootError, match="is no file of a backup"):
        restored(saved)
    assert sorted(str(one) for one in saved.parent.rglob("evil")) == [str(saved.parent / "evil")]


def test_what_is_no_file_of_a_root_is_not_restored(saved: Path) -> None:
    (saved / "bin").mkdir()
    (saved / "bin" / "evil").write_text("evil")
    declare(saved, "bin/evil")
    root, done = restored(saved)
    assert [one.context for one in done.failed] == ["bin/evil"] and not (root / "bin").exists()


@pytest.mark.parametrize("how", [{"rows": "x"}, {"sha256": 5}, {"bytes": None}, {"state": 5}, {"seal": []}])
def test_a_manifest_that_says_nothing_of_use_is_named(saved: Path, how: dict[str, object]) -> None:
    declare(saved, DATABASE, **how)
    with pytest.raises(RootError, match="read the backup"):
        restored(saved)


@pytest.mark.parametrize("name", ["backup.json", ".backup.jsonl"])
@pytest.mark.parametrize("content", [b"[" * 200_000, b"[1]\n", b'{"files": [1]}', b"5"])
def test_a_manifest_or_journal_that_is_none_is_named(saved: Path, name: str, content: bytes) -> None:
    (saved / name).write_bytes(content)
    with pytest.raises(RootError, match="read the backup"):
        restored(saved)


@pytest.mark.parametrize("kind", ["pipe", "device"])
@pytest.mark.parametrize("name", ["backup.json", "secret.key", DATABASE])
def test_what_is_no_file_in_a_backup_is_never_waited_for(saved: Path, name: str, kind: str) -> None:
    (saved / name).unlink()
    os.mkfifo(saved / name) if kind == "pipe" else (saved / name).symlink_to("/dev/zero")
    if name == "backup.json":
        with pytest.raises(RootError, match="it is no file"):
            restored(saved)
        return
    _, done = restored(saved)
    assert ["it is no file" in one.error for one in done.failed] == [True]


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        (
            "alter table hooks rename to h; create view hooks as with recursive r(n) as"
            " (select 1 union all select n from r) select n as id, n as uid, n as arrived from r",
            "is a view",
        ),
        (
            "alter table hooks rename to h; create table hooks as select * from h; update hooks set id = 'x' || id;"
            " drop table h",
            "need not be whole numbers",
        ),
        (
            "drop table eyelet_partition; create view eyelet_partition as with recursive r(n) as"
            " (select 1 union all select n from r) select 'given' as key, n as value from r where n > 1",
            "is a view",
        ),
    ],
)
def test_a_day_that_is_none_is_neither_restored_nor_synced(
    saved: Path, tmp_path: Path, make_event: MakeEvent, sql: str, said: str
) -> None:
    conn = connect.driver().connect(saved / DATABASE, isolation_level=None)
    conn.executescript(sql)
    conn.close()
    declare(saved, DATABASE)
    root, done = restored(saved)
    assert len(done.failed) == 1 and said in done.failed[0].error
    assert not (root / DATABASE).exists()
    with Store(str(root)) as store:
        store.append([make_event(START_US + 99)], "shop")
        assert said in store.restore(str(saved)).failed[0].error
    (synced,) = sync.sync(str(tmp_path / "c"), [str(saved)])
    assert said in synced.failed[0].error and synced.stored == 0


@pytest.mark.parametrize("way", ["backup", "archive"])
def test_a_journal_that_a_removed_day_left_is_not_played_into_the_restored_one(
    filled: Store, saved: Path, tmp_path: Path, way: str
) -> None:
    path = layout.db_path(filled.root, DAY)
    filled.archive(DAY)
    conn = connect.open_writer(path)
    conn.execute("delete from hooks")
    left = Path(path + "-wal").read_bytes()
    conn.close()
    Path(path).unlink()
    Path(path + "-wal").write_bytes(left)
    assert (filled.restore(str(saved)) if way == "backup" else filled.restore_archive(DAY)) is not None
    assert filled.count(Filter()).count == 20


def test_who_is_interrupted_while_rows_are_read_hears_nothing_of_it(filled: Store) -> None:
    with transfer.reading(layout.db_path(filled.root, DAY)) as conn:
        rows = transfer.rows_of(conn)
        next(rows)
    rows.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "address",
    [
        *("ssh://-oProxyCommand=x/p", "ssh://a@-oProxyCommand=x/p", "ssh://-oX@h/p", "ssh://[::1", "ssh:///x"),
        *("ssh://h:99999/x", "ssh://h/%00", "ssh://h/a%0ab", "ssh:// -o/x", "ssh://[-oX]/p"),
    ],
)
def test_no_address_becomes_an_option_or_more_than_one_word(address: str) -> None:
    with pytest.raises(BadInput, match="it is no ssh://"):
        remote.over_ssh(address)


def test_an_address_may_be_of_the_sixth_version_and_a_path_hold_anything_a_shell_reads() -> None:
    assert remote._address("ssh://me@[fe80::1]:22/x") == ["-p", "22", "me@fe80::1"]
    assert remote._command("ssh://h/a;rm -rf ~", "eyelet") == "eyelet sync --send --root '/a;rm -rf ~'"
