"""Room on the disks that the root and the settings are on: bytes, files (inodes), and whether it can be written.

The share of free room is `df`'s: of what a user who is not root may fill (f_bavail of that and what is used), so that
what the file system keeps for root, and quotas of projects and subvolumes, count.
https://man7.org/linux/man-pages/man3/statvfs.3.html
"""

import os
from collections.abc import Iterator

from eyelet_ingest.health.finding import ERROR, OK, UNKNOWN, WARN, Finding, Patient
from eyelet_ingest.health.memory import is_in_memory
from eyelet_ingest.health.several import command, mib

LEAST_INODES = 100  # a file system that gives out files as it needs them tells of few, or of none


def check(patient: Patient) -> Iterator[Finding]:
    seen = set()
    folders = [patient.home] if is_in_memory(patient) else [patient.root, patient.home]
    for folder in map(existing, folders):
        try:
            device = os.stat(folder).st_dev
            if device in seen:
                continue
            seen.add(device)
            yield _of_disk(patient, folder, os.statvfs(folder))
        except OSError as bad:
            yield Finding(UNKNOWN, f"the disk of {folder} cannot be looked at: {bad.strerror}")


def existing(folder: str) -> str:
    """The folder, or the nearest above it that is there."""
    while not os.path.isdir(folder) and os.path.dirname(folder) != folder:
        folder = os.path.dirname(folder)
    return folder


def free_bytes(folder: str) -> int:
    """What a user who is not root may still write there."""
    there = os.statvfs(existing(folder))
    return there.f_bavail * there.f_frsize


def _of_disk(patient: Patient, folder: str, there: os.statvfs_result) -> Finding:
    used = there.f_blocks - there.f_bfree
    free = 100 * there.f_bavail / (used + there.f_bavail) if used + there.f_bavail else 100.0
    counts = there.f_files >= LEAST_INODES
    files = 100 * there.f_favail / there.f_files if counts else 100.0
    size = there.f_bavail * there.f_frsize
    evidence: dict[str, object] = {"folder": folder, "free_bytes": size, "free_percent": round(free, 1)}
    if counts:
        evidence |= {"free_files": there.f_favail, "free_files_percent": round(files, 1)}
    if there.f_flag & getattr(os, "ST_RDONLY", 1):
        return Finding(ERROR, f"the disk of {folder} can only be read: nothing is recorded", "mount it to be written",
                       evidence)  # fmt: skip
    error, warn = patient.limit("free_error_percent"), patient.limit("free_warn_percent")
    least, what = min((free, f"{mib(size)} left on the disk of {folder}"), (files, f"room for {there.f_favail:,} files "
                      f"left on the disk of {folder}"))  # fmt: skip
    status = ERROR if least < error else WARN if least < warn else OK
    if status == OK:
        return Finding(OK, f"{mib(size)}, {free:.0f} %, free on the disk of {folder}", evidence=evidence)
    fix = f"make room; or keep less: {command(patient, 'retention', 'set', '--max-size', 'SIZE')}"
    return Finding(status, f"only {least:.1f} %, {what}", fix, evidence)
