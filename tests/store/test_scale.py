"""A thousand days and more: files and memory stay flat, and a question opens and asks what matches, not what exists.

Three years of days of one large context and a few of each of two hundred tiny ones, sources eight names deep. Nothing
is timed here (benchmarks/scale.py does that): partitions opened and SQL statements are counted.

`python test_scale.py ROOT SEARCHES THREADS` is the process that searches under `ulimit -n 256`. It measures itself: the
entries of /proc/self/fd and the resident pages of /proc/self/statm, after a collection of garbage, a hundred times.
"""

import gc
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from eyelet_ingest.events import Event
from eyelet_ingest.store import handles, layout
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

SOAK = bool(os.environ.get("EYELET_SOAK"))
OPEN_FILES = 256
SEARCHES = 10_000 if SOAK else 400
FIRST_US = layout.PartitionKey("large", 2022, 1).bounds_us[0]
DAYS = 3 * 365
STEP = 1 if SOAK else 2  # of the large context every day, or every second one
TINY = 200
TINY_DAYS = 5 if SOAK else 2
LARGE_ROWS = 12
LAST_US = FIRST_US + DAYS * layout.DAY_US
DEEP = "a.b.c.d.e.f.g"


def tiny_days(number: int) -> list[int]:
    """Spread over the three years; none of the last thirty days, which are for counting."""
    return [(number * 37 + at * 211) % (DAYS - 30) for at in range(TINY_DAYS)]


def made() -> Iterator[tuple[str, Event]]:
    chance = random.Random(23)
    for day in range((DAYS - 1) % STEP, DAYS, STEP):
        start = FIRST_US + day * layout.DAY_US
        for at in range(LARGE_ROWS):
            src = f"{DEEP}.n{at % 4}" if at % 3 else f"claude.posttooluse.bash.{at}"
            yield "large", event(chance, start + at * 3_600_000_000, src, session_id=f"large-{day}")
    for number in range(TINY):
        for day in tiny_days(number):
            start = FIRST_US + day * layout.DAY_US
            for at in range(3):
                yield f"tiny-{number:03d}", event(chance, start + at, f"{DEEP}.rare{number}", session_id=f"t{number}")


def event(chance: random.Random, time_us: int, src: str, **fields: Any) -> Event:
    data = '{"text":"' + chance.randbytes(60).hex() + '"}'
    return Event(time_us=time_us, uid=chance.randbytes(16), hook_type="PostToolUse", src=src, data=data, **fields)


@pytest.fixture(scope="module")
def root() -> Iterator[str]:
    """In shared memory where there is room: making a day costs 2 ms there, and 16 on a busy disk."""
    shared = "/dev/shm"
    folder = shared if os.path.isdir(shared) and shutil.disk_usage(shared).free > 2**30 else None
    with TemporaryDirectory(dir=folder) as path:
        with Store(path) as store:
            assert store.append_many(made()).refused == []
            assert len(store.catalog.partitions()) >= (2_000 if SOAK else 900)
        yield path


class Asked:
    """A store that counts the statements it runs, and the partitions it opens."""

    def __init__(self, root: str, patch: pytest.MonkeyPatch) -> None:
        self.statements = 0
        opened = handles.open_reader

        def open_counted(path: str, **options: Any) -> Any:
            conn = opened(path, **options)
            conn.set_trace_callback(self.count)
            return conn

        patch.setattr(handles, "open_reader", open_counted)
        self.store = Store(root)
        self.partitions = len(self.store.catalog.partitions())

    def count(self, _: str) -> None:
        self.statements += 1

    def page(self, where: Filter, **options: Any) -> tuple[list[dict[str, Any]], int, int]:
        """The rows, and how many partitions were opened and statements run for them."""
        before = self.statements
        page = self.store.search(where, **options)
        assert page.partitions.unreadable == () and page.partitions.complete
        assert page.partitions.scanned + page.partitions.skipped == self.partitions
        return page.rows, page.partitions.scanned, self.statements - before


@pytest.fixture
def asked(root: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Asked]:
    one = Asked(root, monkeypatch)
    yield one
    one.store.close()


# Opening one: its cache, its indexes. Asking it: whether a value is rare, the ids, the rows.
STATEMENTS_EACH = 8


def test_the_latest_of_a_day_cost_the_same_among_a_thousand_days_and_among_thirty(
    root: str, asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = Filter(since_us=LAST_US - layout.DAY_US, until_us=LAST_US)
    rows, scanned, statements = asked.page(day, limit=100)
    assert (len(rows), scanned) == (LARGE_ROWS, 1)
    with Store(str(tmp_path / "small")) as small:
        small.append_many(pair for pair in made() if pair[1].time_us >= LAST_US - 30 * STEP * layout.DAY_US)
        assert 25 <= len(small.catalog.partitions()) <= 40
    few = Asked(str(tmp_path / "small"), monkeypatch)
    assert few.page(day, limit=100)[1:] == (scanned, statements)
    few.store.close()


def test_a_page_stops_at_the_days_that_fill_it(asked: Asked) -> None:
    for oldest_first in (False, True):
        rows, scanned, statements = asked.page(
            Filter(contexts=("large",)), limit=4 * LARGE_ROWS, oldest_first=oldest_first
        )
        assert (len(rows), scanned) == (4 * LARGE_ROWS, 5)  # one more, to know whether there is a next page
        assert statements <= 5 * STATEMENTS_EACH


def test_a_deep_source_that_is_common_is_found_in_the_days_that_fill_the_page(asked: Asked) -> None:
    for wanted in (f"{DEEP}.n1", DEEP, "a.b", f"{DEEP}.n*"):
        where = Filter(src=(wanted,), contexts=("large",))
        rows, scanned, statements = asked.page(where, limit=20)
        assert len(rows) == 20
        assert scanned <= 21  # at least one in each
        assert statements <= scanned * STATEMENTS_EACH


@pytest.mark.parametrize("number", [0, 99, 199])
def test_a_tiny_context_costs_its_own_days_beside_a_large_one(asked: Asked, number: int) -> None:
    mine = Filter(contexts=(f"tiny-{number:03d}",))
    rows, scanned, statements = asked.page(mine, limit=100)
    assert (len(rows), scanned) == (3 * TINY_DAYS, TINY_DAYS)
    assert statements <= scanned * STATEMENTS_EACH
    deep = Filter(contexts=mine.contexts, src=(f"{DEEP}.rare{number}",), session_id=(f"t{number}",))
    assert asked.page(deep, limit=100)[1] == TINY_DAYS
    assert asked.store.count(mine).partitions.scanned == TINY_DAYS
    assert asked.store.summary(mine).partitions.scanned == TINY_DAYS
    assert asked.store.sources(mine).partitions.scanned == TINY_DAYS


def test_what_is_nowhere_in_the_range_opens_only_the_range(asked: Asked) -> None:
    week = Filter(since_us=LAST_US - 7 * layout.DAY_US, until_us=LAST_US, src=("no.such",))
    rows, scanned, statements = asked.page(week)
    assert (rows, scanned) == ([], len(range(0, 7, STEP)))
    assert statements <= scanned * STATEMENTS_EACH
    empty = Filter(since_us=LAST_US + layout.DAY_US)
    assert asked.page(empty) == ([], 0, 0)


def test_walking_all_pages_opens_each_day_about_once(asked: Asked) -> None:
    where = Filter(contexts=("large",))
    pages = scanned = rows = 0
    after = None
    while True:
        page = asked.store.search(where, limit=100, after=after)
        pages, scanned, rows = pages + 1, scanned + page.partitions.scanned, rows + len(page.rows)
        after = page.next
        if after is None:
            break
    days = len(range(0, DAYS, STEP))
    assert rows == days * LARGE_ROWS
    assert scanned <= days + 2 * pages  # the day a page ends in is the next one's first; and one is looked ahead
    assert asked.statements <= scanned * STATEMENTS_EACH


def test_an_event_by_its_id_opens_its_day_alone(asked: Asked) -> None:
    before = asked.statements
    row = asked.store.event("large", LAST_US - layout.DAY_US)
    assert row is not None and row["session_id"] == f"large-{DAYS - 1}"
    assert asked.store.counters().opened == 1
    assert asked.statements - before <= STATEMENTS_EACH


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="measured by /proc")
@pytest.mark.parametrize("threads", [1, 4])
def test_thousands_of_searches_keep_open_files_and_memory_flat(root: str, threads: int) -> None:
    """In a process that may open 256 files: in the second half of the searches never more than in the first."""
    command = [sys.executable, __file__, root, str(SEARCHES), str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout)
    assert measured["searches"] == SEARCHES // threads * threads
    assert measured["opened"] > OPEN_FILES  # more days than files
    for name, constant in (("files", 6 * threads), ("rss_kib", 4_096)):
        half = len(measured[name]) // 2
        first, second = max(measured[name][:half]), max(measured[name][half:])
        assert second <= first + constant, (name, measured[name])
    assert max(measured["files"]) <= OPEN_FILES * 3 // 4


def one_search(store: Store, chance: random.Random) -> None:
    """Any question about a few days of the three years; every answer is whole."""
    since_us = FIRST_US + chance.randrange(DAYS) * layout.DAY_US
    until_us = since_us + chance.choice([1, 3, 14]) * layout.DAY_US
    tiny = chance.randrange(TINY)
    filters = [
        Filter(),
        Filter(since_us=since_us, until_us=until_us),
        Filter(since_us=since_us, until_us=until_us, src=(DEEP,)),
        Filter(contexts=(f"tiny-{tiny:03d}",)),
        Filter(contexts=("large",), src=(f"{DEEP}.rare{tiny}",), since_us=since_us, until_us=until_us),
    ]
    where = chance.choice(filters)
    ways: list[Any] = [store.search, store.search, store.count, store.summary]
    truth = (chance.choice(ways) if where != Filter() else store.search)(where).partitions
    assert truth.unreadable == () and truth.complete, truth


def measure(root: str, searches: int, threads: int) -> dict[str, Any]:
    files: list[int] = []
    rss_kib: list[int] = []
    done = [0] * threads
    failed: list[BaseException] = []
    page_kib = resource.getpagesize() // 1024

    def look() -> None:
        gc.collect()
        files.append(len(os.listdir("/proc/self/fd")))
        rss_kib.append(int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * page_kib)

    def work(number: int) -> None:
        chance = random.Random(number)
        mine = searches // threads
        try:
            for at in range(mine):
                one_search(store, chance)
                done[number] = at + 1
                if number == 0 and at % max(1, mine // 100) == 0:
                    look()
        except BaseException as error:
            failed.append(error)
            raise

    with Store(root) as store:
        workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        opened = store.counters().opened
    assert not failed, failed
    return {"searches": sum(done), "opened": opened, "files": files, "rss_kib": rss_kib}


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))  # noqa: T201  the parent reads it
