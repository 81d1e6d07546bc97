"""Empty pages in days: room on the disk that a day keeps for itself, though nothing is in it."""

from collections.abc import Iterator

from eyelet_ingest.errors import PartitionError
from eyelet_ingest.health.finding import OK, WARN, Finding, Patient
from eyelet_ingest.health.several import command, day_name, mib, seen, some, there, unread
from eyelet_ingest.store import examined, layout

LEAST_EMPTY_BYTES = 2**20  # less is not worth writing a day anew


def check(patient: Patient) -> Iterator[Finding]:
    bad: list[Finding] = []
    looked, bytes_there, bytes_empty = 0, 0, 0
    keys = there(patient)
    for key in keys:
        if patient.is_late and looked:
            break
        try:
            pages = examined.pages(layout.db_path(patient.root, key))
        except PartitionError as trouble:
            bad += unread(patient, key, "the number of pages", trouble)
            continue
        looked += 1
        empty = pages.empty * pages.bytes_each
        bytes_there += pages.count * pages.bytes_each
        bytes_empty += empty
        if pages.empty_percent >= patient.limit("fragmented_warn_percent") and empty >= LEAST_EMPTY_BYTES:
            message = f"{pages.empty_percent:.0f} % of {day_name(key)} are empty pages, {mib(empty)}"
            evidence = {"pages": pages.count, "empty_pages": pages.empty, "empty_bytes": empty}
            bad.append(Finding(WARN, message, command(patient, "vacuum", day_name(key)), evidence, day=key))
    yield from some(bad)
    if not bad:
        evidence = {"days": looked, "of_days": len(keys), "bytes": bytes_there, "empty_bytes": bytes_empty}
        yield Finding(
            OK, f"{mib(bytes_empty)} empty of {mib(bytes_there)} in {seen(looked, len(keys))}", evidence=evidence
        )
