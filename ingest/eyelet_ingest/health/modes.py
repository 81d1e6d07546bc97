"""Who may use the files: of the root, and of the folder of settings, hooks and plugins. Whatever the user's umask
says, all of it is made his alone (0600, folders 0700): it holds what was said to agents, and what they answered.
"""

import os
import shlex
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from eyelet_ingest.errors import EyeletError
from eyelet_ingest.health.finding import ERROR, OK, WARN, Finding, Patient
from eyelet_ingest.health.memory import is_in_memory
from eyelet_ingest.health.several import command, plural
from eyelet_ingest.store.connect import OTHERS

MOST = 10_000  # files that are told of
NAMED = 3  # by name, in a message
KEPT_SECRET = frozenset(("secret.key", "tokens.json"))


@dataclass(slots=True)
class _Seen:
    files: int = 0
    open: list[tuple[str, int]] = field(default_factory=list)  # path, mode: what others may use
    reachable: list[tuple[str, int]] = field(default_factory=list)  # those of them that the folder above does not keep
    foreign: list[str] = field(default_factory=list)  # of another owner
    leading: list[str] = field(default_factory=list)  # links to what others may change


def check(patient: Patient) -> Iterator[Finding]:
    if not OTHERS:
        yield Finding(OK, "rights are not in modes on this system")
        return
    places = [patient.home] if is_in_memory(patient) else [patient.root, patient.home]
    seen = _Seen()
    for place in _apart(places):
        _walk(place, seen)
    bad = [*_open(patient, seen), *_foreign(seen), *_leading(seen)]
    yield from bad
    if not bad:
        yield Finding(OK, f"{plural(seen.files, 'file')}, all of them yours alone", evidence={"files": seen.files})


def _open(patient: Patient, seen: _Seen) -> Iterator[Finding]:
    if not seen.open:
        return
    is_closed = not seen.reachable
    mine = [path for path, _ in seen.open if _is_mine(path)]
    is_grave = any(mode & 0o022 or os.path.basename(path) in KEPT_SECRET for path, mode in seen.reachable)
    message = f"{plural(len(seen.open), 'file')} may be used by others: {_named([path for path, _ in seen.open])}"
    if is_closed:
        message += "; the folder above keeps them out"
    evidence = {"files": [{"path": path, "mode": f"{mode:04o}"} for path, mode in seen.open[:100]], "closed": is_closed}
    fix = f"chmod go= {shlex.quote(seen.open[0][0])}"
    if len(seen.open) > 1:
        fix = command(patient, "doctor", "--check", "modes", "--fix")

    def repair() -> str:
        for path in mine:
            _close(path)
        left = [path for path, _ in seen.open if _is_open(path)]
        if len(left) == len(seen.open):
            raise EyeletError("close to others", left[0], "none of them could be", "do they belong to you?")
        others = f"; {plural(len(left), 'file')} left as they are: {_named(left)}" if left else ""
        return f"made {plural(len(seen.open) - len(left), 'file')} yours alone{others}"

    yield Finding(ERROR if is_grave else WARN, message, fix, evidence, repair if mine else None)


def _foreign(seen: _Seen) -> Iterator[Finding]:
    if seen.foreign:
        message = f"{plural(len(seen.foreign), 'file')} of another owner: {_named(seen.foreign)}"
        fix = "give them back (chown), or find out who wrote there: was a command run with sudo?"
        yield Finding(WARN, message, fix, {"files": seen.foreign[:100]})


def _leading(seen: _Seen) -> Iterator[Finding]:
    if seen.leading:
        message = f"{plural(len(seen.leading), 'link')} to what others may change: {_named(seen.leading)}"
        fix = "put what they lead to where only you may write"
        yield Finding(WARN, message, fix, {"links": seen.leading[:100]})


def _walk(place: str, seen: _Seen) -> None:
    """Look at a folder and all below it; links are not followed, but what they lead to is looked at."""
    is_closed = _is_closed(place)
    for path in _all(place):
        try:
            there = os.lstat(path)
            if stat.S_ISLNK(there.st_mode):
                there = os.stat(path)
                if there.st_mode & 0o022 & ~_sticky(there) or there.st_uid not in (0, os.getuid()):
                    seen.leading.append(path)
                continue
        except OSError:
            continue  # gone meanwhile, or a link to nothing: others say so where that matters
        seen.files += 1
        if len(seen.open) + len(seen.foreign) >= MOST:
            return
        mode = stat.S_IMODE(there.st_mode)
        if mode & OTHERS:
            seen.open.append((path, mode))
            if not is_closed:
                seen.reachable.append((path, mode))
        if there.st_uid != os.getuid():
            seen.foreign.append(path)


def _sticky(there: os.stat_result) -> int:
    """The rights of others to write that mean little: in a folder such as /tmp."""
    return 0o022 if there.st_mode & stat.S_ISVTX else 0


def _all(place: str) -> Iterator[str]:
    """A folder and all below it; of folders for copies that are being made (`.copy-…`), which are closed to others,
    only these: what SQLite makes in there for a moment has the modes that the umask gives."""
    yield place
    for folder, folders, names in os.walk(place):
        folders.sort()
        for name in (*folders, *sorted(names)):
            yield os.path.join(folder, name)
        folders[:] = [name for name in folders if name[0] != "." or not _is_closed(os.path.join(folder, name))]


def _apart(places: Sequence[str]) -> list[str]:
    """These folders without those that lie in another, or are the same."""
    real = dict.fromkeys(os.path.realpath(place) for place in places)
    return [one for one in real if not any(one != other and one.startswith(other + os.sep) for other in real)]


def _is_closed(place: str) -> bool:
    try:
        return not os.stat(place).st_mode & OTHERS
    except OSError:
        return True


def _is_mine(path: str) -> bool:
    try:
        there = os.lstat(path)
    except OSError:
        return False
    return there.st_uid == os.getuid() and not stat.S_ISLNK(there.st_mode)


def _close(path: str) -> None:
    """Take from others what they may do with it, if it is still ours and no link."""
    if _is_mine(path):
        with suppress(OSError):  # what is still open then is said
            os.chmod(path, stat.S_IMODE(os.lstat(path).st_mode) & ~OTHERS)


def _is_open(path: str) -> bool:
    try:
        return bool(os.lstat(path).st_mode & OTHERS)
    except OSError:
        return False  # gone


def _named(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - NAMED:,} more" if len(paths) > NAMED else ""
    return ", ".join(paths[:NAMED]) + more
