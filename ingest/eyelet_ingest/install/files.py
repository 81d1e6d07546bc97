"""A settings file of another program: read whole, written whole or not at all, and never over what came meanwhile."""

import os
import stat
import tempfile
import time
from dataclasses import dataclass

from eyelet_ingest.errors import BadInput, EyeletError

MOST_BYTES = 16 << 20
BACKUP_MARK = ".eyelet-"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A file as it was read: `path` as it was named, `real` what links lead to, `content` None where there is none."""

    path: str
    real: str
    content: bytes | None
    mode: int = 0o600
    owner: tuple[int, int] = (-1, -1)

    @property
    def text(self) -> str:
        """The content as text, "" without. BadInput with the line where it is not UTF-8."""
        try:
            return (self.content or b"").decode("utf-8")
        except UnicodeDecodeError as bad:
            line = (self.content or b"")[: bad.start].count(b"\n") + 1
            raise BadInput("read", f"{self.path}:{line}", "it is not UTF-8", "nothing was changed") from bad


def read(path: str) -> Snapshot:
    """The file as it is now. BadInput for what is no readable file."""
    real = os.path.realpath(path)
    try:
        with open(os.open(real, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:  # a pipe is not waited for
            there = os.fstat(file.fileno())
            if not stat.S_ISREG(there.st_mode):
                raise BadInput("read", path, "it is no regular file", "nothing was changed")
            content = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        return Snapshot(path, real, None)
    except (OSError, ValueError) as bad:
        reason = bad.strerror if isinstance(bad, OSError) and bad.strerror else str(bad)
        raise BadInput("read", path, reason, "nothing was changed") from bad
    if len(content) > MOST_BYTES:
        raise BadInput("read", path, "it is longer than 16 MiB", "is it the right file? nothing was changed")
    return Snapshot(path, real, content, there.st_mode & 0o777, (there.st_uid, there.st_gid))


def write(before: Snapshot, content: bytes | None) -> list[str]:
    """Put `content` in the file's place, None for no file; the folders that had to be made, the outermost first.

    A link stays a link, the file's mode stays. BadInput where the file is write-protected or changed since `before`.
    """
    check_writable(before)
    made = _make_folders(os.path.dirname(before.real))
    if content is None:
        _unchanged(before)
        try:
            os.unlink(before.real)
        except OSError as bad:
            raise _refused(before.path, bad) from bad
        return made
    folder = os.path.dirname(before.real)
    mine = ""
    try:
        handle, mine = tempfile.mkstemp(dir=folder, prefix=os.path.basename(before.real) + BACKUP_MARK)
        with open(handle, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), before.mode)
            if before.owner != (-1, -1) and os.geteuid() == 0:
                os.fchown(file.fileno(), *before.owner)
            file.flush()
            os.fsync(file.fileno())
        _unchanged(before)
        os.replace(mine, before.real)
        mine = ""
    except OSError as bad:
        raise _refused(before.path, bad) from bad
    finally:
        if mine and os.path.exists(mine):
            os.unlink(mine)
    return made


def back_up(before: Snapshot) -> str:
    """A copy beside the file, 0600; its path, or "" where there is nothing to keep."""
    if before.content is None:
        return ""
    # The name must not end as settings do: some agents read every *.json of a folder.
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    for number in range(100):
        path = f"{before.path}{BACKUP_MARK}{stamp}{f'-{number}' if number else ''}.bak"
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            continue
        except OSError as bad:
            raise _refused(path, bad) from bad
        with open(handle, "wb") as file:
            file.write(before.content)
        return path
    raise EyeletError("back up", before.path, "there are too many backups of this second", "try again")


def drop(path: str, content: bytes | None) -> bool:
    """Remove a backup that holds just this content; whether it is gone."""
    try:
        with open(path, "rb") as file:
            if file.read() != content:
                return False
        os.unlink(path)
    except OSError:
        return False
    return True


def remove_folders(folders: list[str]) -> None:
    """Remove those that are empty, the innermost first."""
    for folder in reversed(folders):
        try:
            os.rmdir(folder)
        except OSError:
            return


def check_writable(before: Snapshot) -> None:
    """BadInput where the file may not be changed, root or not: who protects a file means it."""
    if before.content is not None and not (before.mode & 0o222 and os.access(before.real, os.W_OK)):
        hint = f"allow it (chmod u+w {before.path}) or say it by hand; nothing was changed"
        raise BadInput("change", before.path, "it is write-protected", hint)


def _unchanged(before: Snapshot) -> None:
    if read(before.path).content != before.content:
        raise BadInput("change", before.path, "another program changed it just now", "nothing was changed: try again")


def _make_folders(folder: str) -> list[str]:
    missing: list[str] = []
    while not os.path.isdir(folder):
        missing.insert(0, folder)
        above = os.path.dirname(folder)
        if above == folder:
            break
        folder = above
    made: list[str] = []
    for one in missing:
        try:
            os.mkdir(one, 0o700)
        except FileExistsError:
            continue
        except OSError as bad:
            remove_folders(made)
            raise _refused(one, bad) from bad
        made.append(one)
    return made


def _refused(path: str, bad: OSError) -> EyeletError:
    return EyeletError("write", path, bad.strerror or str(bad), "nothing was changed: may you write in this folder?")
