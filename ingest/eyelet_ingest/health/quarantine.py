"""Records of files that could not be stored, and why."""

from collections.abc import Iterator

from eyelet_ingest import ledger
from eyelet_ingest.commands import runnable
from eyelet_ingest.errors import RootError
from eyelet_ingest.health.finding import ERROR, OK, WARN, Finding, Patient
from eyelet_ingest.health.several import plural
from eyelet_ingest.health.since import ago
from eyelet_ingest.store import alongside, layout

REASON_CHARS = 120
NAMED = 5


def check(patient: Patient) -> Iterator[Finding]:
    if patient.root.startswith(layout.MEMORY):
        yield Finding(OK, "nothing is in quarantine: the root is in memory")
        return
    for root in (patient.root, *alongside.roots_of(patient.root)):
        try:
            yield _of(patient, root)
        except RootError as bad:
            yield Finding(
                ERROR,
                f"{bad.path} cannot be read: {bad.reason}",
                fix=f"restore it from a backup, or move it away: imports then read all files again ({bad.path})",
                evidence={"path": bad.path},
            )


def _of(patient: Patient, root: str) -> Finding:
    found = ledger.overview(root)
    evidence: dict[str, object] = {"records": found.records}
    where = "" if root == patient.root else f" of {root}"
    if not found.records:
        return Finding(OK, f"nothing is in quarantine{where}", evidence=evidence)
    reasons = {reason[:REASON_CHARS]: count for reason, count in list(found.reasons.items())[:NAMED]}
    evidence |= {"files": found.files, "reasons": reasons, "newest_us": found.newest_us}
    mostly = next(iter(reasons), "")
    when = f", the newest {ago(patient.now_us, found.newest_us)}" if found.newest_us is not None else ""
    message = f"{plural(found.records, 'record')} of {plural(found.files, 'file')} could not be stored{where}{when}"
    status = WARN if found.records >= patient.limit("quarantine_warn") else OK
    fix = f"see them with {runnable('quarantine', root)}; mend the files and import them again, or forget them: --clear"
    return Finding(
        status, f"{message}; mostly: {mostly}" if mostly else f"{message}", fix if status != OK else "", evidence
    )
