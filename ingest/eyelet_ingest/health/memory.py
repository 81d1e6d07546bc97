"""What checks of files say of a root in memory."""

from eyelet_ingest.health.finding import OK, Finding, Patient
from eyelet_ingest.store import layout

NOTHING = Finding(OK, "the root is in memory: there are no files to look at")


def is_in_memory(patient: Patient) -> bool:
    return patient.root.startswith(layout.MEMORY)
