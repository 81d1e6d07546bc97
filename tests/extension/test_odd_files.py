"""Files as crashes, rights and limits leave them: read where SQLite can read them, listed where not."""

import json
import os
import resource
import shutil
import struct
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from eyelet_ingest.errors import PartitionUnreadable
from eyelet_ingest.store import connect, layout
from tests.extension import days
from tests.extension.conftest import end_child
from tests.extension.test_changing_days import ALL, TROUBLE, key, path_of, without

NOBODY = 65534


@pytest.fixture
def made() -> Iterator[days.Days]:
    """Three days in a folder that everybody may look into: the tests' own folders are closed to others."""
    folder = tempfile.mkdtemp(dir="/tmp", prefix="odd-days-")
    os.chmod(folder, 0o755)
    with days.Days(os.path.join(folder, "root")) as both:
        for day in (78, 79, 80):
            both.make(key(day), 30)
            conn = connect.open_writer(path_of(both, day))
            conn.execute("pragma wal_checkpoint(truncate)")
            conn.close()
            shutil.rmtree(path_of(both, day) + "-shm", ignore_errors=True)
        both.take()
        yield both
    shutil.rmtree(folder)


def hand_over(root: str) -> None:
    """The root belongs to somebody without rights, as whom it is read: root may do everything."""
    if os.geteuid() != 0:
        return
    for at, folders, files in os.walk(os.path.dirname(root)):
        for name in (*folders, *files):
            os.chown(os.path.join(at, name), NOBODY, NOBODY)


def without_rights(work: Callable[[], Any]) -> Any:
    """What `work` returns in a process that is not root's."""
    told, telling = os.pipe()
    child = os.fork()
    if child == 0:
        said = "null"
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setegid(NOBODY)
                os.seteuid(NOBODY)
            said = json.dumps(work())
        finally:
            os.write(telling, said.encode())
            os.seteuid(os.getuid())
            end_child(0)
    os.close(telling)
    with open(told, "rb") as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return json.loads(text)


@pytest.fixture
def asked(made: days.Days, loadable: str) -> Callable[[], Any]:
    """A function that reads all rows and all trouble with a connection made before any right was given up."""
    conn = made.virtual(loadable)

    def ask() -> list[Any]:
        return [conn.execute(ALL).fetchall(), conn.execute(TROUBLE).fetchall()]

    return ask


def rows_of(made: days.Days, *gone: int) -> list[list[Any]]:
    return [list(row) for row in without(made, *gone)]


def test_a_day_in_a_folder_where_nothing_can_be_made_is_read_as_it_stands(
    made: days.Days, asked: Callable[[], Any]
) -> None:
    """SQLite would make a WAL beside it; where there is none and none can be, the file alone is all there is."""
    hand_over(made.root)
    for day in (78, 79, 80):
        folder = os.path.dirname(path_of(made, day))
        assert sorted(os.listdir(folder)) == ["logs.sqlite"]
        os.chmod(folder, 0o500)
    assert without_rights(asked) == [rows_of(made), []]
    assert [os.listdir(os.path.dirname(path_of(made, day))) for day in (78, 79, 80)] == [["logs.sqlite"]] * 3


def test_a_file_that_may_not_be_read_is_listed(made: days.Days, asked: Callable[[], Any]) -> None:
    hand_over(made.root)
    os.chmod(path_of(made, 79), 0)
    rows, trouble = without_rights(asked)
    assert rows == rows_of(made, 79)
    assert [one[:2] for one in trouble] == [["alpha", "2026-03-20"]]


@pytest.mark.parametrize(("level", "date"), [(1, "2026-03-20"), (2, "2026"), (3, None)])
def test_a_folder_that_may_not_be_looked_into_is_listed(
    made: days.Days, asked: Callable[[], Any], level: int, date: str | None
) -> None:
    hand_over(made.root)
    closed = Path(path_of(made, 79)).parents[level - 1]
    os.chmod(closed, 0)
    try:
        rows, trouble = without_rights(asked)
    finally:
        os.chmod(closed, 0o700)
    assert rows == (rows_of(made, 79) if level == 1 else [])
    assert [one[:2] for one in trouble] == [["alpha", date]]


def leave_half_done(path: str) -> None:
    """A roll-back journal that is hot: a crash in the middle of a transaction on a file without a WAL."""
    conn = connect.driver().connect(path, isolation_level=None)
    conn.execute("pragma journal_mode = delete")
    conn.execute("pragma cache_size = 1")
    conn.execute("pragma cache_spill = 1")
    conn.execute("begin")
    conn.execute("update hooks set data = '\"' || replace(hex(zeroblob(9000)), '0', 'x') || '\"'")
    for side in ("", "-journal"):
        shutil.copy(path + side, path + ".kept" + side)
    conn.execute("rollback")
    conn.close()
    for side in ("", "-journal"):
        os.replace(path + ".kept" + side, path + side)
    assert os.path.getsize(path + "-journal") > 512


def test_what_a_writer_left_half_done_is_taken_back(made: days.Days, loadable: str) -> None:
    leave_half_done(path_of(made, 79))
    virtual = made.virtual(loadable)
    assert virtual.execute(ALL).fetchall() == made.plain.execute(ALL).fetchall()
    assert virtual.execute(TROUBLE).fetchall() == []
    virtual.close()


def test_a_journal_that_names_another_file_is_not_taken_back(made: days.Days, loadable: str) -> None:
    """SQLite 3.40 removes the file that it names, whatever that is."""
    other = os.path.join(made.root, "precious")
    Path(other).write_text("kept")
    path = path_of(made, 79)
    leave_half_done(path)
    name = other.encode()
    with open(path + "-journal", "ab") as file:
        file.write(struct.pack(">I", 2**30 // 4096 + 1) + name + struct.pack(">II", len(name), sum(name)))
        file.write(bytes.fromhex("d9d505f920a163d7"))
    virtual = made.virtual(loadable)
    assert virtual.execute(ALL).fetchall() == without(made, 79)
    assert "names another file" in virtual.execute(TROUBLE).fetchall()[0][-1]
    virtual.close()
    with pytest.raises(PartitionUnreadable, match="names another file"):
        connect.open_reader(path)
    with pytest.raises(PartitionUnreadable, match="names another file"):
        connect.open_writer(path)
    assert Path(other).read_text() == "kept"
    assert os.path.exists(path + "-journal")


@pytest.mark.parametrize("side", ["-wal", "-shm", "-journal"])
def test_what_is_no_file_beside_a_day_is_never_opened(made: days.Days, loadable: str, side: str) -> None:
    os.mkfifo(path_of(made, 79) + side)
    virtual = made.virtual(loadable)
    assert virtual.execute(ALL).fetchall() == without(made, 79)
    ((_, _, error),) = virtual.execute(TROUBLE).fetchall()
    assert side in error
    virtual.close()


def test_where_no_more_files_can_be_opened_the_statement_says_so(made: days.Days, loadable: str) -> None:
    """That is no day's trouble: a part of the rows would be taken for all of them."""
    virtual = made.virtual(loadable)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with open(os.devnull) as highest:
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest.fileno() + 1, before[1]))
        try:
            with pytest.raises(connect.driver().Error, match="open"):
                virtual.execute(ALL).fetchall()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert virtual.execute(ALL).fetchall() == made.plain.execute(ALL).fetchall()
    virtual.close()


@pytest.mark.parametrize("name", ["Alpha", "a b", "..", "x" * 65, "a.b", "é"])
def test_a_folder_of_another_name_than_a_contexts_is_none(made: days.Days, loadable: str, name: str) -> None:
    if name != "..":
        shutil.copytree(os.path.join(made.root, "logs", "alpha"), os.path.join(made.root, "logs", name))
    for wrong in ("26", "20260", "abcd", "1969", "2255"):
        os.makedirs(os.path.join(made.root, "logs", "alpha", wrong, "079"))
    for wrong in ("000", "367", "79", "0790", "07x"):
        os.makedirs(os.path.join(made.root, "logs", "alpha", "2026", wrong))
    open(os.path.join(made.root, "logs", "file"), "w").close()
    virtual = made.virtual(loadable)
    assert virtual.execute(ALL).fetchall() == made.plain.execute(ALL).fetchall()
    assert virtual.execute(TROUBLE).fetchall() == []
    virtual.close()


def test_a_root_that_comes_to_be_is_seen(tmp_path: Path, loadable: str) -> None:
    later = days.Days(str(tmp_path / "later"))
    virtual = later.virtual(loadable)
    assert virtual.execute("select count(*) from hooks").fetchone() == (0,)
    later.make(key(79), 10)
    later.take()
    assert virtual.execute(ALL).fetchall() == later.plain.execute(ALL).fetchall() != []
    assert layout.logs_dir(later.root)
    virtual.close()
    later.plain.close()


@pytest.mark.parametrize(("level", "date"), [(1, "2026-03-20"), (2, "2026"), (3, None)])
def test_a_folder_that_cannot_be_reached_is_listed_until_it_can(
    made: days.Days, loadable: str, level: int, date: str | None
) -> None:
    folder = Path(path_of(made, 79)).parents[level - 1]
    kept = folder.with_name("Kept")
    virtual = made.virtual(loadable)
    folder.rename(kept)
    folder.symlink_to(folder)  # in a circle
    assert virtual.execute(ALL).fetchall() == (without(made, 79) if level == 1 else [])
    assert [one[:2] for one in virtual.execute(TROUBLE).fetchall()] == [("alpha", date)]
    folder.unlink()
    kept.rename(folder)
    assert virtual.execute(ALL).fetchall() == made.plain.execute(ALL).fetchall()
    assert virtual.execute(TROUBLE).fetchall() == []
    virtual.close()


def test_a_day_of_another_encoding_is_another_programs(made: days.Days, loadable: str) -> None:
    """Its texts would come in another order than those of other days, and be merged as if they did not."""
    path = path_of(made, 79)
    os.unlink(path)
    conn = connect.driver().connect(path, isolation_level=None)
    conn.execute("pragma encoding = 'UTF-16'")
    conn.execute("create table hooks (id integer primary key, src text)")
    conn.close()
    virtual = made.virtual(loadable)
    assert virtual.execute(ALL).fetchall() == without(made, 79)
    assert "UTF-16" in virtual.execute(TROUBLE).fetchall()[0][-1]
    virtual.close()
