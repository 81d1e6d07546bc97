"""Text indexes: what they lack, where they are wrong, and whether there is room for them.

Text is found all the same where an index lacks rows: by reading them, which takes longer.
"""

from collections.abc import Iterator
from dataclasses import replace

from eyelet_ingest.commands import runnable
from eyelet_ingest.errors import BadInput, PartitionError
from eyelet_ingest.health.finding import ERROR, OK, UNKNOWN, WARN, Finding, Patient
from eyelet_ingest.health.several import plural, some
from eyelet_ingest.store import text_index, text_room
from eyelet_ingest.store.layout import PartitionKey

BUILD_MS = 60_000  # for what a repair does at once; the server and commands go on
QUICK_DAYS = 62  # are looked at, the newest, unless everything is asked for


def check(patient: Patient) -> Iterator[Finding]:
    yield from _room(patient)
    keys = sorted(patient.store.catalog.partitions(), key=lambda key: key.bounds_us, reverse=True)
    asked = keys if patient.is_full else keys[:QUICK_DAYS]
    lacking: dict[PartitionKey, int] = {}
    looked = 0
    for key in asked:
        if looked and patient.is_late:
            break
        looked += 1
        try:
            lacks = text_index.lacking(patient.root, key)
        except PartitionError:
            continue  # that the day cannot be read is another check's
        if lacks:
            lacking[key] = lacks
    yield from _lag(patient, lacking, looked, len(keys))
    if patient.is_full:
        yield from _wrong(patient, keys)


def _room(patient: Patient) -> Iterator[Finding]:
    try:
        room = text_room.of(patient.root)
    except BadInput as bad:
        yield Finding(WARN, f"{bad.path}: {bad.reason}", f"set it to {bad.hint}, or unset it", {"variable": bad.path})
        return
    if room is not None and not room.is_enough:
        evidence = {"free_bytes": room.free, "kept_free_bytes": room.kept}
        fix = f"make room on the disk, or lower {text_room.KEPT_FREE}"
        yield Finding(WARN, f"no text is indexed now: {text_room.reason(room)}", fix, evidence)


def _lag(patient: Patient, lacking: dict[PartitionKey, int], looked: int, days: int) -> Iterator[Finding]:
    most = patient.limit("text_lag_warn_rows")
    behind = {key: rows for key, rows in lacking.items() if rows >= max(most, 1)}
    rows = sum(lacking.values())
    evidence: dict[str, object] = {"rows_lacking": rows, "days_lacking": len(lacking), "days_looked_at": looked}
    if looked < days:
        evidence["days"] = days
    yield from some([_behind(patient, key, count) for key, count in behind.items()])
    if not behind:
        seen = f"the newest {looked:,} of {days:,} days" if looked < days else plural(days, "day")
        lag = f", but for {plural(rows, 'row')}, which the next round takes in" if rows else ""
        yield Finding(
            OK, f"text indexes of {seen} hold what arrived{lag}" if days else "no day has text yet", "", evidence
        )


def _behind(patient: Patient, key: PartitionKey, rows: int) -> Finding:
    return Finding(
        WARN,
        f"the text index of {key.mount_name} lacks {plural(rows, 'row')}: these are found by reading, and slower",
        fix=runnable(f"text build {key.mount_name}", patient.root),
        evidence={"rows_lacking": rows},
        repair=None if text_index.is_sealed(patient.root, key) else lambda: _caught_up(patient, key),
        day=key,
    )


def _caught_up(patient: Patient, key: PartitionKey) -> str:
    done = text_index.catch_up(patient.root, key, BUILD_MS)
    left = text_index.lacking(patient.root, key)
    return f"{plural(done.rows, 'row')} indexed" + (f", {left:,} are left to the next round" if left else "")


def _wrong(patient: Patient, keys: list[PartitionKey]) -> Iterator[Finding]:
    """Each word of an index against the rows' texts: it takes as long as making the index."""
    wrong, checked = [], 0
    for key in keys:
        if checked and patient.is_late:
            break
        try:
            said = patient.store.text_check(key)
        except PartitionError as bad:
            wrong.append(
                Finding(UNKNOWN, f"the text index of {key.mount_name} could not be compared: {bad.reason}", day=key)
            )
            continue
        finally:
            checked += 1
        if said:
            wrong.append(_is_wrong(patient, key, said))
    yield from some(wrong)
    done = Finding(
        OK, f"text indexes of {plural(checked, 'day')} say what the rows say", "", {"days_compared": checked}
    )
    if checked < len(keys):
        message = (
            f"there was time to compare the text indexes of {checked:,} of {plural(len(keys), 'day')} with the rows"
        )
        yield replace(done, status=UNKNOWN, message=message, fix=runnable("text check", patient.root))
    elif not wrong:
        yield done


def _is_wrong(patient: Patient, key: PartitionKey, said: list[str]) -> Finding:
    sealed = text_index.is_sealed(patient.root, key)  # which would have to be sealed again: somebody decides that
    return Finding(
        ERROR,
        f"the text index of {key.mount_name} is wrong, so searches miss events there: {said[0][:200]}",
        fix=runnable(f"text rebuild {key.mount_name}", patient.root),
        evidence={"wrong": [one[:200] for one in said[:5]], "sealed": sealed},
        repair=None
        if sealed
        else lambda: f"{plural(patient.store.text_build(key, anew=True).rows, 'row')} indexed anew",
        day=key,
    )
