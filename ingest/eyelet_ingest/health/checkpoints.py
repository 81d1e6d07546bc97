"""What stands in write-ahead logs and not in the files yet, checkpoints that failed, a SQLite that makes none."""

from collections.abc import Iterator

from eyelet_ingest.errors import PartitionError, RootError
from eyelet_ingest.health.finding import ERROR, OK, UNKNOWN, WARN, Finding, Patient
from eyelet_ingest.health.memory import NOTHING, is_in_memory
from eyelet_ingest.health.several import command, day_name, mib, plural, seen, some, there, unread
from eyelet_ingest.store import connect, examined, layout
from eyelet_ingest.store.layout import DAY_US
from eyelet_ingest.store.metrics import Checkpointing, Metrics

LATELY_US = DAY_US  # failures before that are no news


def check(patient: Patient) -> Iterator[Finding]:
    if is_in_memory(patient):
        yield NOTHING
        return
    waiting, figures = _waiting(patient)
    failed, ran = _failed(patient)
    bad = [*some(waiting), *some(failed), *_too_old()]
    yield from bad
    if not bad:
        pages, days = int(figures["waiting_frames"]), int(figures["waiting_days"])
        message = f"{plural(pages, 'page')} of {plural(days, 'day')} wait in WALs" if days else "nothing waits"
        message += f" ({seen(figures['days'], figures['of_days'])})" if figures["days"] < figures["of_days"] else ""
        yield Finding(OK, message, evidence={**figures, **ran})


def _waiting(patient: Patient) -> tuple[list[Finding], dict[str, int]]:
    """The days of which much stands in their WAL alone, or whose WAL cannot be read; and the figures of all."""
    keys = there(patient)
    sums = dict.fromkeys(("days", "waiting_days", "waiting_frames", "waiting_bytes"), 0)
    bad: list[Finding] = []
    for key in keys:
        if patient.is_late and sums["days"]:
            break
        sums["days"] += 1
        path = layout.db_path(patient.root, key)
        try:
            waits = examined.waiting(path)
        except PartitionError as trouble:
            bad += unread(patient, key, "the WAL", trouble)
            continue
        sums["waiting_days"] += bool(waits.bytes)
        sums["waiting_frames"] += waits.frames - (waits.moved or 0)
        sums["waiting_bytes"] += waits.bytes
        if (status := _status(patient, waits.bytes)) != OK:
            message = f"{mib(waits.bytes)} in the WAL of {day_name(key)} are not in its file"
            evidence = {"frames": waits.frames, "moved_frames": waits.moved, "waiting_bytes": waits.bytes}
            fix = command(patient, "checkpoint", "--context", key.context, "--day", key.date)
            bad.append(Finding(status, message, fix, evidence, day=key))
    return bad, sums | {"of_days": len(keys)}


def _status(patient: Patient, size: int) -> str:
    if size > patient.limit("wal_error_mib") * 2**20:
        return ERROR
    return WARN if size > patient.limit("wal_warn_mib") * 2**20 else OK


def _failed(patient: Patient) -> tuple[list[Finding], dict[str, object]]:
    """The days whose last checkpoint failed lately; and how many ran, and were hindered."""
    try:
        with Metrics(patient.root) as metrics:
            ran = metrics.checkpoints(patient.now_us - LATELY_US, patient.now_us + 1)
    except RootError as trouble:
        return [Finding(UNKNOWN, f"which checkpoints failed is not known: {trouble.reason}", trouble.hint)], {}
    last: dict[tuple[str, str], Checkpointing] = {}
    for one in ran:  # the newest first
        last.setdefault((one.context, one.day), one)
    failed = []
    for one in last.values():
        if one.error:
            message = f"the last checkpoint of {one.context}/{one.day} failed: {one.error}"
            fix = command(patient, "checkpoint", "--context", one.context, "--day", one.day)
            failed.append(Finding(WARN, message, fix, {"by": one.by, "mode": one.mode, "wal_bytes": one.wal_bytes}))
    return failed, {"ran_in_24_h": len(ran), "hindered_in_24_h": sum(one.busy for one in ran)}


def _too_old() -> list[Finding]:
    version = connect.driver().sqlite_version
    if connect.may_checkpoint(version):
        return []
    message = (
        f"SQLite {version} may lose rows when it checkpoints while others write, so none are made by themselves and "
        "WALs grow"
    )
    return [Finding(WARN, message, "pip install 'pysqlite3>=0.6', or SQLite 3.51.3 or later", {"sqlite": version})]
