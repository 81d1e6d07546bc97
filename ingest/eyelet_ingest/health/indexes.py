"""Which indexes of days answered questions, as the figures say (docs/metrics.md), and what those cost that did not.

An index of ours that nobody's questions used is told, not warned of: the schema is the same for everybody. One that a
recent day lacks is a warning, as each question that would use it reads the day whole.
"""

from collections import Counter
from collections.abc import Iterator

from eyelet_ingest.errors import PartitionError, RootError
from eyelet_ingest.health.finding import OK, UNKNOWN, WARN, Finding, Patient
from eyelet_ingest.health.several import command, mib, plural, there
from eyelet_ingest.store import examined, layout, schema
from eyelet_ingest.store.layout import DAY_US, PartitionKey
from eyelet_ingest.store.metrics import Metrics

LOOKED_BACK_US = 30 * DAY_US
RECENT_DAYS = 30  # whose indexes are looked for
LEAST_QUESTIONS = 1_000  # of fewer it cannot be told what is of no use
# Used otherwise than by the questions that are counted: the order of arrival by live pages, text index and sync; who
# bears a call's identifier, and records of several calls, by lists of calls.
NOT_COUNTED = frozenset(("hooks_arrived", "hooks_several", "hooks_tool_use"))


def check(patient: Patient) -> Iterator[Finding]:
    keys = there(patient)[:RECENT_DAYS]
    missing, foreign = _missing(patient, keys)
    for name, days in sorted(missing.items()):
        message = f"{plural(days, 'recent day')} without the index {name}: questions read them whole"
        fix = command(patient, "doctor", "--check", "schema", "--fix")
        yield Finding(WARN, message, fix, {"index": name, "days": days})
    try:
        with Metrics(patient.root) as metrics:
            used = metrics.indexes(patient.now_us - LOOKED_BACK_US, patient.now_us + 1)
    except RootError as trouble:
        yield Finding(UNKNOWN, f"which indexes are used cannot be read: {trouble.reason}", trouble.hint)
        return
    yield _used(patient, keys, used, foreign)


def _used(patient: Patient, keys: list[PartitionKey], used: dict[str, int], foreign: set[str]) -> Finding:
    asked = sum(used.values())
    evidence: dict[str, object] = {"asked": asked, "used": used, "foreign": sorted(foreign), "days": 30}
    if not asked:
        return Finding(OK, "no question was recorded yet that tells which indexes are used", evidence=evidence)
    if asked < LEAST_QUESTIONS:
        message = (
            f"{len([name for name in used if name])} used in {asked:,} looks at days: too few to tell of the others"
        )
        return Finding(OK, message, evidence=evidence)
    idle = [name for name in schema.index_statements() if not used.get(name) and name not in NOT_COUNTED]
    sizes = _sizes(patient, keys)
    costs = {name: sizes[name] for name in (*idle, *sorted(foreign)) if name in sizes}
    evidence |= {"unused": idle, "bytes_in_newest_day": costs}
    counted = len([name for name in used if name])
    if not idle and not foreign:
        return Finding(OK, f"all of {plural(counted, 'index').replace('indexs', 'indexes')} used", evidence=evidence)
    parts = []
    if idle:
        said = ", ".join(
            f"{name} ({mib(costs[name])} in the newest finished day)" if name in costs else name for name in idle
        )
        parts.append(f"not used in 30 days: {said}")
    if foreign:
        parts.append(f"made by others: {', '.join(sorted(foreign))}")
    return Finding(OK, "; ".join(parts), evidence=evidence)


def _missing(patient: Patient, keys: list[PartitionKey]) -> tuple[Counter[str], set[str]]:
    """How many of these days lack which index of theirs; and the indexes that others made."""
    expected = examined.Expected()
    ours = schema.index_statements()
    missing: Counter[str] = Counter()
    foreign: set[str] = set()
    for key in keys:
        if patient.is_late:
            break
        try:
            shape = examined.shape(layout.db_path(patient.root, key), expected)
        except PartitionError:
            continue  # the check `schema` says so
        if shape is not None and not shape.columns_missing:
            missing.update(name for name in shape.missing if name in ours)
            foreign.update(shape.foreign_indexes)
    return missing, foreign


def _sizes(patient: Patient, keys: list[PartitionKey]) -> dict[str, int]:
    """About what each index takes in the newest day that is over."""
    for key in keys:
        if key.bounds_us[1] <= patient.now_us:
            try:
                return examined.index_bytes(layout.db_path(patient.root, key), patient.until_s)
            except PartitionError:
                return {}
    return {}
