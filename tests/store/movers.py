"""The program that the proofs of moving run: it kills imports, backups, restores and syncs, and looks at what is left.

`python movers.py FOLDER SEED ROUNDS WHAT` in a process of its own, so that the tests' one is never forked. What is
wrong is an AssertionError on stderr.
"""

import os
import random
import shutil
import sys
import time
from collections.abc import Callable
from functools import partial

from eyelet_ingest.store import backup, connect, export, importing, layout, restoring, sync
from eyelet_ingest.store.catalog import Catalog
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
from tests.store.victims import MIDNIGHT_US, Child, Say, event

LIFE_S = 0.25  # the longest life of a victim
CONTEXTS = ("one", "two")
Rows = dict[PartitionKey, dict[bytes, tuple[object, ...]]]


def fill(root: str, chance: random.Random, events: int) -> None:
    with Store(root) as store:
        store.append_many(
            (chance.choice(CONTEXTS), event(MIDNIGHT_US + chance.randrange(-(10**9), 10**9))) for _ in range(events)
        )


def rows(root: str) -> Rows:
    """All that is in a root, each day intact, each uid once."""
    found: Rows = {}
    for key in Catalog(root).partitions():
        path = layout.db_path(root, key)
        if not os.path.exists(path):
            continue  # its maker was killed between the folder and the file
        conn = connect.open_reader(path)
        assert conn.execute("pragma integrity_check").fetchall() == [("ok",)], key
        if conn.execute("select count(*) from sqlite_master").fetchone()[0]:
            some = conn.execute("select uid, data, src, timestamp from hooks").fetchall()
            found[key] = {row[0]: row[1:] for row in some}
            assert len(found[key]) == len(some)
        conn.close()
    return found


def uids(found: Rows) -> set[tuple[PartitionKey, bytes]]:
    return {(key, uid) for key, some in found.items() for uid in some}


def write_on(root: str, chance: random.Random, say: Say) -> None:
    """Writes until it is killed."""
    with Store(root) as store, store.bulk():
        while True:
            one = event(MIDNIGHT_US + chance.randrange(-(10**9), 10**9))
            store.append([one], chance.choice(CONTEXTS))
            say(one.uid)


def kill(root: str, chance: random.Random, act: Callable[[], object]) -> None:
    """Let `act` live for a moment in a process of its own."""
    child = Child(root, chance.getrandbits(32), lambda *_: act())
    time.sleep(chance.uniform(0, LIFE_S))
    status, _ = child.end(kill=True)
    assert status <= 0, status


def importing_(folder: str, chance: random.Random, rounds: int) -> None:
    source, target, packed = f"{folder}/a", f"{folder}/b", f"{folder}/x.jsonl.gz"
    fill(source, chance, 6_000)
    with Store(source) as store:
        export.write_file(store.export_lines(Filter()), packed)
    whole = rows(source)
    for number in range(rounds):
        if number % 8 == 7:
            shutil.rmtree(target, ignore_errors=True)
        kill(folder, chance, lambda: importing.import_files(importing.Importing(target), [packed]))
        for key, some in rows(target).items():
            assert some.items() <= whole[key].items()
    done = importing.import_files(importing.Importing(target), [packed])
    assert not done.failed and rows(target) == whole


def backing_up(folder: str, chance: random.Random, rounds: int) -> None:
    source, target = f"{folder}/a", f"{folder}/b"
    fill(source, chance, 3_000)
    begin = rows(source)
    backup.backup(Catalog(source), target, Catalog(source).partitions())
    writer = Child(source, chance.getrandbits(32), write_on)
    for _ in range(rounds):
        kill(folder, chance, lambda: backup.backup(Catalog(source), target, Catalog(source).partitions()))
        assert backup.verify(target).failed == []
        assert uids(begin) <= uids(rows(target))
    writer.end(kill=True)
    backup.backup(Catalog(source), target, Catalog(source).partitions())
    assert backup.verify(target).failed == []
    assert rows(target) == rows(source)


def restoring_(folder: str, chance: random.Random, rounds: int) -> None:
    source, saved, target = f"{folder}/a", f"{folder}/b", f"{folder}/c"
    fill(source, chance, 3_000)
    backup.backup(Catalog(source), saved, Catalog(source).partitions())
    new = rows(source)
    for _ in range(rounds):
        shutil.rmtree(target, ignore_errors=True)
        fill(target, chance, 200)
        old = rows(target)
        kill(folder, chance, lambda: restoring.restore(target, saved, None, replace=True))
        for key, some in rows(target).items():
            assert some in (old.get(key), new[key]), key
        assert not old.keys() - rows(target).keys()
        done = restoring.restore(target, saved, None, replace=True)
        assert done.failed == [] and rows(target) == new


def syncing(folder: str, chance: random.Random, rounds: int) -> None:
    one, two = f"{folder}/a", f"{folder}/b"
    fill(one, chance, 500)
    fill(two, chance, 500)
    writers = [Child(root, chance.getrandbits(32), write_on) for root in (one, two)]
    for _ in range(rounds):
        to, of = chance.sample((one, two), 2)
        kill(folder, chance, partial(sync.sync, to, [of]))
        assert len(rows(to)) >= 4
    said = set().union(*(child.end(kill=True)[1] for child in writers))
    for root, other in ((one, two), (two, one), (one, two)):
        (done,) = sync.sync(root, [other])
        assert done.failed == []
    assert uids(rows(one)) == uids(rows(two))
    assert said <= {uid for _, uid in uids(rows(one))}
    assert [done.stored for done in sync.sync(one, [two]) + sync.sync(two, [one])] == [0, 0]


WHAT = {"import": importing_, "backup": backing_up, "restore": restoring_, "sync": syncing}


def main() -> None:
    folder, seed, rounds, what = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    WHAT[what](folder, random.Random(seed), rounds)


if __name__ == "__main__":
    main()
