"""Text indexes leave room on the disk, and whoever wonders why there are none is told."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from eyelet_ingest.cli import cli
from eyelet_ingest.errors import BadInput, PartitionBusy
from eyelet_ingest.events import Event
from eyelet_ingest.store import text_index, text_room
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
from tests.store.test_text_index import DAY, hold, said

MakeEvent = Callable[..., Event]


def test_nothing_is_indexed_where_the_disk_is_nearly_full_and_all_is_found(
    tmp_path: Path, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store(str(tmp_path)) as store:
        store.append([said(make_event, at, "birch") for at in range(5)])
        monkeypatch.setenv(text_room.KEPT_FREE, str(2**32))
        done = store.index_text(60_000)
        assert (done.rows, done.left, done.troubled) == (0, 1, [])
        assert not store.text_catch_up(DAY, 60_000)
        with pytest.raises(PartitionBusy, match=r"MiB left.*EYELET_TEXT_KEEP_FREE_MIB"):
            store.text_build(DAY)
        assert store.text_state(DAY).version == 0
        assert store.count(Filter(text="birch")).count == 5
        monkeypatch.setenv(text_room.KEPT_FREE, "0")
        assert store.index_text(60_000).rows == 5
        monkeypatch.setenv(text_room.KEPT_FREE, str(2**32))
        with pytest.raises(PartitionBusy):
            store.text_build(DAY, anew=True)
        assert store.text_state(DAY).is_finished


def test_an_index_in_the_making_stops_before_the_disk_is_full(
    tmp_path: Path, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_index, "FIRST_ROWS", 2)
    monkeypatch.setattr(text_index, "MOST_ROWS", 2)
    with Store(str(tmp_path)) as store:
        store.append([said(make_event, at, "birch") for at in range(9)])
        left = iter([10**12, 10**12])
        monkeypatch.setattr(text_room, "of", lambda _: text_room.Room(next(left, 1), 2))
        with pytest.raises(PartitionBusy):
            store.text_build(DAY)
        assert (store.text_state(DAY).rows, store.text_state(DAY).behind) == (4, 5)
        hold(store.root)


def test_what_stays_free_is_a_share_of_the_disk_within_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def disk(mib: int) -> Any:
        return os.statvfs_result((4096, 4096, mib * 256, mib * 128, mib * 64, 0, 0, 0, 0, 255))

    for mib, kept in ((1_000, 256), (20_000, 400), (4_000_000, 2_048)):
        monkeypatch.setattr(os, "statvfs", lambda _, mib=mib: disk(mib))
        assert text_room.of(str(tmp_path)) == (mib * 2**18, kept * 2**20)
    assert text_room.of("file:/eyelet-memory/x") is None


@pytest.mark.parametrize("given", ["-1", "1.5", "1GB", "99999999999"])
def test_a_wrong_number_of_mib_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv(text_room.KEPT_FREE, given)
    with pytest.raises(BadInput, match="EYELET_TEXT_KEEP_FREE_MIB: it cannot be"):
        Store(str(tmp_path))


def test_the_command_says_why_nothing_is_indexed(
    tmp_path: Path, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store(str(tmp_path)) as store:
        store.append([said(make_event, 1, "birch")])
    for kept, told in ((str(2**32), "eyelet: nothing is indexed now: its disk has "), ("0", "")):
        monkeypatch.setenv(text_room.KEPT_FREE, kept)
        done = CliRunner().invoke(cli, ["text", "status", "--root", str(tmp_path)])
        assert (done.exit_code, done.stdout) == (0, "default 2026-03-20: no index, 1 events are found by reading\n")
        assert done.stderr.startswith(told)
        assert bool(done.stderr) == bool(told)
