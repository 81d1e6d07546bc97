"""The program of the proofs about days that are kept: who seals, writes anew, archives and lends is forked, and killed.

`python keepers.py ROOT kill SEED ROUNDS` or `… together SEED WRITERS READERS EVENTS`, in a process of its own, so that
the tests' one is never forked. Exit status 1 and a line on stderr where something that was acknowledged is lost.
"""

import random
import sys
import time

from victims import Act, Child, Say, event

from eyelet_ingest.errors import PartitionBusy, PartitionUnreadable
from eyelet_ingest.store import archives, connect, layout, sealing, unpacking, verify
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

DAYS = [PartitionKey("default", 2026, day) for day in (79, 80, 81)]
LIFE_S = 0.12  # the longest life of a victim
NOTES = 20


def filled(root: str) -> set[bytes]:
    """Three days of thirty events, each with a table of another program; what they hold."""
    acknowledged = set()
    with Store(root) as store:
        for key in DAYS:
            events = [event(key.bounds_us[0] + n * 1_000_000) for n in range(30)]
            store.append(events)
            acknowledged |= {one.uid for one in events}
            with store.connection(key) as lent, lent.writing() as conn:
                conn.execute("create table notes (text, hook integer references hooks(id) on delete cascade)")
                conn.execute(f"insert into notes select src, id from hooks limit {NOTES}")
                conn.execute("create virtual table found using fts5(text, content=notes)")
    return acknowledged


def seal(store: Store, key: PartitionKey) -> None:
    sealing.seal(store.root, key)


def write_anew(store: Store, key: PartitionKey) -> None:
    store.vacuum(key)


def archive(store: Store, key: PartitionKey) -> None:
    store.archive(key)


def retire(store: Store, key: PartitionKey) -> None:
    store.archive(key, remove=True)


def restore(store: Store, key: PartitionKey) -> None:
    if not connect.is_there(layout.db_path(store.root, key)):
        store.restore_archive(key)


def lend(store: Store, key: PartitionKey) -> None:
    with store.connection(key) as lent, lent.writing() as conn:
        conn.execute("update notes set text = text || 'x'")


def check_point(store: Store, key: PartitionKey) -> None:
    store.checkpoint(key, "truncate")


WORKS = (seal, write_anew, archive, retire, restore, lend, check_point)


def keeping(root: str, chance: random.Random, say: Say) -> None:
    """One thing after another, until killed."""
    while True:
        keep(root, chance)


def keep(root: str, chance: random.Random) -> None:
    with Store(root) as store:
        try:
            chance.choice(WORKS)(store, chance.choice(DAYS))
        except (PartitionBusy, sealing.Changed):
            raise
        except PartitionUnreadable as bad:
            if not any(sign in str(bad) for sign in ("no such", "No such", "removed meanwhile")):
                raise


def held(root: str, key: PartitionKey) -> tuple[set[bytes], int]:
    """The uids and the notes of a day, or of its archive where only that is there; each intact."""
    path = layout.db_path(root, key)
    if connect.is_there(path):
        return contents(path)
    with archives.alone(root, key), unpacking.unpacked(root, key) as (name, _):
        return contents(name)


def contents(path: str) -> tuple[set[bytes], int]:
    conn = connect.open_reader(path)
    try:
        assert conn.execute("pragma integrity_check").fetchall() == [("ok",)], path
        uids = {uid for (uid,) in conn.execute("select uid from hooks")}
        return uids, conn.execute("select count(*) from notes").fetchone()[0]
    finally:
        conn.close()


def complain(what: object) -> None:
    sys.stderr.write(f"{what}\n")


def killed(root: str, seed: int, rounds: int) -> bool:
    chance = random.Random(seed)
    acknowledged = filled(root)
    for number in range(rounds):
        child = Child(root, chance.getrandbits(32), keeping)
        time.sleep(chance.uniform(0, LIFE_S))
        if child.end(kill=True)[0] >= 0:
            return False
        if (number % 5 == 4 or number == rounds - 1) and not whole(root, acknowledged):
            return False
    return True


def whole(root: str, acknowledged: set[bytes]) -> bool:
    """Whether every event and every note is there, and every seal holds."""
    found: set[bytes] = set()
    for key in DAYS:
        uids, notes = held(root, key)
        if notes != NOTES:
            complain(f"{key}: {notes} notes")
            return False
        found |= uids
    with Store(root) as store:
        bad = [one for one in store.verify() if one.state in verify.BAD]
    for one in bad:
        complain(one)
    if found != acknowledged:
        complain(f"{len(acknowledged - found)} lost, {len(found - acknowledged)} too many")
    return found == acknowledged and not bad


def writing(events: int) -> Act:
    def act(root: str, chance: random.Random, say: Say) -> None:
        with Store(root) as store:
            for _ in range(events):
                one = event(chance.choice(DAYS).bounds_us[0] + chance.randrange(3_600_000_000))
                assert not store.append([one]).refused
                say(one.uid)

    return act


def reading(questions: int) -> Act:
    def act(root: str, chance: random.Random, say: Say) -> None:
        with Store(root) as store:
            for _ in range(questions):
                assert store.search(Filter(), limit=20).partitions.unreadable == ()
                assert store.count(Filter()).partitions.unreadable == ()
                time.sleep(0.005)

    return act


def keeping_on(times: int) -> Act:
    """Seals, writes anew and archives; now and then a day goes and comes back, with what was written meanwhile."""

    def act(root: str, chance: random.Random, say: Say) -> None:
        with Store(root) as store:
            for _ in range(times):
                key = chance.choice(DAYS)
                try:
                    chance.choice((seal, write_anew, archive, retire, check_point))(store, key)
                    if chance.random() < 0.5 and archives.is_archived(root, key):
                        store.restore_archive(key)
                except PartitionBusy:
                    pass
                except PartitionUnreadable as bad:
                    # A day that came back with a table is not merged with another that has one.
                    if not any(sign in str(bad) for sign in ("no such", "No such", "removed meanwhile", "tables of")):
                        raise

    return act


def together(root: str, seed: int, writers: int, readers: int, events: int) -> bool:
    from victims import together as let_loose

    with Store(root) as store:
        before = [event(key.bounds_us[0] + n) for key in DAYS for n in range(10)]
        store.append(before)
    acts = [writing(events)] * writers + [reading(events)] * readers + [keeping_on(max(6, events // 4))] * 2
    fine, said = let_loose(root, seed, acts)
    found = set()
    with Store(root) as store:
        for key in DAYS:
            if archives.is_archived(root, key):
                store.restore_archive(key)
            conn = connect.open_reader(layout.db_path(root, key))
            found |= {uid for (uid,) in conn.execute("select uid from hooks")}
            conn.close()
    lost = ({one.uid for one in before} | said) - found
    if lost:
        complain(f"{len(lost)} lost")
    return fine and not lost


def main() -> None:
    root, what, seed, numbers = sys.argv[1], sys.argv[2], int(sys.argv[3]), [int(one) for one in sys.argv[4:]]
    fine = killed(root, seed, *numbers) if what == "kill" else together(root, seed, *numbers)
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
