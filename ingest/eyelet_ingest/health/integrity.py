"""Whether the files of the root are whole: days, what stands beside them, and with `full` archives and seals.

A quick look is `quick_check` of the days that changed since the last one, the newest first, until the time is over. A
full one is `integrity_check` of every day, and each sealed one against its seal. What was found is remembered by the
state of the file (`remembering.py`), so a look that was stopped is gone on with by the next.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from eyelet_ingest.errors import EyeletError, PartitionBusy
from eyelet_ingest.health import root_files
from eyelet_ingest.health.finding import ERROR, OK, UNKNOWN, Finding, Patient
from eyelet_ingest.health.remembering import Remembered
from eyelet_ingest.health.several import command, day_name, plural, restore, some, there
from eyelet_ingest.store import connect, examined, layout, verify
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.maintenance import state_of
from eyelet_ingest.store.metrics import Metrics

AGAIN = 3  # times that a day is held against its seal before it is called changed
NO_DATABASE = ("malformed", "not a database", "encrypted")  # what SQLite says where the file itself is the trouble
PART = 0.5  # of the time that is left, for one day of a quick look: a huge one must not take that of all others


@dataclass(slots=True)
class _Look:
    """One look: how many files there are, how many of them are known by now, and what is wrong."""

    files: int = 0
    known: int = 0
    remembered: int = 0
    bad: list[Finding] = field(default_factory=list)


def check(patient: Patient) -> Iterator[Finding]:
    look = _Look()
    with Metrics(patient.root) as metrics, Remembered(metrics, patient.now_us) as known:
        root_files.look(patient, known, look.bad)
        keys = there(patient)
        look.files = len(keys)
        _days(patient, keys, known, look)
        look.bad += _lost(patient, keys)
        if patient.is_full:
            archives = root_files.archives(patient)
            look.files += len(archives)
            for path in archives:
                if patient.is_late:
                    break
                _taken(look, *root_files.archive(patient, path, known))
    yield from some(look.bad, "file")
    evidence: dict[str, object] = {
        "files": look.files,
        "looked_at": look.known,
        "remembered": look.remembered,
        "full": patient.is_full,
    }
    if known.trouble:
        evidence["not_remembered"] = known.trouble
    if look.known < look.files and not look.bad:
        how = "--full" if patient.is_full else "--check integrity"
        message = f"{look.known:,} of {plural(look.files, 'file')} looked at until the time was over"
        yield Finding(UNKNOWN, message, f"{command(patient, 'doctor', *how.split())} goes on from there", evidence)
    elif not look.bad:
        yield Finding(OK, f"{plural(look.files, 'file')} whole, {look.remembered:,} as they were", evidence=evidence)


def check_day(patient: Patient, key: PartitionKey, full: bool) -> Finding:
    """What a look at one day finds, which is remembered; a day that is not there is unknown."""
    if not connect.is_there(layout.db_path(patient.root, key)):
        return Finding(UNKNOWN, f"there is no day {day_name(key)}", day=key, name="integrity")
    look = _Look(files=1)
    with Metrics(patient.root) as metrics, Remembered(metrics, patient.now_us) as known:
        for one, sealed in _sealed(patient, iter([key]), full):
            _taken(look, *_day(patient, one, sealed, known, full, patient.until_s))
    if look.bad:
        return look.bad[0]
    if not look.known:
        return Finding(UNKNOWN, f"{day_name(key)} is too large for the time there was", day=key)
    return Finding(OK, f"{day_name(key)} is whole", evidence={"full": full}, day=key)


def _days(patient: Patient, keys: list[PartitionKey], known: Remembered, look: _Look) -> None:
    """Look at these days until the time is over: those that are remembered cost next to nothing."""
    unknown = []
    for key in keys:
        said = known.of(day_name(key), state_of(layout.db_path(patient.root, key)), patient.is_full)
        if said is None:
            unknown.append(key)
            continue
        _taken(look, _damaged(patient, key, list(said.bad)) if said.bad else None, True)
        look.remembered += 1

    def in_time() -> Iterator[PartitionKey]:
        for key in unknown:
            if patient.is_late:
                return
            yield key

    for key, sealed in _sealed(patient, in_time(), patient.is_full):
        until_s = patient.until_s
        if not patient.is_full and until_s != float("inf"):
            until_s = time.monotonic() + (until_s - time.monotonic()) * PART
        _taken(look, *_day(patient, key, sealed, known, patient.is_full, until_s))


def _sealed(patient: Patient, keys: Iterator[PartitionKey], full: bool) -> Iterator[tuple[PartitionKey, str]]:
    """Each of these days, and what is wrong with it against its seal: nothing where it has none, or of a quick look."""
    if not full or patient.root.startswith(layout.MEMORY):
        yield from ((key, "") for key in keys)
        return
    for one in verify.verify(patient.root, keys):
        again = AGAIN
        while not one.is_good and again:  # it may have been sealed or removed since the register was read
            (one,) = verify.verify(patient.root, [one.key])
            again -= 1
        yield one.key, "" if one.is_good else f"{one.state}: {one.detail}"


def _day(
    patient: Patient, key: PartitionKey, sealed: str, known: Remembered, full: bool, until_s: float
) -> tuple[Finding | None, bool]:
    """What is wrong with one day, if anything, and whether it is known now."""
    path = layout.db_path(patient.root, key)
    state = state_of(path)
    try:
        bad = examined.damages(path, full=full, until_s=until_s)
    except (examined.OutOfTime, PartitionBusy):
        return None, False
    except EyeletError as trouble:
        if not connect.is_there(path):
            return None, True  # it was removed meanwhile
        if not any(sign in trouble.reason for sign in NO_DATABASE):  # no right to read, too many files open
            said = f"{day_name(key)} cannot be read: {trouble.reason}"
            return Finding(ERROR, said, trouble.hint, {"path": path}, day=key), True
        bad = [trouble.reason]
    if sealed:
        bad = [sealed, *bad]
    known.keep(day_name(key), state, full, bad)  # of the state before: what was written to meanwhile is read again
    return (_damaged(patient, key, bad) if bad else None), True


def _damaged(patient: Patient, key: PartitionKey, bad: list[str]) -> Finding:
    """`bad` begins with how it stands to its seal, where that is not well."""
    more = " (and more)" if len(bad) > 1 else ""
    fix = restore(patient, key)
    message = f"{day_name(key)} is damaged: {bad[0]}{more}"
    if any(bad[0].startswith(f"{state}: ") for state in verify.BAD):
        message = f"{day_name(key)} is not what was sealed, {bad[0]}{more}"
        fix = f"{command(patient, 'verify', day_name(key))}; then: {fix}"
    return Finding(ERROR, message, fix, {"damages": bad, "path": layout.db_path(patient.root, key)}, day=key)


def _lost(patient: Patient, keys: list[PartitionKey]) -> list[Finding]:
    """Days that were sealed and are gone, though no command of ours removed them; registers that cannot be read."""
    if patient.root.startswith(layout.MEMORY):
        return []
    try:
        gone = sorted(verify.sealed_keys(patient.root, verify.contexts(patient.root, keys)) - set(keys))
        lost = [one.key for one in verify.verify(patient.root, gone) if not one.is_good]
        said = [(key, what) for key, what in _sealed(patient, iter(lost), full=True) if what]
    except EyeletError as trouble:
        return [Finding(ERROR, f"the register of seals {trouble.path}: {trouble.reason}", trouble.hint)]
    return [Finding(ERROR, f"{day_name(key)} is gone, {what}", restore(patient, key), day=key) for key, what in said]


def _taken(look: _Look, bad: Finding | None, is_known: bool) -> None:
    look.known += is_known
    if bad is not None:
        look.bad.append(bad)
