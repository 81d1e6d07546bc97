"""One look at a root: what checks find, the score that comes to, and what is kept of it."""

import os
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eyelet_ingest import settings, surroundings
from eyelet_ingest.errors import EyeletError
from eyelet_ingest.health import alerts, doctor
from eyelet_ingest.health import score as scoring
from eyelet_ingest.health.finding import Finding, Patient
from eyelet_ingest.health.score import Score
from eyelet_ingest.settings import Settings
from eyelet_ingest.store import layout
from eyelet_ingest.store.alert_rows import Alert
from eyelet_ingest.store.metrics import Metrics, Sample, Timing

if TYPE_CHECKING:
    from eyelet_ingest.plugins import Plugins
    from eyelet_ingest.store.store import Store

MEASURED_US = 24 * 3_600_000_000  # what the score takes into account of what was timed


@dataclass(frozen=True, slots=True)
class Look:
    """What was found at a moment: `titles` says what each check is about, by its name; a score below `warn_below` and
    `error_below` is an alert."""

    at_us: int
    took_ms: float
    findings: tuple[Finding, ...]
    score: Score
    titles: Mapping[str, str]
    warn_below: int
    error_below: int


def patient_of(store: "Store", *, is_full: bool = False, seconds: float = float("inf")) -> Patient:
    """The root of a Store as checks look at it, with the settings of this machine."""
    held = effective(os.getcwd())
    now_us = time.time_ns() // 1_000
    return Patient(store, surroundings.home(), held, now_us, is_full, time.monotonic() + seconds)


def effective(start: str = "") -> Settings:
    """The settings that hold; the defaults where a file of them cannot be read: to say so is a check's work."""
    try:
        return settings.effective(start)
    except (EyeletError, OSError):
        return settings.of_files("", "")


def quick(store: "Store", plugins: "Plugins | None") -> Look:
    """A look that a page can wait for: without the costly checks."""
    began = time.monotonic()
    patient = patient_of(store)
    found = doctor.examine(patient, plugins=plugins, quick=True)
    score = scored(patient, found, plugins)
    titles = {name: check.title for name, check in doctor.checks(plugins).items()}
    took_ms = round((time.monotonic() - began) * 1_000, 1)
    limits = patient.limit("score_warn"), patient.limit("score_error")
    return Look(patient.now_us, took_ms, tuple(found), score, titles, *limits)


def again(patient: Patient, plugins: "Plugins | None") -> list[Finding]:
    """What the costly checks say of which an alert is open: a quick look would never see that it is over."""
    checks = doctor.checks(plugins)
    try:
        names = {one.name for one in alerts.current(patient.root)}
    except EyeletError:
        return []
    costly = [name for name, check in checks.items() if check.is_costly and name in names]
    return doctor.examine(patient, costly, plugins) if costly else []


def scored(patient: Patient, findings: Collection[Finding], plugins: "Plugins | None" = None) -> Score:
    """The score of these findings, and of what was timed in the last MEASURED_US."""
    slow_ms = patient.limit("query_p99_warn_ms")
    return scoring.of(findings, _timings(patient), doctor.areas(plugins), slow_ms=slow_ms)


def kept(
    patient: Patient, findings: Collection[Finding], score: Score, role: str, plugins: "Plugins | None" = None
) -> list[Alert]:
    """Keep the score for the trends, bring the alerts up to what was found, and tell of what changed; the
    alerts that are open. Where nothing was ever recorded, nothing is kept."""
    root = patient.root
    if root.startswith(layout.MEMORY) or not os.path.isdir(root):
        return []
    with suppress(EyeletError), Metrics(root) as metrics:  # figures that cannot be kept cost nothing else
        metrics.write(Sample(patient.now_us, role, gauges=_gauges(score)))
    known = {*doctor.checks(plugins), "score", "plugins"}
    return alerts.evaluate(root, findings, score, patient.settings, patient.now_us, known)


def _timings(patient: Patient) -> list[Timing]:
    try:
        with Metrics(patient.root) as metrics:
            return metrics.timings(patient.now_us - MEASURED_US, patient.now_us + 1)
    except EyeletError:
        return []


def _gauges(score: Score) -> dict[str, float]:
    return {"score": float(score.total), **{f"score.{area.name}": float(area.score) for area in score.areas}}
