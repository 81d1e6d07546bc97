"""Plugins: what went wrong with them while they were loaded, here and as hooks load them."""

import os
from collections.abc import Iterator

from eyelet_ingest import hot, plugins
from eyelet_ingest.commands import runnable
from eyelet_ingest.errors import BadInput
from eyelet_ingest.health import checkpointing
from eyelet_ingest.health.finding import OK, WARN, Finding, Patient
from eyelet_ingest.health.several import plural

REASON_CHARS = 300


def check(patient: Patient) -> Iterator[Finding]:
    if os.environ.get(hot.SWITCH) == "0":
        yield Finding(OK, f"plugins are switched off ({hot.SWITCH}=0)", "", {"plugins": 0})
        return
    found = plugins.Plugins.load(patient.home, notes=False)
    try:
        troubles = [*found.troubles]
        loaded = [one.name for one in found.loaded]
        yield from _strategy(patient, found)
    finally:
        found.close()
    in_hooks: list[str] = []
    if os.path.isdir(os.path.join(patient.home, hot.FOLDER)):  # hooks have no others
        in_hooks, of_hooks = plugins.in_hooks(patient.home)
        known = {(one.plugin, one.hook) for one in troubles}
        troubles += [one for one in of_hooks if (one.plugin, one.hook) not in known]
    for one in troubles:
        where = f" in {one.hook}" if one.hook else ""
        message = f"the plugin {one.plugin} failed{where}: {one.reason[:REASON_CHARS]}"
        fix = f"mend or remove it; {runnable('plugins')} says whether it works"
        yield Finding(WARN, message, fix, {"plugin": one.plugin, "hook": one.hook})
    if not troubles:
        message = f"{plural(len(loaded), 'plugin')} loaded, and none failed" if loaded else "there are no plugins"
        yield Finding(OK, message, "", {"plugins": loaded[:100], "in_hooks": in_hooks[:100]})


def _strategy(patient: Patient, found: plugins.Plugins) -> Iterator[Finding]:
    """A strategy of checkpoints that the settings name, and nobody brings."""
    name = str(patient.settings["health.checkpoint_strategy"])
    try:
        checkpointing.strategy(name, lambda: found)
    except BadInput as bad:
        message = f"{bad.reason}: no checkpoint is made by itself"
        yield Finding(WARN, message, f"set health.checkpoint_strategy to {bad.hint}", {"strategy": name[:100]})
