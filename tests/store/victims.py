"""The program that the proofs with processes run: it forks writers and readers of one root, and kills them.

`python victims.py ROOT FLAVOUR SEED WHAT …` in a process of its own, so that the tests' one is never forked. What every
child acknowledged is printed as hexadecimal uids, one a line; what went wrong in a child goes to stderr, and exit
status 1 says so. Flavours: `wal`; `network`, where a roll-back journal has to do; `old`, a SQLite with the WAL-reset
bug where the standard library has one; `noflock`, a file system without flock.
"""

import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator

FLAVOUR = sys.argv[2] if __name__ == "__main__" else "wal"
if FLAVOUR == "old":
    sys.modules["pysqlite3"] = None  # type: ignore[assignment]

from eyelet_ingest.events import Event  # noqa: E402  after the choice of SQLite
from eyelet_ingest.store import checkpoint, connect, journal, layout, schema, spool, writer, writers  # noqa: E402, F401
from eyelet_ingest.store.select import Filter  # noqa: E402
from eyelet_ingest.store.store import Store  # noqa: E402

if FLAVOUR == "network":
    journal.on_network = lambda path: True
elif FLAVOUR == "noflock":
    connect.fcntl = None  # type: ignore[assignment]

DAY = layout.PartitionKey("default", 2026, 79)
MIDNIGHT_US = DAY.bounds_us[1]
SPOOLED_AT_ONCE = 40
LIFE_S = 0.03  # the longest life of a victim

Say = Callable[[bytes], None]
Act = Callable[[str, random.Random, Say], None]


def event(time_us: int, **fields: object) -> Event:
    data = f'{{"x":"{"x" * 300}"}}'
    return Event(hook_type="Note", uid=os.urandom(16), time_us=time_us, data=data, **fields)  # type: ignore[arg-type]


def around_midnight(chance: random.Random) -> int:
    """Now before, now after, as from a clock that steps back; and often the very same time."""
    return MIDNIGHT_US + chance.choice((-1, 0, 0, 1, chance.randrange(-(10**6), 10**6)))


def batches(chance: random.Random) -> Iterator[list[Event]]:
    while True:
        yield [event(around_midnight(chance)) for _ in range(chance.choice((1, 1, 1, 25)))]


def store_all(store: Store, events: list[Event], say: Say) -> None:
    """As every way in does: what is refused is spooled, and both are acknowledged."""
    done = store.append(events)
    for refused in done.refused:
        for one in refused.events:
            spool.put(store.root, refused.key, "default", writer.row_of(one), str(refused.error))
    for one in events:
        say(one.uid)


def append(root: str, chance: random.Random, say: Say) -> None:
    with Store(root) as store:
        for events in batches(chance):
            store_all(store, events, say)


def append_in_bulk(root: str, chance: random.Random, say: Say) -> None:
    with Store(root) as store, store.bulk():
        for events in batches(chance):
            store_all(store, events, say)


def create(root: str, chance: random.Random, say: Say) -> None:
    with Store(root) as store:
        while True:
            key = layout.PartitionKey("default", 2030, chance.randrange(1, 366))
            store_all(store, [event(key.bounds_us[0])], say)


def migrate(root: str, chance: random.Random, say: Say) -> None:
    """The days that `make_old` left are brought up by whoever writes to them first."""
    with Store(root) as store:
        days = [key for key in store.catalog.partitions() if key.year == 2028]
        while True:
            key = days[-1] if chance.random() < 0.5 else chance.choice(days)
            store_all(store, [event(key.bounds_us[0])], say)


def drain(root: str, chance: random.Random, say: Say) -> None:
    with Store(root) as store:
        while store.drain_spool().left:
            pass


def put(root: str, chance: random.Random, say: Say) -> None:
    while True:
        one = event(MIDNIGHT_US)
        spool.put(root, layout.key_for("default", one.time_us), "default", writer.row_of(one), "the proof")
        say(one.uid)


def check_point(root: str, chance: random.Random, say: Say) -> None:
    with Store(root) as store, store.bulk():
        for events in batches(chance):
            store_all(store, events, say)
            for done in store.checkpoint(mode=chance.choice(checkpoint.MODES)):
                assert not done.error or done.busy, done


ROLES: tuple[Act, ...] = (append, append_in_bulk, create, migrate, drain, put, check_point)


def make_old(root: str, number: int, say: Say) -> None:
    """A day as the first version left it, with one event."""
    key = layout.PartitionKey("default", 2028, number % 366 + 1)
    path = layout.db_path(root, key)
    if os.path.exists(path):
        return
    with connect.FileLock(layout.lock_path(root, key), time.monotonic_ns() + 10**10):
        conn = connect.open_writer(path)
        facts = {"context": "default", "given": "default", "start_us": key.bounds_us[0], "end_us": key.bounds_us[1]}
        one = event(key.bounds_us[0])
        row = writer.row_of(one)
        with connect.transaction(conn):
            for statement in schema.STEPS[0]:
                conn.execute(statement)
            conn.executemany("insert into eyelet_partition values (?, ?)", list(facts.items()))
            conn.execute(schema.INSERT, (row[1], row[0], 1, row[1] / 1e6, *row[2:]))
            conn.execute("pragma user_version = 1")
        conn.close()
    say(one.uid)


def spool_some(root: str, chance: random.Random, say: Say) -> None:
    for _ in range(SPOOLED_AT_ONCE):
        one = event(around_midnight(chance))
        spool.put(root, layout.key_for("default", one.time_us), "default", writer.row_of(one), "the proof")
        say(one.uid)


class Child:
    """A forked process that acts until it is done or killed, and what it said."""

    def __init__(self, root: str, seed: int, act: Act, go: tuple[int, int] | None = None) -> None:
        reading, writing = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            status = 1
            try:
                os.close(reading)
                if go:
                    os.close(go[1])
                    os.read(go[0], 1)  # until the parent closes its end: all begin at once
                act(root, random.Random(seed), lambda uid: _say(writing, uid))
                status = 0
            except BaseException:  # noqa: BLE001  a forked child must not go on as its parent
                os.write(2, traceback.format_exc().encode())
            os._exit(status)
        os.close(writing)
        self.reading = reading

    def rest(self, chance: random.Random) -> None:
        """Now and then it is stopped where it stands, with whatever locks it holds, and goes on."""
        if chance.random() < 0.2:
            os.kill(self.pid, signal.SIGSTOP)
            time.sleep(chance.uniform(0, LIFE_S))
            os.kill(self.pid, signal.SIGCONT)
            time.sleep(chance.uniform(0, LIFE_S / 4))

    def end(self, kill: bool = False) -> tuple[int, set[bytes]]:
        """Its exit status or minus its signal, and the uids it acknowledged."""
        if kill:
            os.kill(self.pid, signal.SIGKILL)
        said = b""
        while part := os.read(self.reading, 1 << 16):
            said += part
        os.close(self.reading)
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        whole = len(said) - len(said) % 16
        return status, {said[at : at + 16] for at in range(0, whole, 16)}


def _say(handle: int, uid: bytes) -> None:
    os.write(handle, uid)


def killed(root: str, seed: int, kills: int, at_once: int) -> tuple[bool, set[bytes]]:
    """Kill `kills` children in groups of `at_once` that work at the same time, each at a moment of its own."""
    chance = random.Random(seed)
    acknowledged: set[bytes] = set()
    for number in range(0, kills, at_once):
        make_old(root, number // at_once, acknowledged.add)
        if len(spool.waiting(root, SPOOLED_AT_ONCE)) < SPOOLED_AT_ONCE:
            spool_some(root, chance, acknowledged.add)
        # One drains in every group: it is quick, and seldom killed at the few moments that matter.
        roles = [drain, *(chance.choice(ROLES) for _ in range(at_once - 1))]
        children = [Child(root, chance.getrandbits(32), role) for role in roles]
        for child in chance.sample(children, len(children)):
            time.sleep(chance.uniform(0, LIFE_S / at_once))
            child.rest(chance)
            status, said = child.end(kill=True)
            if status not in (0, -signal.SIGKILL):
                return False, acknowledged
            acknowledged |= said
    return True, acknowledged


def together(root: str, seed: int, acts: list[Act]) -> tuple[bool, set[bytes]]:
    """Children that begin at once, and go on to their end."""
    go = os.pipe()
    children = [Child(root, seed + number, act, go) for number, act in enumerate(acts)]
    os.close(go[1])
    outcomes = [child.end() for child in children]
    os.close(go[0])
    return all(status == 0 for status, _ in outcomes), set().union(*(said for _, said in outcomes))


def storm(events: int) -> Act:
    """One writer's share: half of them hold their days open and write one event at a time."""

    def act(root: str, chance: random.Random, say: Say) -> None:
        with Store(root) as store:
            if chance.random() < 0.5:
                with store.bulk():
                    for _ in range(events):
                        store_all(store, [event(around_midnight(chance))], say)
            else:
                for at in range(0, events, 10):
                    store_all(store, [event(around_midnight(chance)) for _ in range(min(10, events - at))], say)

    return act


def first_of_the_day(root: str, chance: random.Random, say: Say) -> None:
    with Store(root) as store:
        store_all(store, [event(layout.PartitionKey("default", 2031, 1).bounds_us[0])], say)


def read(questions: int) -> Act:
    """One reader's share: nothing it has seen goes away, and no day hinders it."""

    def act(root: str, chance: random.Random, say: Say) -> None:
        with Store(root) as store:
            seen = 0
            for _ in range(questions):
                page = store.search(Filter(), limit=20)
                found = store.count(Filter())
                assert page.partitions.unreadable == found.partitions.unreadable == ()
                assert found.count >= seen, (found.count, seen)
                seen = found.count

    return act


def main() -> None:
    root, seed, what, numbers = sys.argv[1], int(sys.argv[3]), sys.argv[4], [int(one) for one in sys.argv[5:]]
    if what == "kill":
        fine, acknowledged = killed(root, seed, *numbers)
    elif what == "storm":
        fine, acknowledged = together(root, seed, [storm(numbers[1])] * numbers[0])
    elif what == "create":
        fine, acknowledged = together(root, seed, [first_of_the_day] * numbers[0])
    else:
        readers, questions, some, events = numbers
        fine, acknowledged = together(root, seed, [read(questions)] * readers + [storm(events)] * some)
    sys.stdout.write("\n".join(sorted(uid.hex() for uid in acknowledged)))
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
