"""The only choice of SQLite, the only place that connects, sets pragmas and takes a day's lock.

One SQLite a process: two copies of it on one file drop each other's POSIX locks and lose committed rows. Datasette
and sqlite-utils take `pysqlite3` where it is installed, so we do too, by the same rule; nothing else imports either.

The lock protocol: whoever writes, removes, seals, rewrites or checkpoints a day holds the flock on `logs.lock`
beside the database, alone, for one transaction. SQLite lets one writer in at a time anyhow; the flock in front of it
halves the worst wait of many one-row writers, and makes an unlink or a checkpoint safe from all of them. After the
lock is taken the file is compared with the one on disk: a day removed meanwhile is made anew, not written to a ghost.

The journal is chosen once, when a file is made (`journal.py`); its header remembers it, and who opens it follows.
This file is longer than others because the hook pays for every file it loads.
"""

import sys
import time

from eyelet_ingest import place
from eyelet_ingest.errors import PartitionBusy, PartitionUnreadable, RootError
from eyelet_ingest.store import roles
from eyelet_ingest.store.identity import MAKE_AGAIN, make_private_dir
from eyelet_ingest.store.layout import MEMORY, side_path
from eyelet_ingest.system import os

try:
    import fcntl
except ImportError:  # Windows has no flock: SQLite's own locks have to do
    fcntl = None  # type: ignore[assignment]

TYPE_CHECKING = False  # importing typing costs the hook more than its insert
if TYPE_CHECKING:
    from typing import Any

# Rows committed while another process checkpoints may vanish before these (the WAL-reset bug).
FIXED_WAL_RESET = ((3, 51, 3), (3, 50, 7), (3, 44, 6))
# Between two tries for a lock; jitter between them keeps 64 waiters from marching in step. Shorter ones only take the
# processor from who holds it: with 1 to 8 ms 64 writers stored a fifth fewer events, and the slowest waited as long.
POLL_MS = (3, 12)
RETRY_MS = (10, 640)  # before the second try of a transaction; doubled for each further one, up to the second figure

CACHE_KIB_SMALL = 2_000
WAL_LIMIT_BYTES = 4 * 2**20  # where SQLite may not checkpoint by itself
TOO_MANY_OPEN = "too many files are open: raise the limit (ulimit -n), or close some"
# Of a damaged schema, from which SQLite quotes: Python then raises UnicodeDecodeError in place of SQLite's error.
MALFORMED = "malformed database schema, and what SQLite says of it is no UTF-8"
OTHERS = 0o077 if hasattr(os, "getuid") else 0  # what a mode may not grant; Windows keeps rights elsewhere
SUPER_JOURNAL = bytes.fromhex("d9d505f920a163d7")  # what a journal ends with that names another file
EMPTY_BYTES = 4096  # a file without a table is no longer than its header's page


def driver() -> "Any":
    """The DB-API module of this process: `pysqlite3` where it is installed, else `sqlite3`."""
    try:
        import pysqlite3.dbapi2 as chosen
    except ImportError:
        import sqlite3 as chosen
    return chosen


def light_driver() -> "Any":
    """The C module under `driver()`, without the Python around it, found by path: works under `-I -S`.

    Only for a process that does nothing else (the hook): the copy it loads is known as `_sqlite3`.
    """
    if "_sqlite3" not in sys.modules and "pysqlite3" not in sys.modules:
        if place.EXTENSION and _load_extension(place.EXTENSION):
            return sys.modules["_sqlite3"]
        for folder in _pysqlite3_folders():
            sys.path.insert(0, folder)
            try:
                import _sqlite3
            except ImportError:
                continue
            finally:
                sys.path.remove(folder)
            break
    import _sqlite3

    return _sqlite3


def open_writer(path: str, *, busy_ms: int = 5_000, chosen: "Any" = None, small: bool = False) -> "Any":
    """A connection that may write the database at `path`, which is made with mode 0600 (folders 0700) if it is new.

    One that others may read is made private again. Autocommit: every write is inside `transaction`. PartitionUnreadable
    where SQLite cannot open it, PartitionBusy where another program keeps it from being set up.
    """
    chosen = chosen or driver()
    address = _in_memory(path, make=True)
    fresh = not address and _create_private(path)
    if not (address or fresh):
        _refuse_hostile(path)
    try:
        conn = chosen.connect(
            address or path,
            uri=bool(address),
            timeout=busy_ms / 1000,
            isolation_level=None,
            check_same_thread=False,
        )
    except chosen.Error as bad:
        raise PartitionUnreadable("open", path, str(bad), remedy(path, bad)) from bad
    try:
        there = None if address else os.stat(path)
        if there is not None and there.st_mode & OTHERS:
            make_private(path)
        if there is not None and (fresh or there.st_size <= EMPTY_BYTES):
            from eyelet_ingest.store import journal

            conn = journal.choose(conn, path, chosen, busy_ms)
        for statement in roles.pragmas("capture" if small else "writer"):
            conn.execute(statement)
        if not small:
            conn.text_factory = replacing()
            conn.execute("pragma foreign_keys = on")
        if not may_checkpoint(chosen.sqlite_version):
            conn.execute("pragma wal_autocheckpoint = 0")
    except chosen.Error as bad:
        conn.close()
        raise trouble("open", path, bad) from bad
    except UnicodeDecodeError as bad:
        conn.close()
        raise PartitionUnreadable("open", path, MALFORMED, remedy(path, bad)) from bad
    except FileNotFoundError as bad:  # by somebody who takes no lock
        conn.close()
        raise PartitionBusy("open", path, "it was removed meanwhile", "try again") from bad
    except OSError as bad:  # a module that could not be loaded, too
        conn.close()
        raise PartitionUnreadable("open", path, str(bad), _hint(path, bad, "try again")) from bad
    return conn


def open_reader(path: str, *, busy_ms: int = 2_000, role: str = "reader", settled: bool = False) -> "Any":
    """A connection that can only read the existing database at `path`; PartitionUnreadable where it cannot.

    Where the folder or file system forbids the side files of a WAL database, it is read as it stands. Where a writer
    died in the middle of a transaction with a roll-back journal, that is taken back first, as SQLite always does.
    `settled` is for a file that nobody writes: it is read as it stands, and nothing is made beside it.
    """
    chosen = driver()
    uri = _uri(path)
    address = _in_memory(path, make=False)
    if not address:
        _expect_file(path)
    problem: Exception | None = None
    modes = ("?mode=ro&immutable=1",) if settled else ("?mode=ro", "?mode=rw", "?mode=ro&immutable=1")
    for mode in modes if not address else ("&mode=ro",):
        if mode == "?mode=rw" and not os.path.exists(path + "-journal"):
            continue  # only a journal that has to be taken back needs the right to write
        if mode == "?mode=rw":
            _refuse_hostile(path)
        if "immutable" in mode and not settled and not _is_settled(path):
            break
        try:
            conn = chosen.connect(
                (address or uri) + mode, uri=True, timeout=busy_ms / 1000, isolation_level=None, check_same_thread=False
            )
        except chosen.Error as bad:
            problem = bad
            continue
        try:
            conn.text_factory = replacing()
            conn.execute("pragma query_only = on")
            for statement in roles.pragmas(role):
                conn.execute(statement)
            conn.execute("select count(*) from sqlite_master").fetchone()
            return conn
        except chosen.Error as bad:
            conn.close()
            # One that another keeps locked must not be read as `immutable`: it is being written.
            if not isinstance(bad, chosen.OperationalError) or is_passing(str(bad)):
                raise PartitionUnreadable("open", path, str(bad), remedy(path, bad)) from bad
            problem = bad
        except UnicodeDecodeError as bad:
            conn.close()
            raise PartitionUnreadable("open", path, MALFORMED, remedy(path, bad)) from bad
    raise PartitionUnreadable("open", path, str(problem), remedy(path, problem)) from problem


def open_memory(*, busy_ms: int = 2_000) -> "Any":
    """A database in memory that nobody else sees, for what is put together of days: it may attach them, to read."""
    conn = driver().connect(
        "file:?mode=memory", uri=True, timeout=busy_ms / 1000, isolation_level=None, check_same_thread=False
    )
    conn.text_factory = replacing()
    conn.execute("pragma trusted_schema = off")  # a view of a foreign file may call nothing that does something
    return conn


def attach_reader(conn: "Any", path: str, name: str) -> None:
    """Attach the existing database at `path` to one of `open_memory`, to read, under a name of ours.

    PartitionUnreadable and PartitionBusy as for `open_reader`; an OperationalError where SQLite attaches no more.
    """
    address = _in_memory(path, make=False)
    if not address:
        _expect_file(path)
    problem: Exception | None = None
    for mode in ("?mode=ro", "?mode=ro&immutable=1") if not address else ("&mode=ro",):
        if "immutable" in mode and not _is_settled(path):
            break
        try:
            _attach(conn, (address or _uri(path)) + mode, name)
            return
        except conn.Error as bad:
            if "too many attached" in str(bad):
                raise
            problem = bad
            if not isinstance(bad, conn.OperationalError) or is_passing(str(bad)):
                break
    assert problem is not None
    raise trouble("open", path, problem) from problem


def _attach(conn: "Any", address: str, name: str) -> None:
    """Attach it and read its schema, or leave nothing attached."""
    for again in (False, True):
        try:
            conn.execute(f"attach database ? as {name}", [address])
        except conn.Error as bad:
            problem = bad
        else:
            try:
                conn.execute(f"select count(*) from {name}.sqlite_master").fetchone()  # noqa: S608  our own name
                return
            except conn.Error as bad:
                conn.execute(f"detach database {name}")
                problem = bad
        if again or "unsafe use of json_" not in str(problem):
            raise problem
        # An older SQLite holds its own functions of JSON, which derived columns call, for dangerous; it says so as it
        # attaches or as it reads.
        conn.execute("pragma trusted_schema = on")


def load_extension(conn: "Any", path: "str | None" = None) -> str:
    """Load our extension in C into this connection of our own, which is nobody's file; returns "", or why it could not
    be, with what helps. Nothing else is ever loaded, and loading is off again before the connection is used.

    `path` is for tests: another build of it.
    """
    from eyelet_ingest import extension

    path = path or extension.path_of_built()
    reason = extension.why_not(path)
    if reason:
        return f"the extension cannot be loaded: {reason}"
    if not hasattr(conn, "enable_load_extension"):
        return "the extension cannot be loaded: this Python's sqlite3 cannot do that (pip install pysqlite3)"
    try:
        conn.enable_load_extension(True)
        try:
            conn.load_extension(path)
        finally:
            conn.enable_load_extension(False)
    except driver().Error as bad:
        return f"the extension cannot be loaded: {bad} ({extension.HOW})"
    return ""


class transaction:
    """`with transaction(conn):` is BEGIN IMMEDIATE … COMMIT, or ROLLBACK where the block raises."""

    __slots__ = ("conn",)

    def __init__(self, conn: "Any") -> None:
        self.conn = conn

    def __enter__(self) -> None:
        self.conn.execute("begin immediate")

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            self.conn.execute("commit")
        elif self.conn.in_transaction:
            self.conn.execute("rollback")


class FileLock:
    """Alone with a day, or with what else a lock file stands for: `with FileLock(path, deadline_ns):`.

    The deadline is on `time.monotonic_ns`; PartitionBusy where others keep it until then. The lock file may go with
    its day: a lock on a file that is no longer the one on disk is no lock, and is taken again. So whoever removes
    a day unlinks the lock file last. With `make=False` the folder of a day that is gone is not made anew. `alarm` is
    for the hook alone: it waits asleep (`alarm.py`), anybody else asks again and again. `waited` says, once the lock is
    taken, that others had it.
    """

    __slots__ = ("alarm", "deadline_ns", "handle", "make", "path", "waited")

    def __init__(self, path: str, deadline_ns: int, make: bool = True, alarm: bool = False) -> None:
        self.path, self.deadline_ns, self.make, self.alarm = path, deadline_ns, make, alarm
        self.handle, self.waited = -1, False

    def __enter__(self) -> "FileLock":
        if self.path.startswith(MEMORY):
            from eyelet_ingest.store import memory

            memory.lock(self.path, self.deadline_ns)
            return self
        again = MAKE_AGAIN
        while True:
            try:
                handle = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
            except OSError as bad:
                is_gone = isinstance(bad, FileNotFoundError) and not os.path.islink(self.path)
                if not (is_gone and self.make and again):
                    hint = _hint(self.path, bad, "may you write in this folder?")
                    raise PartitionUnreadable("lock", self.path, str(bad), hint) from bad
                _make_folder(os.path.dirname(self.path))
                again -= 1  # others may remove it while it is made
                continue
            try:
                self._take(handle)
                if _same_file(handle, self.path):
                    self.handle = handle
                    return self
            except BaseException:
                os.close(handle)
                raise
            os.close(handle)
            if time.monotonic_ns() >= self.deadline_ns:  # a file system that numbers a file anew at every look
                raise PartitionBusy("lock", self.path, "it was another file again until the deadline", "try again")

    def __exit__(self, *_: object) -> None:
        if self.path.startswith(MEMORY):
            from eyelet_ingest.store import memory

            memory.unlock(self.path)
            return
        # Unlocked, not only closed: a process forked meanwhile has the same lock open, and would keep it for its life.
        if fcntl is not None:
            try:  # noqa: SIM105  contextlib is not for the hook
                fcntl.flock(self.handle, fcntl.LOCK_UN)
            except OSError:
                pass  # a file system without flock
        os.close(self.handle)
        self.handle = -1

    def _take(self, handle: int) -> None:
        if fcntl is None:
            return
        low_ms, high_ms = POLL_MS
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except OSError as bad:
                if not isinstance(bad, BlockingIOError):
                    return  # a file system without flock: SQLite's own locks have to do
                self.waited = True
                left_ms = (self.deadline_ns - time.monotonic_ns()) / 1e6
                late = PartitionBusy("lock", self.path, "others kept it until the deadline", "try again")
                if left_ms <= 0:
                    raise late from None
                if self.alarm:
                    from eyelet_ingest.store import alarm

                    return alarm.flock(handle, left_ms / 1000, late)
                time.sleep(min(left_ms, low_ms + (high_ms - low_ms) * _jitter()) / 1000)


def _jitter() -> float:
    """From 0 to 1, another one for each process and moment; importing `random` costs a hook more than its insert."""
    return (time.perf_counter_ns() // 64 + os.getpid() * 7919) % 1000 / 1000


def pause(tries: int, deadline_ns: int) -> bool:
    """Wait before one more try after `tries` of them: longer each time, with jitter. False past the deadline."""
    left_ms = (deadline_ns - time.monotonic_ns()) / 1e6
    if left_ms <= 0:
        return False
    low_ms, high_ms = RETRY_MS
    time.sleep(min(left_ms, min(high_ms, low_ms << min(tries - 1, 10)) * (0.5 + _jitter() / 2)) / 1000)
    return True


def trouble(operation: str, path: str, bad: Exception) -> Exception:
    """SQLite's error as ours: PartitionBusy for what passes, PartitionUnreadable for the rest."""
    passes = is_passing(str(bad)) and type(bad).__name__ == "OperationalError"
    return (PartitionBusy if passes else PartitionUnreadable)(operation, path, str(bad), remedy(path, bad))


def is_passing(reason: str) -> bool:
    """Whether an OperationalError of SQLite's may be gone at the next try."""
    return "locked" in reason or "busy" in reason or "locking protocol" in reason


def file_of(path: str) -> "tuple[int, int] | None":
    """Which file is at `path`, by device and inode, or which database in memory; None where there is none."""
    try:
        if path.startswith(MEMORY):
            from eyelet_ingest.store import memory

            number = memory.number_of(path)
            return None if number is None else (0, number)
        there = os.stat(path)
    except OSError:
        return None
    return there.st_dev, there.st_ino


def remove_sides(path: str) -> None:
    """Remove what is left beside a database that is gone, or about to be replaced, under its day's lock: SQLite would
    play a WAL or a journal of the old one into the new."""
    for side in ("-wal", "-shm", "-journal"):
        try:  # noqa: SIM105  contextlib is not for the hook
            os.unlink(path + side)
        except FileNotFoundError:
            pass


def is_there(path: str) -> bool:
    """Whether anything is at `path`: a database, or what stands in its place."""
    if path.startswith(MEMORY):
        return file_of(path) is not None
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True  # in a folder that we may not look into
    return True


def _expect_file(path: str) -> None:
    """That what is to be read is a file, and what belongs to it too: SQLite would wait for ever for who writes a pipe,
    and take a device for an empty database. Nothing is said of what is not there."""
    for one in (path, path + "-journal", path + "-wal"):
        try:
            kind = os.stat(one).st_mode
        except (FileNotFoundError, NotADirectoryError):
            if os.path.islink(one):
                reason = f"{os.path.basename(one)} is a link to nothing"
                raise PartitionUnreadable("open", path, reason, "is the disk mounted that it leads to?") from None
            continue
        except OSError as bad:
            raise PartitionUnreadable("open", path, bad.strerror or str(bad), "may you look into its folder?") from bad
        if kind & 0o170000 != 0o100000:
            hint = f"it is a {'folder' if kind & 0o170000 == 0o040000 else 'device, pipe or socket'}: move it away"
            raise PartitionUnreadable("open", path, f"{os.path.basename(one)} is no file", hint)


def remedy(path: str, bad: "Exception | None") -> str:
    """What helps against this error of SQLite's at this path: a good file must not be thrown away for a full disk."""
    reason = str(bad)
    if os.path.isdir(path):
        return "it is a folder: move it away"
    if "full" in reason:
        return "the disk is full: make room"
    if "I/O" in reason:
        return "is the disk full, or failing?"
    if "unable to open" in reason and _are_too_many_open():
        return TOO_MANY_OPEN
    if "readonly" in reason or "unable to open" in reason or "not authorized" in reason:
        return "is it a file that you may read, in a folder where you may write?"
    if "FOREIGN KEY" in reason:
        return "a table of another program refers to what is to go: let that go first"
    if is_passing(reason):
        return "another program keeps it: try again"
    if type(bad).__name__ == "IntegrityError":
        return "a rule of the table refuses it: did another program change the table?"
    return "restore it from a back-up, or move it away"


def _hint(path: str, bad: OSError, otherwise: str) -> str:
    """What helps against this error of the system's at this path."""
    from errno import EMFILE, ENFILE, ENOSPC

    if bad.errno in (EMFILE, ENFILE):
        return TOO_MANY_OPEN
    if bad.errno == ENOSPC:
        return "the disk is full: make room"
    if os.path.lexists(path) and not os.path.isfile(path):
        return "move away what is there: it is no file"
    return otherwise


def _are_too_many_open() -> bool:
    """Whether what one database needs can no longer be opened: SQLite does not say so."""
    from errno import EMFILE, ENFILE

    handles = []
    try:
        for _ in range(3):
            handles.append(os.open(os.devnull, os.O_RDONLY))
    except OSError as bad:
        return bad.errno in (EMFILE, ENFILE)
    finally:
        for handle in handles:
            os.close(handle)
    return False


def may_checkpoint(sqlite_version: str) -> bool:
    """Whether this SQLite may checkpoint while others write: it has the fix of the WAL-reset bug."""
    version = tuple(int(part) for part in sqlite_version.split("."))
    if version >= FIXED_WAL_RESET[0]:
        return True
    return any(version[:2] == fixed[:2] and version >= fixed for fixed in FIXED_WAL_RESET)


def bound_wal(conn: "Any", path: str, sqlite_version: str) -> None:
    """Checkpoint a WAL that nothing else would: of a SQLite that must not do so by itself, while a reader is there.

    Under the day's lock, where no writer of ours can be.
    """
    if may_checkpoint(sqlite_version):
        return
    try:
        if os.path.getsize(side_path(path, "-wal")) > WAL_LIMIT_BYTES:
            checkpoint(conn, "passive", sqlite_version)  # PASSIVE: never waits for the reader
    except (OSError, conn.Error):
        pass  # the rows are committed; the next writer tries again


def checkpoint(conn: "Any", mode: str, sqlite_version: str) -> "tuple[str, bool, int, int]":
    """The only checkpoint there is but SQLite's own: the mode that ran, whether somebody hindered it, the frames in the
    WAL, and how many of them are in the file now.

    Under the day's lock. PASSIVE goes first and hinders nobody; FULL, RESTART and TRUNCATE follow, which wait for
    readers as long as the connection's busy time-out says. A SQLite with the WAL-reset bug does not reset: PASSIVE is
    all it does. Nothing is in the WAL of a file with a roll-back journal.
    """
    busy, frames, moved = conn.execute("pragma wal_checkpoint(passive)").fetchone()
    if mode == "passive" or frames < 0 or not may_checkpoint(sqlite_version):
        return "passive", bool(busy), max(frames, 0), max(moved, 0)
    assert mode in ("full", "restart", "truncate")
    busy, _, at = conn.execute(f"pragma wal_checkpoint({mode})").fetchone()
    return mode, bool(busy), frames, max(moved, at) if busy else frames


def _in_memory(path: str, make: bool) -> str:
    """The address of a database in memory, or "" for one that is a file."""
    if not path.startswith(MEMORY):
        return ""
    from eyelet_ingest.store import memory

    address = memory.address(path, make=make)
    if address is None:
        raise PartitionUnreadable("open", path, "it is not there", "it was removed, or never made")
    return address


def _uri(path: str) -> str:
    """A file as SQLite's URI, without its parameters."""
    full = os.path.abspath(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return "file://" + ("" if full.startswith("/") else "/") + full  # an empty authority: the path may begin with //


def _is_settled(path: str) -> bool:
    """Whether the file alone is all there is: `immutable` misses what is in a WAL, or has to be taken back."""
    sides = (side_path(path, "-wal"), side_path(path, "-journal"))
    return os.path.isfile(path) and not any(map(os.path.exists, sides))


def replacing() -> object:
    """A text factory that never raises: recorded text may be no UTF-8. Built from C parts: it runs for every cell."""
    from functools import partial

    return partial(str, encoding="utf-8", errors="replace")


def _refuse_hostile(path: str) -> None:
    """PartitionUnreadable where the roll-back journal beside this database ends with the name of another file, as one
    of a transaction over several databases does: an older SQLite removes whatever file that is.
    https://www.sqlite.org/fileformat2.html#the_rollback_journal"""
    try:
        file = os.open(path + "-journal", os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return  # SQLite says why, where it is no journal that is missing
    try:
        size = os.fstat(file).st_size
        if size <= 16 or os.pread(file, 8, size - 8) != SUPER_JOURNAL:
            return
    finally:
        os.close(file)
    reason = "its -journal names another file, which SQLite would remove"
    raise PartitionUnreadable("open", path, reason, "move the journal away")


def _same_file(handle: int, path: str) -> bool:
    try:
        there = os.stat(path)
    except OSError:  # gone, or its folder is none any more
        return False
    mine = os.fstat(handle)
    return (mine.st_ino, mine.st_dev) == (there.st_ino, there.st_dev)


def _create_private(path: str, again: int = MAKE_AGAIN) -> bool:
    """Make an empty file with mode 0600 unless one is there; side files inherit the mode."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return False
    except OSError as bad:
        if not isinstance(bad, FileNotFoundError) or os.path.islink(path) or not again:
            hint = _hint(path, bad, "is the folder writable and the disk not full?")
            raise PartitionUnreadable("make", path, str(bad), hint) from bad
        _make_folder(os.path.dirname(path))
        return _create_private(path, again - 1)
    return True


def make_private(path: str) -> bool:
    """The database and what SQLite keeps beside it are their owner's alone again, as they were made; False where that
    fails: it belongs to somebody else, who decides."""
    try:
        for one in (path, path + "-wal", path + "-shm"):
            if one == path or os.path.exists(one):
                os.chmod(one, 0o600)
    except OSError:
        return False
    return True


def _make_folder(folder: str) -> None:
    """The folder of one day: trouble with it is that day's, not the root's. `logs/` is touched, so that who has listed
    many folders needs to look at that one alone (`catalog.py`)."""
    try:
        make_private_dir(folder)
    except RootError as bad:
        raise PartitionUnreadable("make the folder", bad.path, bad.reason, bad.hint) from bad
    logs = os.path.dirname(os.path.dirname(os.path.dirname(folder)))
    if os.path.basename(logs) == "logs":
        try:  # noqa: SIM105  contextlib is not for the hook
            os.utime(logs)
        except OSError:
            pass  # the day is seen when all folders are looked at


def _load_extension(path: str) -> bool:
    """Load the C module of this file as `_sqlite3`; False where it is gone, or of another version of Python."""
    import _imp

    if not path.endswith(_imp.extension_suffixes()[0]):
        return False
    spec: Any = type(sys.__spec__)("_sqlite3", None, origin=path)
    try:
        module = _imp.create_dynamic(spec)
        _imp.exec_dynamic(module)
    except ImportError:
        return False
    sys.modules["_sqlite3"] = module
    return True


def _pysqlite3_folders() -> "list[str]":
    """Where pysqlite3 may lie: on the path, beside this package, or in the interpreter's virtual environment."""
    here = os.path.dirname(place.PACKAGE)
    lib = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    env = os.path.dirname(os.path.dirname(sys.executable or ""))
    places = [
        *sys.path,
        here,
        os.path.join(env, "lib", lib, "site-packages"),
        os.path.join(env, "Lib", "site-packages"),
    ]
    folders = []
    for one in places:
        folder = os.path.join(one, "pysqlite3")
        if folder not in folders and os.path.isfile(os.path.join(folder, "dbapi2.py")):
            folders.append(folder)
    return folders
