"""What stands in write-ahead logs and not in the files yet, checkpoints that failed, a SQLite that makes none."""

from collections.abc import Iterator

from eyelet_ingest.errors import PartitionError, RootError
from eyelet_ingest.health.finding import ERROR, OK, UNKNOWN, WARN, Finding, Patient
from eyelet_ingest.health.memory import NOTHING, is_in_memory
from eyelet_ingest.health.several import command, day_name, mib, plural, some
from eyelet_ingest.store import connect, examined, layout
from eyelet_ingest.store.layout import DAY_US
from eyelet_ingest.store.metrics import Checkpointing, Metrics

LATELY_US = DAY_US  # failures before that are no news


def check(patient: Patient) -> Iterator[Finding]:
    if is_in_memory(patient):
        yield NOTHING
        return
    bad: list[Finding] = []
    lags: list[int] = []
    unmoved, looked = 0, 0
    keys = patient.store.catalog.partitions()
    for key in reversed(keys):
        if patient.is_late and looked:
            break
        looked += 1
        path = layout.db_path(patient.root, key)
        try:
            waits = examined.waiting(path) if connect.is_there(path) else examined.Waiting(0, 0, 0)
        except PartitionError as trouble:
            bad.append(Finding(UNKNOWN, f"the WAL of {day_name(key)} cannot be read: {trouble.reason}", day=key))
            continue
        if waits.bytes:
            lags.append(waits.bytes)
            unmoved += waits.frames - (waits.moved or 0)
        if (status := _status(patient, waits.bytes)) != OK:
            message = f"{mib(waits.bytes)} in the WAL of {day_name(key)} are not in its file"
            evidence = {"frames": waits.frames, "moved_frames": waits.moved, "waiting_bytes": waits.bytes}
            fix = command(patient, "checkpoint", "--context", key.context, "--day", key.date)
            bad.append(Finding(status, message, fix, evidence, day=key))
    yield from some(bad)
    troubles, ran = _failed(patient)
    yield from some(troubles)
    old = _too_old()
    yield from old
    if not (bad or troubles or old):
        evidence: dict[str, object] = {
            "days": looked,
            "of_days": len(keys),
            "waiting_days": len(lags),
            "waiting_frames": unmoved,
        } | ran
        message = f"{plural(unmoved, 'page')} of {plural(len(lags), 'day')} wait in WALs" if lags else "nothing waits"
        yield Finding(OK, message, evidence=evidence | {"waiting_bytes": sum(lags)})


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
