"""The program that the proofs of deletion run: it forks processes that delete, and kills them, or lets writers and
readers work on meanwhile.

`python removers.py ROOT SEED kill ROUNDS` or `… together WRITERS EVENTS`; see `victims.py`, whose children these are.
"""

import os
import random
import signal
import sys
import time
from collections.abc import Callable

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import victims

from eyelet_ingest.events import Event
from eyelet_ingest.store import connect, erasing, layout, spool, writer
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
from eyelet_ingest.store.tombstones import Tombstones

DAY = layout.PartitionKey("default", 2026, 79)
START_US, END_US = DAY.bounds_us
GOING, STAYING = "going-7c1e", "staying-4d2b"
EVENTS = 60
MEASURED = 3  # how often each deletion is let end, to know how long it lives on this machine at this moment


def event(n: int, session: str) -> Event:
    data = f'{{"prompt":"{session} {"x" * 200} {n}"}}'
    return Event(
        hook_type="Note",
        uid=os.urandom(16),
        time_us=START_US + n,
        session_id=session,
        data=data,
        project_dir=f"/{session}",
    )


def fill(root: str) -> None:
    """A day with events of two sessions, one of each in the spool."""
    with Store(root) as store:
        store.append([event(n, (GOING, STAYING)[n % 2]) for n in range(EVENTS)])
    for n, session in enumerate((GOING, STAYING)):
        one = event(EVENTS + n, session)
        spool.put(root, DAY, "default", writer.row_of(one), "the proof")


def delete_session(root: str, chance: random.Random, say: victims.Say) -> None:
    with Store(root) as store:
        store.delete(Filter(session_id=(GOING,)))


def delete_project(root: str, chance: random.Random, say: victims.Say) -> None:
    with Store(root) as store:
        store.delete(Filter(), projects=[f"/{GOING}"])


def delete_day(root: str, chance: random.Random, say: victims.Say) -> None:
    with Store(root) as store:
        store.delete(Filter(since_us=START_US, until_us=END_US))


def retire_day(root: str, chance: random.Random, say: victims.Say) -> None:
    with Store(root) as store:
        store.delete_older_than(END_US)


def counts(root: str) -> tuple[int, int]:
    """How many events of either session are recorded, in the day or in the spool or, for a moment, in both."""
    found: set[tuple[str, str]] = set()
    path = layout.db_path(root, DAY)
    if os.path.exists(path):
        conn = connect.open_reader(path)
        assert conn.execute("pragma integrity_check").fetchone() == ("ok",)
        found.update(conn.execute("select session_id, lower(hex(uid)) from hooks"))
        conn.close()
    for waiting in spool.waiting(root):
        _, _, row, _ = spool.read(waiting)
        found.add((row[2], row[0].hex()))
    sessions = [session for session, _ in found]
    return sessions.count(GOING), sessions.count(STAYING)


def left_of(root: str, text: str) -> list[str]:
    found = []
    for folder, _, names in os.walk(root):
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                if text.encode() in file.read():
                    found.append(os.path.join(folder, name))
    return found


def kill(root: str, seed: int, rounds: int) -> None:
    """Each round: a day, a deletion that is killed at some moment, what must hold then, and the next one's clean-up."""
    chance = random.Random(seed)
    whole = EVENTS // 2 + 1
    stopped = 0
    acts: tuple[Callable[..., None], ...] = (delete_session, delete_project, delete_day, retire_day)
    lives_s = {act: life_s(root, act) for act in acts}
    for number in range(rounds):
        where = os.path.join(root, str(number))
        fill(where)
        act = chance.choice(acts)
        child = victims.Child(where, number, act)
        time.sleep(chance.uniform(0, lives_s[act]))
        status, _ = child.end(kill=True)
        assert status in (0, -signal.SIGKILL), status
        stopped += status != 0
        lives_s[act] *= 1.1 if status else 0.8  # so that kills go on to hit a living one
        takes_all = act in (delete_day, retire_day)
        going, staying = counts(where)
        assert going in (0, whole), (act.__name__, going, staying)
        assert staying in ({whole} if not takes_all else {going}), (act.__name__, going, staying)
        finish(where, act, takes_all, whole)
    sys.stdout.write(f"{stopped}\n")


def life_s(root: str, act: Callable[..., None]) -> float:
    """How long a deletion lives that nobody kills: the shortest of some."""
    took = []
    for number in range(MEASURED):
        where = os.path.join(root, f"{act.__name__}-{number}")
        fill(where)
        began = time.perf_counter()
        assert victims.Child(where, number, act).end()[0] == 0
        took.append(time.perf_counter() - began)
    return min(took)


def finish(where: str, act: Callable[..., None], takes_all: bool, whole: int) -> None:
    """Whoever comes next finishes it, and nothing is left."""
    act(where, random.Random(0), lambda uid: None)
    assert erasing.finish(where, 10_000) == []
    assert counts(where) == (0, 0 if takes_all else whole)
    assert left_of(where, GOING) == []
    if takes_all:
        assert left_of(where, STAYING) == []
        assert not os.path.exists(os.path.join(where, "logs", "default"))
    assert Tombstones.of(where).to_erase() == []


def together(root: str, seed: int, writers: int, events: int) -> None:
    """Writers and readers go on while the day they write to is removed and rows of it are deleted, again and again:
    every event was stored or spooled, and what is not there was deleted."""

    def write(root: str, chance: random.Random, say: victims.Say) -> None:
        with Store(root) as store, store.bulk():
            for _ in range(events):
                one = event(chance.randrange(10**9), chance.choice((GOING, STAYING)))
                victims.store_all(store, [one], say)

    def read(root: str, chance: random.Random, say: victims.Say) -> None:
        with Store(root) as store:
            for _ in range(events):
                store.search(Filter(), limit=20)
                assert store.count(Filter()).partitions.unreadable == ()

    def remove(root: str, chance: random.Random, say: victims.Say) -> None:
        with Store(root) as store:
            for _ in range(max(events // 10, 3)):
                done = chance.choice((delete_session, delete_day))
                done(root, chance, say)
                store.drain_spool()

    fine, acknowledged = victims.together(root, seed, [write] * writers + [read] * writers + [remove] * 2)
    assert fine
    with Store(root) as store:
        store.drain_spool()
        there = {bytes.fromhex(str(row["uid"])) for row in store.export(Filter())}
    stones = Tombstones.of(root)
    dead = stones.dead("default", [(uid, START_US) for uid in acknowledged])
    assert acknowledged <= there | dead, len(acknowledged - there - dead)
    assert there & dead == set()


def main() -> None:
    root, seed, what, numbers = sys.argv[1], int(sys.argv[2]), sys.argv[3], [int(one) for one in sys.argv[4:]]
    (kill if what == "kill" else together)(root, seed, *numbers)


if __name__ == "__main__":
    main()
