"""Checkpoints that nobody asks for: when they are due, that they wait for nobody, and what is kept of them."""

import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import settings as trying
from hypothesis import strategies as st

from eyelet_ingest import settings
from eyelet_ingest.cli import cli
from eyelet_ingest.errors import BadInput
from eyelet_ingest.events import Event
from eyelet_ingest.health import checkpointing, doctor, strategies
from eyelet_ingest.health.finding import Patient
from eyelet_ingest.health.strategies import BUILT_IN, OLDER, PASSIVE, TODAY, TRUNCATE, YESTERDAY, Strategy, Wal
from eyelet_ingest.hookspecs import CheckpointStrategy, hookimpl
from eyelet_ingest.plugins import Plugins
from eyelet_ingest.store import connect, layout
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.metrics import Metrics
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

DAY = PartitionKey("default", 2026, 79)
DOCS = (Path(__file__).resolve().parents[2] / "docs" / "checkpoints.md").read_text("utf-8")
RANK = (None, PASSIVE, TRUNCATE)
WALS = st.builds(
    Wal,
    st.integers(0, 1 << 30),
    st.integers(0, 1 << 30),
    st.floats(0, 1e6),
    st.floats(0, 1e6),
    st.sampled_from((TODAY, YESTERDAY, OLDER)),
    st.floats(0, 8),
    st.integers(0, 5),
)
STRATEGIES = st.sampled_from(list(BUILT_IN.values()))


@trying(deadline=None)
@given(STRATEGIES, WALS)
def test_under_load_nothing_is_emptied_and_little_is_left_alone(strategy: Strategy, wal: Wal) -> None:
    for pressed in (replace(wal, lock_waits=wal.lock_waits + 1), replace(wal, load=strategy.load + 0.1)):
        mode = strategy.mode(pressed)
        assert mode != TRUNCATE
        assert mode is None or pressed.bytes >= 4 * strategy.always_bytes or pressed.bytes >= 256 << 20


@trying(deadline=None)
@given(STRATEGIES, WALS, st.integers(0, 1 << 28), st.floats(0, 1e5))
def test_more_that_waits_longer_is_never_less_due(strategy: Strategy, wal: Wal, more: int, longer: float) -> None:
    larger = replace(wal, bytes=wal.bytes + more, file_bytes=wal.file_bytes + more)
    later = replace(wal, age_s=wal.age_s + longer, idle_s=wal.idle_s + longer)
    for other in (larger, later):
        assert RANK.index(strategy.mode(other)) >= RANK.index(strategy.mode(wal))


@trying(deadline=None)
@given(STRATEGIES, WALS)
def test_a_day_is_emptied_only_where_nobody_wrote_for_long(strategy: Strategy, wal: Wal) -> None:
    if strategy.mode(wal) == TRUNCATE:
        assert wal.file_bytes
        assert wal.idle_s >= (strategy.rest_s if wal.priority else strategy.old_rest_s)
    assert strategy.mode(replace(wal, file_bytes=0)) is None


def test_strategies_differ_in_what_they_are_for() -> None:
    modes = {
        name: [
            one.mode(Wal(size, size, 10.0, idle_s, TODAY))
            for size, idle_s in ((300 << 10, 1), (2 << 20, 0), (2 << 20, 6), (10 << 20, 2), (1 << 10, 40))
        ]
        for name, one in BUILT_IN.items()
    }
    assert modes == {
        "ConversationWorkload": [None, None, PASSIVE, PASSIVE, None],
        "HighConcurrency": [None, None, None, PASSIVE, None],
        "LowLatency": [PASSIVE, PASSIVE, PASSIVE, PASSIVE, TRUNCATE],
    }


def spelt(number: float) -> str:
    for size, unit in ((3_600, "hour"), (60, "minute")):
        if number >= size:
            return f"{number / size:g} {unit}{'s' if number > size else ''}"
    return f"{number:g} s"


def test_the_docs_have_every_figure_of_every_strategy() -> None:
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in DOCS.splitlines() if line[:1] == "|"]
    table = {cells[0]: cells[1:] for cells in lines if len(cells) == 4}
    heads = [cell.split()[0] for cell in table[""]]
    assert heads == list(BUILT_IN)
    assert heads[0] == strategies.DEFAULT and "(the default)" in table[""][0]
    for one, column in zip(BUILT_IN.values(), range(3), strict=True):
        assert table["PASSIVE after a pause of"][column] == spelt(one.pause_s)
        assert table["… or however little, once it is so old"][column] == spelt(one.age_s)
        assert table["TRUNCATE after nobody wrote for"][column] == spelt(one.rest_s)
        assert table["… in days before yesterday"][column] == spelt(one.old_rest_s)
        assert float(table["retreats with more load for each processor than"][column]) == one.load
        for row, size in (("… from so much that waits", one.passive_bytes), ("PASSIVE at once from", one.always_bytes)):
            amount, unit = table[row][column].split()
            assert int(amount) * {"KiB": 1 << 10, "MiB": 1 << 20}[unit] == size


@pytest.fixture
def written(store: Store, make_event: Callable[..., Event]) -> Iterator[Store]:
    """A day with a WAL, which a writer keeps open."""
    with store.bulk():
        for at in range(60):  # fewer pages than SQLite brings in by itself
            store.append([make_event(DAY.bounds_us[0] + at, data='{"text": "' + "x" * 2_000 + '"}')])
        yield store


def wal_of(store: Store, key: PartitionKey = DAY) -> str:
    return layout.side_path(layout.db_path(store.root, key), "-wal")


def at_rest(store: Store, seconds: float = 1_000) -> None:
    """As if nobody had written for so long, and no checkpoint been made."""
    then_s = time.time() - seconds
    for path in (wal_of(store), layout.db_path(store.root, DAY)):
        os.utime(path, (then_s, then_s))


@pytest.fixture(autouse=True)
def quiet_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (0.1, 0.1, 0.1))


def run(store: Store, name: str = "LowLatency") -> "list[Any]":
    return checkpointing.run(store, 10_000, Plugins, name)


def test_a_day_at_rest_is_brought_in_and_its_wal_emptied(written: Store) -> None:
    at_rest(written)
    (one,) = run(written)
    assert (one.context, one.day, one.by, one.mode, one.error, one.busy) == (
        "default", "2026-03-20", "LowLatency", "truncate", "", False,
    )  # fmt: skip
    assert one.wal_bytes > 0 == one.wal_bytes_after == os.path.getsize(wal_of(written))
    assert one.moved == one.frames > 0
    assert run(written) == []
    assert written.count(Filter()).count == 60


def test_passive_takes_what_waits_and_not_again_what_it_took(written: Store, make_event: Callable[..., Event]) -> None:
    at_rest(written, 2)
    (one,) = run(written)
    assert (one.mode, one.moved) == ("passive", one.frames)
    assert one.wal_bytes_after == one.wal_bytes  # only TRUNCATE makes it shorter
    at_rest(written, 2)
    assert run(written) == []  # nothing waits, however long the file is
    written.append([make_event(DAY.bounds_us[0] + 999)])
    at_rest(written, 2)
    assert run(written) == []  # some pages of a long file: not 256 KiB


def test_a_sqlite_with_the_bug_makes_passive_ones_and_does_not_try_again_and_again(
    written: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "may_checkpoint", lambda version: False)
    at_rest(written)
    (one,) = run(written)
    assert (one.mode, one.moved) == ("passive", one.frames)
    assert run(written) == []


def test_a_writer_is_never_waited_for_nor_held_up(written: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    at_rest(written)

    def sleep(seconds: float) -> None:
        raise AssertionError("it waits")

    with connect.FileLock(layout.lock_path(written.root, DAY), time.monotonic_ns()), monkeypatch.context() as patch:
        patch.setattr(connect.time, "sleep", sleep)  # type: ignore[attr-defined]
        (one,) = run(written)
    assert (one.mode, one.busy, one.error, one.moved) == ("", True, "", 0)
    assert run(written)[0].mode == "truncate"


def test_a_reader_in_the_middle_keeps_what_it_reads(written: Store, make_event: Callable[..., Event]) -> None:
    conn = connect.open_reader(layout.db_path(written.root, DAY))
    conn.execute("begin")
    assert conn.execute("select count(*) from hooks").fetchone() == (60,)
    written.append([make_event(DAY.bounds_us[0] + 999)])
    at_rest(written)
    (one,) = run(written)
    assert one.busy and not one.error and os.path.getsize(wal_of(written)) > 0
    assert conn.execute("select count(*) from hooks").fetchone() == (60,)
    conn.close()
    at_rest(written)
    assert not run(written)[0].busy
    assert written.count(Filter()).count == 61


def test_the_day_of_today_is_left_to_its_writers(store: Store, make_event: Callable[..., Event]) -> None:
    now_us = time.time_ns() // 1_000
    with store.bulk():
        store.append([make_event(now_us)])
        (key,) = store.catalog.partitions()
        wal = checkpointing.look(store, key, now_us)
        assert wal is not None and wal.priority == TODAY and wal.idle_s < 60
        assert run(store, "ConversationWorkload") == []
    assert strategies.priority_of(now_us - 86_400_000_000, now_us) == YESTERDAY
    assert strategies.priority_of(DAY.bounds_us[0], now_us) == OLDER


def test_one_that_fails_fails_nothing_else_and_is_found(
    written: Store, make_event: Callable[..., Event], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A disk that refuses to be written to: recorded, found by the check, and no question nor append minds."""
    from eyelet_ingest import metering

    def fails(conn: Any, mode: str, version: str) -> None:
        raise conn.OperationalError("disk I/O error")

    at_rest(written)
    with monkeypatch.context() as patch:
        patch.setattr(connect, "checkpoint", fails)
        done = run(written)
    assert [one.error for one in done] == ["disk I/O error"]
    assert metering.Meter(written, str(tmp_path), "server").keep(checkpoints=done)
    assert written.append([make_event(DAY.bounds_us[0] + 999)]).stored == 1
    assert written.count(Filter()).count == 61
    now_us = time.time_ns() // 1_000
    with Metrics(written.root) as metrics:
        assert metrics.checkpoints(0, now_us) == done
        (timing,) = (one for one in metrics.timings(0, now_us) if one.op == "checkpoint")
        assert timing.errors == 1
    patient = Patient(written, str(tmp_path), settings.effective(), now_us)
    found = doctor.examine(patient, ["checkpoints"])
    assert any("disk I/O error" in one.message and one.status == "warn" for one in found)


class Told:
    """A plugin whose strategy is told all that is known."""

    def __init__(self, answer: Callable[[Wal], Any]) -> None:
        self.asked: list[Wal] = []
        self.answer = answer

    @hookimpl
    def register_checkpoint_strategies(self) -> list[CheckpointStrategy]:
        def of_wal(wal: Wal) -> Any:
            self.asked.append(wal)
            return self.answer(wal)

        return [CheckpointStrategy("told", of_wal=of_wal), CheckpointStrategy("plain", lambda size, idle_s: "full")]


def with_plugin(answer: Callable[[Wal], Any]) -> tuple[Plugins, Told]:
    plugins, told = Plugins(), Told(answer)
    plugins.add("told", told)
    return plugins, told


def test_a_plugins_strategy_is_asked_with_what_is_known_of_the_wal(written: Store) -> None:
    plugins, told = with_plugin(lambda wal: "restart")
    at_rest(written, 90)
    (one,) = checkpointing.run(written, 10_000, lambda: plugins, "told")
    assert (one.by, one.mode) == ("told", "restart")
    wal = told.asked[-1]
    assert 0 < wal.bytes < wal.file_bytes == one.wal_bytes
    assert 89 < wal.idle_s < 200 and wal.priority == OLDER
    at_rest(written, 90)
    (one,) = checkpointing.run(written, 10_000, lambda: plugins, "plain")
    assert one.mode == "full"
    plugins.close()


@pytest.mark.parametrize("answer", [lambda wal: 1 / 0, lambda wal: "vacuum", lambda wal: 5], ids=["fails", "word", "5"])
def test_a_plugins_strategy_that_is_wrong_makes_no_checkpoint_and_is_named(
    written: Store, answer: Callable[[Wal], Any]
) -> None:
    plugins, _ = with_plugin(answer)
    at_rest(written)
    assert checkpointing.run(written, 10_000, lambda: plugins, "told") == []
    assert [one.plugin for one in plugins.troubles] == ["told"]
    plugins.close()


def test_the_settings_choose_the_strategy(written: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "eyelet.yaml"
    monkeypatch.setenv("EYELET_CONFIG", str(config))
    assert checkpointing.chosen() == strategies.DEFAULT
    config.write_text("health:\n  checkpoint_strategy: none\n")
    at_rest(written)
    assert checkpointing.run(written, 10_000, Plugins) == []
    config.write_text("health:\n  checkpoint_strategy: Nobody\n")
    with pytest.raises(BadInput, match="ConversationWorkload, HighConcurrency, LowLatency, none"):
        checkpointing.run(written, 10_000, Plugins)
    config.write_text("health:\n  checkpoint_strategy: LowLatency\n")
    assert [one.by for one in checkpointing.run(written, 10_000, Plugins)] == ["LowLatency"]


def test_a_command_that_wrote_looks_after_wals_at_its_end(written: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """After maintenance and text, which are writers themselves."""
    monkeypatch.setattr(Store, "maintain", lambda self, deadline_ms, first=(): None)
    monkeypatch.setattr(Store, "index_text", lambda self, deadline_ms, first=(): None)
    at_rest(written)
    done = CliRunner().invoke(cli, ["drain", "--root", written.root])
    assert done.exit_code == 0, done.output
    assert os.path.getsize(wal_of(written)) == 0
    with Metrics(written.root) as metrics:
        (one,) = metrics.checkpoints(0, 2**62)
        assert (one.by, one.mode) == ("ConversationWorkload", "truncate")


def test_the_command_does_what_a_strategy_says_and_keeps_what_became_of_it(
    written: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_rest(written, 6)
    monkeypatch.setenv("EYELET_ROOT", written.root)
    dry = CliRunner().invoke(cli, ["checkpoint", "--strategy", "LowLatency", "--dry-run"])
    assert re.fullmatch(r"default 2026-03-20: .* in its WAL, passive\n", dry.output)
    none = CliRunner().invoke(cli, ["checkpoint", "--strategy", "HighConcurrency"])
    assert none.output == "no day is due\n"
    done = CliRunner().invoke(cli, ["checkpoint", "--strategy", "LowLatency"])
    assert "passive" in done.output
    by_hand = CliRunner().invoke(cli, ["checkpoint", "truncate"])
    assert "truncate" in by_hand.output
    with Metrics(written.root) as metrics:
        assert [one.by for one in metrics.checkpoints(0, 2**62)] == ["command", "LowLatency"]
    both = CliRunner().invoke(cli, ["checkpoint", "full", "--strategy", "LowLatency"])
    assert both.exit_code == 2
