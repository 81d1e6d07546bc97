"""Write-ahead logs: how large each is, how long it waits to be brought into its file, and which reader keeps it."""

import os
import stat
from collections.abc import Iterator

from eyelet_ingest.errors import PartitionBusy, PartitionUnreadable
from eyelet_ingest.health import readers
from eyelet_ingest.health.finding import ERROR, OK, WARN, Finding, Patient
from eyelet_ingest.health.memory import NOTHING, is_in_memory
from eyelet_ingest.health.several import command, day_name, mib, plural, some
from eyelet_ingest.store import layout
from eyelet_ingest.store.holdings import ROOT_DATABASES
from eyelet_ingest.store.layout import PartitionKey

OF_ROOT = (*ROOT_DATABASES, "health.sqlite")


def check(patient: Patient) -> Iterator[Finding]:
    if is_in_memory(patient):
        yield NOTHING
        return
    bad, sizes = [], []
    for key in patient.store.catalog.partitions():
        path = layout.db_path(patient.root, key)
        size, age_s = _wal(path, patient.now_us)
        sizes.append(size)
        if (found := _of_day(patient, key, path, size, age_s)) is not None:
            bad.append(found)
    for name in OF_ROOT:
        size, _ = _wal(os.path.join(patient.root, name), patient.now_us)
        sizes.append(size)
        status = _status(patient, size)
        if status != OK:
            fix = "end what has it open; it is brought in when the last of them closes it"
            bad.append(Finding(status, f"the WAL of {name} is {mib(size)} large", fix, {"wal_bytes": size}))
    yield from some(bad)
    if not bad:
        there = [size for size in sizes if size]
        message = f"{plural(len(there), 'WAL')}, {mib(sum(there))} in all" if there else "nothing stands in a WAL"
        evidence = {"wals": len(there), "wal_bytes": sum(there), "largest_bytes": max(there, default=0)}
        yield Finding(OK, message, evidence=evidence)


def _of_day(patient: Patient, key: PartitionKey, path: str, size: int, age_s: float) -> Finding | None:
    status = _status(patient, size)
    is_old = size > 0 and age_s > patient.limit("wal_age_warn_s")
    if status == OK and not is_old:
        return None
    said = f"is {mib(size)} large" if status != OK else f"of {mib(size)} waits for {_spelt(age_s)}"
    kept = readers.of(path)
    by = (
        f"; {', '.join(str(one) for one in kept)} read{'s' if len(kept) == 1 else ''} what stands in it" if kept else ""
    )
    evidence = {
        "wal_bytes": size,
        "untouched_s": round(age_s),
        "readers": [{"pid": one.pid, "program": one.name} for one in kept],
    }
    fix = command(patient, "checkpoint", "truncate", "--context", key.context, "--day", key.date)
    if kept:
        # Not by their names, which are anybody's: this may be typed into a shell.
        fix = f"end {' and '.join(f'process {one.pid}' for one in kept)}, then: {fix}"

    def repair() -> str:
        (done,) = patient.store.checkpoint(key, "truncate")  # PASSIVE goes first, and waits for nobody
        if done.error:
            raise (PartitionBusy if done.busy else PartitionUnreadable)("checkpoint", path, done.error, "try again")
        left = ""
        if done.busy or done.moved_frames < done.wal_frames:
            left = "; others kept it from being emptied"
        elif done.mode != "truncate":
            left = "; this SQLite may not empty it"
        return f"brought {done.moved_frames:,} of {done.wal_frames:,} pages into the file{left}"

    return Finding(max(status, WARN, key=(OK, WARN, ERROR).index), f"the WAL of {day_name(key)} {said}{by}", fix,
                   evidence, repair, key)  # fmt: skip


def _status(patient: Patient, size: int) -> str:
    if size > patient.limit("wal_error_mib") * 2**20:
        return ERROR
    return WARN if size > patient.limit("wal_warn_mib") * 2**20 else OK


def _wal(path: str, now_us: int) -> tuple[int, float]:
    """The bytes of the WAL beside a database, and for how many seconds it has not been written; (0, 0) without one."""
    try:
        there = os.stat(layout.side_path(path, "-wal"))
    except OSError:
        return 0, 0.0
    if not stat.S_ISREG(there.st_mode):
        return 0, 0.0
    return there.st_size, max(0.0, now_us / 1e6 - there.st_mtime)


def _spelt(age_s: float) -> str:
    if age_s >= 172_800:
        return plural(int(age_s // 86_400), "day")
    return plural(int(age_s // 3_600), "hour") if age_s >= 7_200 else plural(int(age_s // 60), "minute")
