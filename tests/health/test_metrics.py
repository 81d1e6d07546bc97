"""Figures over time: nothing measured is counted twice or lost, they merge, they stay small, and nothing needs them."""

import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyelet_ingest import faults, metering
from eyelet_ingest.errors import BadInput, RootError
from eyelet_ingest.events import Event
from eyelet_ingest.store import connect, metrics_keeping, metrics_schema, samples
from eyelet_ingest.store.metrics import Checkpointing, Metrics, Sample
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
from eyelet_ingest.store.timings import BOUNDS_US, OPS, Measured, Timings, percentile_ms

MINUTE_US = 60_000_000
NOON_US = 1_774_008_000_000_000
TIMES = st.lists(st.integers(0, 200_000_000), min_size=1, max_size=60)


def measured(times_us: list[int]) -> Measured:
    one = Measured()
    for took_us in times_us:
        one.add(took_us)
    return one


def sample(at_us: int, times_us: list[int], op: str = "append", role: str = "library") -> Sample:
    return Sample(at_us, role, {op: measured(times_us)})


def counted(root: str, since_us: int = 0, until_us: int = 2 * NOON_US) -> dict[str, int]:
    with Metrics(root) as metrics:
        return {one.op: one.count for one in metrics.timings(since_us, until_us)}


@settings(deadline=None)
@given(TIMES, st.sampled_from((0.5, 0.95, 0.99)))
def test_a_percentile_lies_in_the_bucket_of_the_true_one(times_us: list[int], share: float) -> None:
    one = measured(times_us)
    true = sorted(times_us)[max(0, -(-int(share * 100) * len(times_us) // 100) - 1)]
    said = percentile_ms(one.buckets, one.max_us, share)
    assert said is not None
    above = next((bound for bound in BOUNDS_US if true <= bound), one.max_us)
    below = max((bound for bound in BOUNDS_US if bound < true), default=0)
    assert below / 1000 <= said <= max(above, one.max_us if true > BOUNDS_US[-1] else above) / 1000


@settings(deadline=None)
@given(TIMES, TIMES)
def test_histograms_merged_are_the_histogram_of_all(some: list[int], others: list[int]) -> None:
    one = measured(some)
    one.merge(measured(others))
    both = measured(some + others)
    assert (one.buckets, one.count, one.sum_us, one.max_us) == (both.buckets, both.count, both.sum_us, both.max_us)
    text = metrics_schema.text_of(both.buckets)
    assert metrics_schema.buckets_of(text) == both.buckets


def test_threads_lose_no_measurement() -> None:
    timings = Timings()
    taken: list[int] = []

    def work() -> None:
        for _ in range(2_000):
            timings.add("append", 50)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        taken += [one.count for one in timings.take()[0].values()]
    taken += [one.count for one in timings.take()[0].values()]
    assert sum(taken) == 8_000


def test_what_was_asked_wrongly_is_no_failure(store: Store, make_event: Callable[..., Event]) -> None:
    store.append([make_event(NOON_US)])
    for _ in range(2):  # the second time there is nothing to do
        store.index_text(10_000)
        store.drain_spool()
    with pytest.raises(BadInput):
        store.search(Filter(), after="nonsense")
    store.search(Filter(text="words"))
    store.count(Filter(tool_name=("Bash",)))
    found, uses = store.timings.take()
    assert {op: (one.count, one.errors) for op, one in found.items()} == dict.fromkeys(
        ("append", "search", "text", "count", "text_index"), (1, 0)
    )
    assert uses["hooks_tool"] == 1
    assert set(found) <= set(OPS)


def test_a_lock_that_others_had_is_counted(root: str, store: Store, make_event: Callable[..., Event]) -> None:
    store.append([make_event(NOON_US)])
    store.timings.take()
    lock = connect.FileLock(f"{root}/logs/default/2026/079/logs.lock", time.monotonic_ns())
    with lock:
        waiting = threading.Thread(target=lambda: store.append([make_event(NOON_US + 1)]))
        waiting.start()
        waiting.join(0.1)
        assert waiting.is_alive()
    waiting.join()
    assert not lock.waited
    assert store.timings.lock_waits() == 1


def test_what_is_measured_together_is_one_row_a_minute_and_one_of_all_time(root: str) -> None:
    with Metrics(root) as metrics:
        for at_us in (NOON_US, NOON_US + 1, NOON_US + MINUTE_US):
            metrics.write(sample(at_us, [1_000, 2_000]))
            metrics.write(sample(at_us, [4_000], role="server"))
        conn = connect.open_reader(metrics.path)
        rows = conn.execute("select span_s, began_us, role, count from query_performance order by 1, 2, 3").fetchall()
        conn.close()
        assert rows == [
            *((0, 0, "library", 6), (0, 0, "server", 3)),
            *((60, NOON_US, "library", 4), (60, NOON_US, "server", 2)),
            *((60, NOON_US + MINUTE_US, "library", 2), (60, NOON_US + MINUTE_US, "server", 1)),
        ]
        (both,) = metrics.timings(NOON_US, NOON_US + MINUTE_US)
        assert (both.count, both.sum_ms, both.max_ms) == (6, 14.0, 4.0)
        assert [one.count for one in metrics.timings(NOON_US, NOON_US + MINUTE_US, "server")] == [2]
    assert stat.S_IMODE(os.stat(metrics.path).st_mode) == 0o600


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 800), st.integers(0, 1439), TIMES), min_size=1, max_size=8))
def test_figures_grow_old_and_lose_no_count(
    tmp_path_factory: pytest.TempPathFactory, made: list[tuple[int, int, list[int]]]
) -> None:
    """Whatever days and minutes they are of: of what is younger than two years all is there, merged."""
    root = str(tmp_path_factory.mktemp("root"))
    now_us = NOON_US
    day_us = 86_400_000_000
    with Metrics(root) as metrics:
        for days, minute, times_us in made:
            metrics.write(sample(now_us - days * day_us - minute * MINUTE_US, times_us))
        metrics.write(Sample(now_us + metrics_keeping.TIDY_EVERY_US * 2, "library"))
        kept = [
            times_us
            for days, minute, times_us in made
            if (now_us - days * day_us - minute * MINUTE_US) // day_us >= now_us // day_us - 730
        ]
        found = metrics.timings(0, now_us + 1)
        expected = measured([took for times_us in kept for took in times_us])
        assert [(one.count, one.buckets) for one in found] == ([(expected.count, expected.buckets)] if kept else [])
        assert sum(one.count for one in metrics.total()) == sum(len(times_us) for _, _, times_us in made)
        conn = connect.open_reader(metrics.path)
        spans = conn.execute("select span_s, min(began_us) from query_performance where span_s > 0 group by 1")
        oldest = {60: 2, 3_600: 90, 86_400: 730}
        for span_s, began_us in spans.fetchall():
            assert began_us >= now_us - (oldest[span_s] + 1) * day_us
            assert began_us % (span_s * 1_000_000) == 0
        conn.close()


def test_a_file_that_grows_too_large_loses_its_oldest_minutes(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_keeping, "MOST_BYTES", 100_000)
    monkeypatch.setattr(metrics_keeping, "FULL_BYTES", 300_000)
    monkeypatch.setattr(metrics_keeping, "TIDY_EVERY_US", 30 * MINUTE_US)
    gauges = {f"value-{number}": 1.0 for number in range(40)}
    largest = 0
    with Metrics(root) as metrics:
        for minute in range(240):
            metrics.write(Sample(NOON_US + minute * MINUTE_US, "library", gauges=gauges))
            largest = max(largest, os.path.getsize(metrics.path))
        newest = metrics.trend("value-7", NOON_US, NOON_US + 240 * MINUTE_US, 240)
    assert largest <= 300_000
    assert newest[-1][1] == 1.0
    assert newest[0][1] is None


def test_checkpoints_that_are_kept_have_an_end(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(metrics_keeping.MOST_ROWS, "wal_metrics", 3)
    monkeypatch.setattr(metrics_keeping, "TIDY_EVERY_US", 0)
    with Metrics(root) as metrics:
        for at in range(9):
            one = Checkpointing(
                NOON_US + at, "work", "2026-03-20", "none", "passive", 9, 9, 2, 1, True, 7, "it is full"
            )
            metrics.write(Sample(NOON_US + at, "server", checkpoints=[one]))
        assert [one.at_us - NOON_US for one in metrics.checkpoints(0, NOON_US * 2)] == [8, 7, 6]
        assert metrics.checkpoints(0, NOON_US * 2)[0] == one


def test_trends_have_a_value_where_something_was_measured(root: str) -> None:
    hour_us = 60 * MINUTE_US
    with Metrics(root) as metrics:
        metrics.write(
            Sample(
                NOON_US,
                "server",
                {"count": measured([1_000] * 99 + [90_000])},
                {"open_now": 3, "hits": 4},
                {"wal_bytes": 10.0},
            )
        )
        metrics.write(
            Sample(NOON_US + 1, "server", {"count": measured([1_000])}, {"open_now": 2, "hits": 5}, {"wal_bytes": 30.0})
        )
        names = metrics.trends()
        got = {name: metrics.trend(name, NOON_US - hour_us, NOON_US + hour_us, 2) for name in names}
    assert {"wal_bytes", "count.p99_ms", "count.count", "count.errors", "connections.hits"} <= set(names)
    assert got["wal_bytes"] == [(NOON_US - hour_us, None), (NOON_US, 20.0)]
    assert (got["count.count"][1][1], got["connections.hits"][1][1]) == (101.0, 9.0)
    assert got["connections.open_now"][1][1] == 3.0
    p50_ms = got["count.p50_ms"][1][1]
    assert p50_ms is not None and 0.8 <= p50_ms <= 1.0


def test_lines_of_short_processes_are_kept_once(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    os.makedirs(root)
    for took_us in (3_000, 4_000):
        samples.put(root, "capture", took_us)
    samples.put(root, "search", 500, more=" 3")
    with open(f"{root}/times", "a") as file:
        file.write("1 2 nonsense 0 0 0\nnot a line\n1 99999999999999 capture 0 0 0\n1 -5 capture 0 0 0\n\x00\xff 1 2 3")
    assert stat.S_IMODE(os.stat(f"{root}/times").st_mode) == 0o600
    with Store(root) as store, monkeypatch.context() as patch:
        patch.setattr(samples, "taken", lambda root: None)  # stopped after the commit
        assert metering.Meter(store, root, "server").keep()
    assert counted(root) == {"capture": 2, "search": 3}
    samples.put(root, "capture", 1_000)  # comes behind the one that is not gone yet
    with Store(root) as store:
        meter = metering.Meter(store, root, "server")
        meter.keep()
        assert counted(root) == {"capture": 2, "search": 3}
        meter.keep()
    assert counted(root) == {"capture": 3, "search": 3}
    assert not os.path.exists(f"{root}/times.taken")
    with Metrics(root) as metrics:
        assert {one.op for one in metrics.total("hook")} == {"capture"}
        assert {one.op for one in metrics.total("command")} == {"search"}


def test_a_hook_leaves_one_line_of_its_life_and_nothing_keeps_it_from_recording(
    root: str, python_light: list[str], tmp_path: Path
) -> None:
    capture = Path(metering.__file__).parent / "capture.py"
    payload = b'{"hook_event_name": "Stop", "session_id": "one"}'
    env = {"HOME": str(tmp_path / "home"), "EYELET_ROOT": root}
    for number in range(3):
        if number == 2:  # what lies in place of the lines costs the line alone
            os.unlink(f"{root}/times")
            os.makedirs(f"{root}/times")
        done = subprocess.run([*python_light, str(capture)], input=payload, env=env, capture_output=True, check=True)
        assert done.stdout + done.stderr == b""
        if number == 1:
            _, lines = samples.take(root)
            samples.taken(root)
            samples.put(root, "capture", 1)
            assert [(line[2], *line[3:]) for line in lines] == [("capture", 0, 0, 0, 1)] * 2
            assert all(0 < took_us < 10_000_000 for _, took_us, *_ in lines)
    with Store(root) as store:
        assert store.count(Filter()).count == 3


def test_lines_have_an_end(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    os.makedirs(root)
    monkeypatch.setattr(samples, "MOST_BYTES", 1_000)
    for _ in range(200):
        samples.put(root, "capture", 3_000)
    assert 1_000 <= os.path.getsize(f"{root}/times") < 1_100


def test_lines_of_many_processes_do_not_mix(root: str) -> None:
    os.makedirs(root)
    code = (
        "import sys; from eyelet_ingest.store import samples\n"
        "for at in range(300): samples.put(sys.argv[1], 'capture', 1000 + at)"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, root]) for _ in range(4)]
    assert [one.wait() for one in running] == [0] * 4
    _, lines = samples.take(root)
    assert sorted(line[1] for line in lines) == sorted(list(range(1_000, 1_300)) * 4)


def test_a_link_in_place_of_the_lines_is_not_followed(root: str, tmp_path: Path) -> None:
    os.makedirs(root)
    precious = tmp_path / "precious"
    precious.write_text("as it was")
    os.symlink(precious, f"{root}/times")
    samples.put(root, "capture", 1)
    with Store(root) as store:
        metering.Meter(store, root, "server").keep()
    assert precious.read_text() == "as it was"


def test_switched_off_nothing_is_written(
    root: str, make_event: Callable[..., Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EYELET_METRICS", "0")
    with Store(root) as store:
        store.append([make_event(NOON_US)])
        meter = metering.Meter(store, root, "library")
        assert not meter.keep()
        meter.leave(make=True)
        samples.put(root, "capture", 1)
    assert sorted(os.listdir(root)) == ["logs"]


def garbage(root: str) -> None:
    Path(root, "health.sqlite").write_bytes(b"no database" * 1_000)


def folder(root: str) -> None:
    os.makedirs(f"{root}/health.sqlite")


def newer(root: str) -> None:
    with Metrics(root) as metrics, metrics.writing() as conn:
        conn.execute("pragma user_version = 99")


def full(root: str) -> None:
    """As a disk without room: SQLite may not make the file any longer."""
    with Metrics(root) as metrics:
        metrics.write(sample(NOON_US, [1]))
    metrics_keeping.FULL_BYTES = 4_096


@pytest.mark.parametrize("breaks", [garbage, folder, newer, full], ids=lambda one: str(one.__name__))
def test_a_broken_file_costs_only_figures(
    root: str,
    tmp_path: Path,
    breaks: Callable[[str], None],
    make_event: Callable[..., Event],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Recording and searching go on, what was measured waits, and one fault says why."""
    monkeypatch.setattr(metrics_keeping, "FULL_BYTES", metrics_keeping.FULL_BYTES)
    os.makedirs(root)
    breaks(root)
    home = str(tmp_path / "home")
    with Store(root) as store:
        meter = metering.Meter(store, home, "library")
        many = {f"value-{number}": 1.0 for number in range(200)}
        for number in range(3):
            assert store.append([make_event(NOON_US + number)]).stored == 1
            assert len(store.search(Filter()).rows) == number + 1
            assert not meter.keep(many)
        found, _ = store.timings.take()
        assert found["append"].count == 3
    noted = [one for one in faults.read(home) if one.kind == "metrics"]
    assert len(noted) == 1
    assert meter.trouble


def test_a_locked_file_is_given_up_soon_and_what_was_measured_waits(
    root: str, make_event: Callable[..., Event]
) -> None:
    with Store(root) as store, Metrics(root) as metrics:
        store.append([make_event(NOON_US)])
        meter = metering.Meter(store, root, "library")
        with metrics.writing():
            assert not meter.keep()
        assert meter.keep()
    assert counted(root) == {"append": 1}


def test_a_file_that_cannot_be_read_says_what_helps(root: str) -> None:
    os.makedirs(root)
    garbage(root)
    with Metrics(root) as metrics, pytest.raises(RootError, match="move it away"):
        metrics.timings(0, NOON_US)


def test_nothing_is_known_where_nothing_was_kept(root: str) -> None:
    with Metrics(root) as metrics:
        assert (metrics.timings(0, NOON_US), metrics.trends(), metrics.gauges(), metrics.connections()) == (
            [],
            [],
            {},
            {},
        )
        assert metrics.trend("wal_bytes", 0, 100, 2) == [(0, None), (50, None)]
        assert metrics.remembered("integrity", "day", "state") is None
    assert not os.path.exists(root)


def test_what_a_check_said_is_of_one_state(root: str) -> None:
    with Metrics(root) as metrics:
        metrics.remember("integrity", "work-2026-079", "one", "ok")
        assert metrics.remembered("integrity", "work-2026-079", "one") == "ok"
        assert metrics.remembered("integrity", "work-2026-079", "two") is None


def test_every_table_is_described_in_the_docs(root: str) -> None:
    docs = (Path(__file__).resolve().parents[2] / "docs" / "metrics.md").read_text("utf-8")
    for table in metrics_schema.TABLES:
        section = docs[docs.index(f"### {table.name}") :].split("\n#")[0]
        for column in (*table.keys, *table.columns):
            assert f"`{column}`" in section, (table.name, column)
    for op in OPS:
        assert f"`{op}`" in docs
    os.makedirs(root)
    with Store(root) as store:
        gauges = metering.gauges(store, process=True)
    assert len(gauges) > 9
    for name in gauges:
        assert f"`{name}`" in docs
