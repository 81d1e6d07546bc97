"""What explains that something was not recorded on this machine: when recording was paused, when hooks failed."""

import os
from math import inf

from eyelet_ingest import faults, pause, settings
from eyelet_ingest.store.completeness import Fault, Rest

WITHOUT_END_US = 2**60  # of a pause that goes on
KINDS = ("lost", "launcher", "elsewhere")  # after the others the event is where it should be


def known(home: str = "") -> tuple[list[Rest], list[Fault]]:
    """All that is remembered beside the settings, or in this `home`."""
    home = home or os.path.dirname(settings.global_file())
    rests = [
        Rest(int(begun_s * 1e6), WITHOUT_END_US if end_s == inf else int(end_s * 1e6), name)
        for begun_s, end_s, project in pause.history(home)
        for name in pause.names(project)
    ]
    return rests, [Fault(one.time_us, one.kind) for one in faults.read(home) if one.kind in KINDS]
