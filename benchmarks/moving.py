"""How large days are as files, sealed, exported and archived, and what moving them costs, against plain tools.

Sizes are of the recordings below EYELET_REAL where it names a folder, and of generated events; both over the bytes of
their payloads. Each movement is measured in turn with what one would do by hand to the same day (`cp`, `gzip`, SQLite's
backup, VACUUM and `sha256sum`, `xz`, a plain INSERT), as often as --rounds says; the median ratio is printed.
`python benchmarks/moving.py [--rounds 5] [--events 20000]`
"""

import argparse
import gzip
import json
import lzma
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from eyelet_ingest.events import Event
from eyelet_ingest.store import archives, connect, export, importing, layout, schema, sealing, sync, transfer
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

KEY = layout.PartitionKey("default", 2026, 79)
WORDS = ("the", "file", "was", "read", "changed", "tests", "docs", "def", "return", "import", "class", "None", "git")
Step = Callable[[], object]


def generated(events: int, words: int) -> list[Event]:
    """Events whose payloads hold `words` words on the average, at a microsecond's distance."""
    chance = random.Random(20260320)
    found = []
    for number in range(events):
        text = " ".join(chance.choice(WORDS) + str(chance.randrange(50)) for _ in range(chance.randrange(2 * words)))
        command = f"pytest -q tests/test_{chance.randrange(400)}.py"
        data = {"tool_input": {"command": command}, "tool_response": {"stdout": text}, "n": number}
        time_us = KEY.bounds_us[0] + number * 1_000
        found.append(
            Event(
                uid=chance.randbytes(16),
                time_us=time_us,
                session_id=f"session-{number // 300:032d}",
                hook_type="PostToolUse",
                tool_name="Bash",
                src="claude.posttooluse.bash.pytest",
                data=json.dumps(data),
            )
        )
    return found


def sizes(name: str, store: Store, folder: str) -> None:
    """Bytes of all finished days as they are, sealed, exported and archived, over those of their payloads."""
    keys = [key for key in store.catalog.partitions() if sealing.is_finished(key, time.time_ns() // 1_000)]
    payload = 0
    for key in keys:
        conn = connect.open_reader(layout.db_path(store.root, key))
        payload += conn.execute("select coalesce(sum(length(cast(data as blob))), 0) from hooks").fetchone()[0]
        conn.close()
    written = sum(os.path.getsize(layout.db_path(store.root, key)) for key in keys)
    sealed = sum(store.seal(key).seal.bytes for key in keys)
    packed = sum(store.archive(key).archive_bytes for key in keys)
    out = os.path.join(folder, "sizes.jsonl.gz")
    export.write_file(store.export_lines(Filter()), out)
    shares = ", ".join(
        f"{what} {size / payload:.2f}"
        for what, size in (
            ("written", written),
            ("sealed", sealed),
            ("export", os.path.getsize(out)),
            ("archive", packed),
        )
    )
    print(f"sizes  {name:34} {payload / 1e6:7.1f} MB of payloads: {shares}", flush=True)


def real(root: str, folder: Path) -> bool:
    """Record what is below a folder of recordings; False where there is none."""
    if not folder.is_dir():
        return False
    command = ["-m", "eyelet_ingest.cli", "ingest", str(folder), "--root", root]
    subprocess.run([sys.executable, *command], check=True, capture_output=True)
    return True


def plain_rows(source: str, target: str) -> None:
    """The rows of a day into a plain file of the same schema, in one transaction."""
    with transfer.reading(source) as reader:
        conn = connect.open_writer(target)
        schema.bring_up(conn, target, KEY.context, KEY.context, KEY.bounds_us)
        with connect.transaction(conn):
            conn.executemany(schema.INSERT, transfer.rows_of(reader))
        conn.close()


def plain_export(source: str, target: str) -> None:
    """The rows of a day as JSON lines, gzip."""
    with transfer.reading(source) as reader, gzip.open(target, "wt", compresslevel=export.GZIP_LEVEL) as out:
        for row in transfer.rows_of(reader):
            out.write(json.dumps([row[0], row[1].hex(), *row[2:]]) + "\n")


def plain_import(source: str, target: str) -> None:
    conn = connect.open_writer(target)
    schema.bring_up(conn, target, KEY.context, KEY.context, KEY.bounds_us)
    with gzip.open(source, "rt") as lines, connect.transaction(conn):
        found = (json.loads(line) for line in lines)
        conn.executemany(schema.INSERT, ((row[0], bytes.fromhex(row[1]), *row[2:]) for row in found))
    conn.close()


def plain_backup(source: str, target: str) -> None:
    conn, copy = connect.open_reader(source), connect.driver().connect(target)
    conn.backup(copy)
    copy.close()
    conn.close()


def plain_seal(path: str) -> None:
    conn = connect.open_writer(path)
    for sql in ("pragma integrity_check", "analyze", "vacuum", "pragma wal_checkpoint(truncate)"):
        conn.execute(sql).fetchall()
    conn.close()
    subprocess.run(["sha256sum", path], check=True, capture_output=True)


def plain_archive(path: str, target: str) -> None:
    with open(path, "rb") as source, lzma.open(target, "wb", preset=archives.PRESET) as out:
        shutil.copyfileobj(source, out, 1 << 20)


class Bench:
    """One day of events, and both sides of each movement in a folder that is made anew each time."""

    def __init__(self, folder: str, events: list[Event]) -> None:
        self.folder, self.root = folder, os.path.join(folder, "root")
        with Store(self.root) as store:
            store.append(events)
        self.day = layout.db_path(self.root, KEY)
        self.packed, self.plain_packed = os.path.join(folder, "x.jsonl.gz"), os.path.join(folder, "plain.gz")
        self.export()
        plain_export(self.day, self.plain_packed)

    def new(self, name: str) -> str:
        path = os.path.join(self.folder, "new")
        shutil.rmtree(path, ignore_errors=True)
        os.mkdir(path)
        return os.path.join(path, name)

    def copied(self) -> str:
        root = self.new("root")
        shutil.copytree(self.root, root)
        return root

    def export(self) -> None:
        with Store(self.root) as store:
            export.write_file(store.export_lines(Filter()), self.packed)

    def bring(self, root: str) -> None:
        assert not importing.import_files(importing.Importing(root), [self.packed]).failed

    def movements(self) -> "list[tuple[str, str, Callable[[], Step], Callable[[], Step]]]":
        """Each with its name, that of the plain side, and for both what gets it ready and gives what is measured."""
        saved = os.path.join(self.folder, "saved")
        with Store(self.root) as store:
            store.backup(saved)

        def stored(what: "Callable[[Store], object]", root: str) -> None:
            with Store(root) as store:
                what(store)

        def copy() -> Step:
            return partial(shutil.copyfile, self.day, self.new("day.db"))

        return [
            (
                "export",
                "JSON lines, gzip",
                lambda: self.export,
                lambda: partial(plain_export, self.day, self.new("x.gz")),
            ),
            (
                "import",
                "JSON lines, gzip, INSERT",
                lambda: partial(self.bring, self.new("root")),
                lambda: partial(plain_import, self.plain_packed, self.new("day.db")),
            ),
            (
                "sync",
                "SELECT, INSERT",
                lambda: partial(sync.sync, self.new("root"), [self.root]),
                lambda: partial(plain_rows, self.day, self.new("day.db")),
            ),
            (
                "backup",
                "SQLite's backup",
                lambda: partial(stored, lambda store: store.backup(self.new("saved")), self.root),
                lambda: partial(plain_backup, self.day, self.new("day.db")),
            ),
            ("restore", "cp", lambda: partial(stored, lambda store: store.restore(saved), self.new("root")), copy),
            (
                "seal",
                "check, ANALYZE, VACUUM, sha256sum",
                lambda: partial(stored, lambda store: store.seal(KEY), self.copied()),
                lambda: partial(plain_seal, layout.db_path(self.copied(), KEY)),
            ),
            (
                "archive",
                "xz",
                lambda: partial(stored, lambda store: store.archive(KEY), self.copied()),
                lambda: partial(plain_archive, self.day, self.new("day.xz")),
            ),
        ]

    def measure(self, rounds: int) -> None:
        for name, other, ours, plain in self.movements():
            spent: list[tuple[float, float]] = []
            for number in range(rounds):
                both = [0.0, 0.0]
                for side in (0, 1) if number % 2 else (1, 0):
                    step = (ours, plain)[side]()
                    begun = time.perf_counter()
                    step()
                    both[side] = time.perf_counter() - begun
                spent.append((both[0], both[1]))
            ratio = statistics.median(mine / theirs for mine, theirs in spent)
            mine, theirs = (statistics.median(one[side] for one in spent) for side in (0, 1))
            print(
                f"moving {name:8} {mine * 1e3:7.0f} ms   {other:34} {theirs * 1e3:7.0f} ms   {ratio:5.2f}", flush=True
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--events", type=int, default=20_000)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name, words in (("generated, 25 words", 25), ("generated, 250 words", 250)):
            with Store(os.path.join(folder, str(words))) as store:
                store.append(generated(chosen.events, words))
                sizes(name, store, folder)
        recordings = os.environ.get("EYELET_REAL")
        if recordings and real(os.path.join(folder, "real"), Path(recordings)):
            with Store(os.path.join(folder, "real")) as store:
                sizes("recordings", store, folder)
        else:
            print("sizes  no recordings here: EYELET_REAL names their folder")
        Bench(os.path.join(folder, "bench"), generated(chosen.events, 60)).measure(chosen.rounds)


if __name__ == "__main__":
    main()
