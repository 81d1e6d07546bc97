"""How many files this process has open, of those that it may, and what its connections did in the last day."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict

from eyelet_ingest import open_files
from eyelet_ingest.errors import RootError
from eyelet_ingest.health.finding import OK, UNKNOWN, WARN, Finding, Patient
from eyelet_ingest.store.layout import DAY_US
from eyelet_ingest.store.metrics import Metrics

FOLDERS = ("/proc/self/fd", "/dev/fd")  # an entry for each file that is open: Linux; macOS and the BSDs
LASTING = ("evictions", "replaced", "read_errors", "write_errors")


def check(patient: Patient) -> Iterator[Finding]:
    limit, count = limit_of_files(), open_now()
    evidence: dict[str, object] = {"open_files": count, "may_open": limit}
    evidence |= {f"connections_{name}": value for name, value in asdict(patient.store.counters()).items()
                 if name in ("open_now", *LASTING)}  # fmt: skip
    with suppress(RootError), Metrics(patient.root) as metrics:  # the check `integrity` says what is wrong with it
        lately = metrics.connections(patient.now_us - DAY_US, patient.now_us + 1)
        evidence |= {f"in_24_h_{name}": lately[name] for name in ("open_now", *LASTING) if name in lately}
    if count is None or not limit:
        yield Finding(UNKNOWN, "how many files are open is not told by this system", evidence=evidence)
        return
    said = f"{count:,} files open" + ("" if limit < 0 else f" of {limit:,} that this process may open")
    if limit > 0 and 100 * count > patient.limit("open_files_warn_percent") * limit:
        fix = f"ulimit -n {max(open_files.WANTED, 2 * limit)}, in the shell or service that starts it"
        yield Finding(WARN, said, fix, evidence)
        return
    yield Finding(OK, said, evidence=evidence)


def limit_of_files() -> int:
    """How many files this process may open; -1 for any number, 0 where that cannot be told."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return -1 if soft == resource.RLIM_INFINITY else soft


def open_now() -> int | None:
    """How many files this process has open; None where that cannot be told."""
    for folder in FOLDERS:
        with suppress(OSError):
            return len(os.listdir(folder)) - 1  # the listing itself
    return None
