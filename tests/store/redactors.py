"""The program that the proofs of redaction run: it forks processes that redact, and kills them, or lets writers and
readers work on meanwhile.

`python redactors.py ROOT SEED kill ROUNDS` or `… together WRITERS EVENTS`; see `victims.py`, whose children these are.
"""

import json
import lzma
import os
import random
import signal
import sys
import time
from collections.abc import Callable

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import victims

from eyelet_ingest import json_files
from eyelet_ingest.events import Event
from eyelet_ingest.past import Pattern
from eyelet_ingest.store import archives, connect, erasing, layout, sealing, spool, verify, writer
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
from eyelet_ingest.store.tombstones import Tombstones

DAY = layout.PartitionKey("default", 2026, 79)
START_US, END_US = DAY.bounds_us
SECRET = "going-7c1e"
WHAT = Pattern("going-7c1e")
EVENTS = 40
MEASURED = 2  # how often it is let end, to know how long it lives on this machine at this moment


def event(n: int) -> Event:
    data = json.dumps({"prompt": f"{SECRET if n % 2 else 'staying'} {'x' * 200} {n}", "in": json.dumps([SECRET])})
    return Event(hook_type="Note", uid=os.urandom(16), time_us=START_US + n, session_id="s", data=data)


def fill(root: str) -> None:
    """A sealed day and its archive, one event in the spool, one as a JSON file."""
    with Store(root) as store:
        store.append([event(n) for n in range(EVENTS)])
    sealing.seal(root, DAY)
    archives.archive(root, DAY)
    spool.put(root, DAY, "default", writer.row_of(event(EVENTS)), "the proof")
    json_files.write(root, "default", event(EVENTS + 1))


def redact(root: str, chance: random.Random, say: victims.Say) -> None:
    with Store(root) as store:
        done = store.redact(WHAT)
        assert done.failed == [], done.failed
        store.finish_redactions()


def left_of(root: str) -> list[str]:
    found = []
    for folder, _, names in os.walk(root):
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                content = file.read()
            if SECRET.encode() in (lzma.decompress(content) if name.endswith(".xz") else content):
                found.append(os.path.join(folder, name))
    return found


def in_day(path: str) -> tuple[int, int]:
    """How many events a day holds, and how many of them the secret."""
    conn = connect.open_reader(path)
    try:
        assert conn.execute("pragma integrity_check").fetchone() == ("ok",)
        rows = conn.execute("select data from hooks").fetchall()
        return len(rows), sum(SECRET in data for (data,) in rows)
    finally:
        conn.close()


def expect_old_or_new(root: str) -> None:
    rows, secret = in_day(layout.db_path(root, DAY))
    assert (rows, secret) in ((EVENTS, EVENTS), (EVENTS, 0)), (rows, secret)
    assert next(one.state for one in verify.verify(root, [DAY])) in (verify.UNCHANGED, verify.REOPENED)
    (waiting,) = spool.waiting(root)
    spool.read(waiting)
    (one,) = json_files.files(root)
    json_files.read(one)
    with archives.alone(root, DAY):
        pass
    with open(archives.path_of(root, DAY), "rb") as file:
        packed = lzma.decompress(file.read())
    assert packed.startswith(b"SQLite format 3")


def kill(root: str, seed: int, rounds: int) -> None:
    """Each round: every place, a redaction that is killed at some moment, what must hold then, and the next one's
    clean-up."""
    chance = random.Random(seed)
    stopped = 0
    life = life_s(root, redact)
    for number in range(rounds):
        where = os.path.join(root, str(number))
        fill(where)
        child = victims.Child(where, number, redact)
        time.sleep(chance.uniform(0, life))
        status, _ = child.end(kill=True)
        assert status in (0, -signal.SIGKILL), status
        stopped += status != 0
        expect_old_or_new(where)
        redact(where, random.Random(0), lambda uid: None)
        assert erasing.finish(where, 10_000) == []
        assert left_of(where) == []
        assert in_day(layout.db_path(where, DAY)) == (EVENTS, 0)
        assert [one.state for one in verify.verify(where, [DAY])] == [verify.UNCHANGED]
        assert Tombstones.of(where).to_erase() == []
        litter = [path for path, _, names in os.walk(where) for name in names if name[0] == "." or "/." in path]
        assert [one for one in litter if not one.endswith("redactions")] == [], litter
    sys.stdout.write(f"{stopped}\n")


def life_s(root: str, act: Callable[..., None]) -> float:
    """How long a redaction lives that nobody kills: the shortest of some."""
    took = []
    for number in range(MEASURED):
        where = os.path.join(root, f"measured-{number}")
        fill(where)
        began = time.perf_counter()
        assert victims.Child(where, number, act).end()[0] == 0
        took.append(time.perf_counter() - began)
    return min(took)


def together(root: str, seed: int, writers: int, events: int) -> None:
    """Writers and readers go on while their day is redacted again and again: every event is stored or spooled, and at
    the end a last redaction leaves no byte."""

    def write(root: str, chance: random.Random, say: victims.Say) -> None:
        with Store(root) as store, store.bulk():
            for _ in range(events):
                victims.store_all(store, [event(chance.randrange(10**9))], say)

    def read(root: str, chance: random.Random, say: victims.Say) -> None:
        with Store(root) as store:
            for _ in range(events):
                store.search(Filter(), limit=20)
                assert store.count(Filter()).partitions.unreadable == ()

    def again(root: str, chance: random.Random, say: victims.Say) -> None:
        with Store(root) as store:
            for _ in range(max(events // 10, 3)):
                store.redact(WHAT)

    with Store(root) as store:
        store.append([event(n) for n in range(EVENTS)])
    fine, acknowledged = victims.together(root, seed, [write] * writers + [read] * writers + [again] * 2)
    assert fine
    redact(root, random.Random(0), lambda uid: None)
    with Store(root) as store:
        store.drain_spool()
        there = {bytes.fromhex(str(row["uid"])) for row in store.export(Filter())}
    assert acknowledged <= there and len(there) == len(acknowledged) + EVENTS
    assert left_of(root) == []


def main() -> None:
    root, seed, what, numbers = sys.argv[1], int(sys.argv[2]), sys.argv[3], [int(one) for one in sys.argv[4:]]
    (kill if what == "kill" else together)(root, seed, *numbers)


if __name__ == "__main__":
    main()
