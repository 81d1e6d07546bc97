"""the extension in C, which SQL over all days is quick by: whether it is built, is of these sources, and loads."""

import os
from collections.abc import Iterator

from eyelet_ingest import extension
from eyelet_ingest.commands import python
from eyelet_ingest.extension import build
from eyelet_ingest.health.finding import OK, WARN, Finding, Patient
from eyelet_ingest.store import connect

HOW = "-m eyelet_ingest.extension.build"
FALLBACK = "SQL over all days reaches the newest ten only, and searches go on as ever"


def check(patient: Patient) -> Iterator[Finding]:
    path = extension.path_of_built()
    evidence: dict[str, object] = {"path": path or os.path.join(extension.FOLDER, extension.NAME)}
    reason = extension.why_not(path)
    if not reason:
        conn = connect.open_memory()
        try:
            reason = connect.load_extension(conn).removeprefix("the extension cannot be loaded: ")
        finally:
            conn.close()
    if reason:
        why = reason.partition(" (")[0]
        yield Finding(WARN, f"there is no extension in C: {why}; {FALLBACK}", _remedy(reason), evidence)
    elif not _is_current():
        message = "the extension in C is older than its sources: what was mended in them since does not hold"
        yield Finding(WARN, message, python(HOW), evidence)
    else:
        yield Finding(OK, "the extension in C is built, of these sources, and loads", "", evidence)


def _remedy(reason: str) -> str:
    """What helps: the hint of the reason where it is another than to build it."""
    hint = reason.partition(" (")[2].removesuffix(")")
    if not hint or extension.HOW in hint:
        return python(HOW)
    return hint


def _is_current() -> bool:
    try:
        return build.is_current()
    except OSError:
        return False
