"""What a root holds besides its days, and whether it can be read: the key, settings, tokens, databases, archives."""

import lzma
import os
import stat
from collections.abc import Callable

from eyelet_ingest import tokens
from eyelet_ingest.errors import EyeletError, PartitionBusy
from eyelet_ingest.health.finding import ERROR, Finding, Patient
from eyelet_ingest.health.remembering import Remembered
from eyelet_ingest.health.several import command
from eyelet_ingest.store import archives as kept
from eyelet_ingest.store import connect, examined, identity, layout, sealing
from eyelet_ingest.store.holdings import ROOT_DATABASES
from eyelet_ingest.store.maintenance import state_of

PART_BYTES = 1 << 20
OF_FIGURES = "health.sqlite"


def look(patient: Patient, known: Remembered, bad: list[Finding]) -> None:
    """Add what is wrong with the files of the root to `bad`. Those that are not there are nobody's trouble."""
    if patient.root.startswith(layout.MEMORY):
        return
    readers: dict[str, Callable[[str], object]] = {  # (of the rules of retention a check of their own tells)
        "sealing.json": sealing.after_days,
        "tokens.json": tokens.known,
    }
    for name, reads in readers.items():
        try:
            reads(patient.root)
        except EyeletError as trouble:
            bad.append(Finding(ERROR, f"{name} cannot be used: {trouble.reason}", trouble.hint))
    if (found := _key(patient)) is not None:
        bad.append(found)
    for name in (*ROOT_DATABASES, OF_FIGURES):
        if patient.is_late:
            return
        if (found := _database(patient, name, known)) is not None:
            bad.append(found)


def archives(patient: Patient) -> list[str]:
    """The archives of days, the newest first."""
    if patient.root.startswith(layout.MEMORY):
        return []
    return [kept.path_of(patient.root, key) for key in reversed(kept.keys(patient.root))]


def archive(patient: Patient, path: str, known: Remembered) -> tuple[Finding | None, bool]:
    """Whether an archive can be unpacked to its end, which its own checksums prove; and whether that is known now."""
    name, state = os.path.relpath(path, patient.root), state_of(path)
    said = known.of(name, state, full=True)
    if said is None:
        damage = ""
        try:
            with lzma.open(path) as file:
                while file.read(PART_BYTES):
                    if patient.is_late:
                        return None, False
        except FileNotFoundError:
            return None, True  # gone meanwhile
        except (lzma.LZMAError, EOFError, OSError) as bad:
            damage = str(bad)
        known.keep(name, state, True, [damage] if damage else [])
    else:
        damage = said.bad[0] if said.bad else ""
    if not damage:
        return None, True
    fix = "archive the day anew, if it is there; else bring the file back from a backup"
    return Finding(ERROR, f"the archive {name} cannot be unpacked: {damage}", fix, {"path": path}), True


def _key(patient: Patient) -> Finding | None:
    """Without its key a root no longer knows its own events again, and imports would bring all of them twice."""
    path = os.path.join(patient.root, "secret.key")
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return None
    except OSError as bad:
        return Finding(ERROR, f"secret.key cannot be looked at: {bad.strerror}", "does it belong to you?")
    if stat.S_ISREG(there.st_mode) and there.st_size == identity.KEY_BYTES:
        return None
    what = f"it has {there.st_size} bytes, not {identity.KEY_BYTES}" if stat.S_ISREG(there.st_mode) else "it is no file"
    return Finding(ERROR, f"secret.key is none: {what}", command(patient, "restore", "BACKUP"), {"path": path})


def _database(patient: Patient, name: str, known: Remembered) -> Finding | None:
    path = os.path.join(patient.root, name)
    if not connect.is_there(path):
        return None
    state = state_of(path)
    said = known.of(name, state, patient.is_full)
    if said is None:
        try:
            damages = examined.damages(path, full=patient.is_full, until_s=patient.until_s)
        except (examined.OutOfTime, PartitionBusy):
            return None
        except EyeletError as trouble:
            damages = [trouble.reason]
        else:
            if name != OF_FIGURES:  # which is written by that
                known.keep(name, state, patient.is_full, damages)
    else:
        damages = list(said.bad)
    if not damages:
        return None
    fix = f"move {path} away, only figures are in it" if name == OF_FIGURES else command(patient, "restore", "BACKUP")
    return Finding(ERROR, f"{name} is damaged: {damages[0]}", fix, {"damages": damages, "path": path})
