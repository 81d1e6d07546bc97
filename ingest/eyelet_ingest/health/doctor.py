"""All checks run, none of which can break another; and what they found put right where that is safe.

A check of ours that meets what nobody thought of becomes a finding `unknown` that names it. A plugin's runs in a thread
of its own, for a time (`foreign.py`).
"""

import json
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING

from eyelet_ingest.errors import BadInput, EyeletError
from eyelet_ingest.foreign import Guard
from eyelet_ingest.health import checks as ours
from eyelet_ingest.health.finding import AREAS, STATUSES, UNKNOWN, Check, Finding, Patient
from eyelet_ingest.plugged import Raised, TookTooLong
from eyelet_ingest.store import audit, connect

if TYPE_CHECKING:
    from eyelet_ingest.plugins import Plugins

PLUGIN_S = 5.0  # for one check of a plugin, and for one repair
QUICK_S = 0.15  # for what each check may look at while a page waits
OF_PLUGINS = "plugins"  # the check that tells of plugins that fail
MOST_FINDINGS = 1_000  # that are taken of one check of a plugin
MOST_CHARS = 2_000  # of a text in one of its findings


def checks(plugins: "Plugins | None" = None) -> dict[str, Check]:
    """Every check by its name: ours, then the plugins'. One of a plugin with a name that is taken, or an area that
    there is not, is left out (`_refused` says so)."""
    found = {check.name: check for check in ours.built_in()}
    for _, check in _registered(plugins):
        if check.name not in found and check.area in AREAS:
            found[check.name] = check
    return found


def areas(plugins: "Plugins | None" = None) -> dict[str, str]:
    """The area of every check, by its name."""
    return {name: check.area for name, check in checks(plugins).items()}


def examine(
    patient: Patient,
    names: Collection[str] | None = None,
    plugins: "Plugins | None" = None,
    quick: bool = False,
) -> list[Finding]:
    """What the checks of these names say, of all where None; at least one finding each, with its check's name.

    The time that is left for looking is each check's. `quick` leaves out what is costly, and has the others look no
    longer than a page may wait. BadInput for a name that no check has. Nothing else is raised.
    """
    known = checks(plugins)
    wanted = list(known) if names is None else _known(names, known)
    each_s = patient.until_s - time.monotonic()
    if quick:
        each_s = min(each_s, QUICK_S)
        wanted = [name for name in wanted if not known[name].is_costly]
    foreign = {check.name: plugin for plugin, check in _registered(plugins) if known.get(check.name) is check}
    found: list[Finding] = []
    with closing(Guard()) as guard:
        for name in wanted:
            check, patient = known[name], replace(patient, until_s=time.monotonic() + each_s)
            said = _of_plugin(check, foreign[name], patient, guard) if name in foreign else _of_ours(check, patient)
            found += [replace(one, name=name) for one in said]
    return found + (_refused(plugins) if names is None or OF_PLUGINS in names else [])


def repair(patient: Patient, findings: Iterable[Finding], who: str) -> list[tuple[Finding, str]]:
    """Put right what these findings can put right by themselves, one after another; what was done, or why it was not.

    `who` is named in the audit, where it is written first: RootError where it cannot be, and nothing is done then.
    """
    able = [one for one in findings if one.repair is not None]
    if not able:
        return []
    what = [{"check": one.name, "about": _about(one), "message": one.message[:MOST_CHARS]} for one in able]
    audit.record(patient.root, who, "repair", {"findings": what})
    with closing(Guard()) as guard:
        return [(one, _repaired(one, guard)) for one in able]


def _repaired(finding: Finding, guard: Guard) -> str:
    assert finding.repair is not None
    try:
        if finding.name in {check.name for check in ours.built_in()}:
            return finding.repair()
        said: object = guard.run(finding.repair, PLUGIN_S)
    except (EyeletError, OSError, TookTooLong, Raised, connect.driver().Error) as bad:
        return f"could not be done: {bad}"
    return said[:MOST_CHARS] if isinstance(said, str) and said else "done"


def _about(finding: Finding) -> str:
    return finding.day.mount_name if finding.day is not None else ""


def _of_ours(check: Check, patient: Patient) -> Sequence[Finding]:
    """Whatever is wrong with what it looks at, or with the check, the other checks are told: whoever asks how the
    recorder is must not get a traceback for an answer."""
    found: list[Finding] = []
    try:
        for one in check.run(patient):
            found.append(one)
    except (
        *(EyeletError, OSError, connect.driver().Error, ArithmeticError, AttributeError, LookupError),
        *(NotImplementedError, RecursionError, RuntimeError, TypeError, ValueError, ImportError),
    ) as bad:
        words = str(bad) if isinstance(bad, EyeletError) else f"{type(bad).__name__}: {bad}"
        found.append(Finding(UNKNOWN, f"the check could not be finished: {words}"))
    return found or [Finding(UNKNOWN, "the check said nothing")]


def _of_plugin(check: Check, plugin: str, patient: Patient, guard: Guard) -> Sequence[Finding]:
    def run() -> list[object]:
        found: list[object] = []
        for one in check.run(patient):
            found.append(one)
            if len(found) == MOST_FINDINGS:
                break
        return found

    try:
        said = guard.run(run, PLUGIN_S)
    except (TookTooLong, Raised) as bad:
        return [Finding(UNKNOWN, f"the check of the plugin {plugin} failed: {bad}"[:MOST_CHARS], _mend(plugin))]
    return [_taken(one, plugin) for one in said] or [
        Finding(UNKNOWN, f"the check of the plugin {plugin} said nothing", _mend(plugin))
    ]


def _taken(one: object, plugin: str) -> Finding:
    """A plugin's finding, where it is one that can be told and kept."""
    is_one = isinstance(one, Finding) and isinstance(one.message, str) and isinstance(one.fix, str)
    if not (isinstance(one, Finding) and is_one and one.status in STATUSES and _is_plain(one.evidence)):
        return Finding(UNKNOWN, f"the check of the plugin {plugin} answered what is no finding", _mend(plugin))
    return replace(one, message=one.message[:MOST_CHARS], fix=one.fix[:MOST_CHARS])


def _is_plain(evidence: object) -> bool:
    if not isinstance(evidence, Mapping) or not all(isinstance(name, str) for name in evidence):
        return False
    try:
        return len(json.dumps(dict(evidence))) <= 10 * MOST_CHARS
    except (TypeError, ValueError, RecursionError):
        return False


def _refused(plugins: "Plugins | None") -> list[Finding]:
    """The checks of plugins that are not run, and why."""
    found = []
    known = checks(plugins)
    for plugin, check in _registered(plugins):
        if known.get(check.name) is not check:
            why = "its name is taken" if check.area in AREAS else f"its area is none of {', '.join(AREAS)}"
            message = f"the check {check.name} of the plugin {plugin} is not run: {why}"
            found.append(Finding(UNKNOWN, message[:MOST_CHARS], _mend(plugin), name=OF_PLUGINS))
    return found


def _mend(plugin: str) -> str:
    return f"mend or remove the plugin {plugin}"


def _registered(plugins: "Plugins | None") -> list[tuple[str, Check]]:
    return [] if plugins is None else plugins.registered["register_checks"]


def _known(names: Collection[str], known: Mapping[str, Check]) -> list[str]:
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, 1, 0.5)
            hint = f"did you mean {near[0]}?" if near else "there are " + ", ".join(known)
            raise BadInput("examine", repr(name), "there is no such check", hint)
    return [name for name in known if name in names]
