"""WAL, or a roll-back journal where WAL cannot work: chosen once, when a file is made. Its header remembers it.

WAL needs memory that all who have the file open share, which the machines that mount a network file system do not.
Loaded only for a file that is made: the hook pays for it once a day.
"""

from eyelet_ingest.store.connect import is_passing
from eyelet_ingest.system import os

TYPE_CHECKING = False  # importing typing costs the hook more than its insert
if TYPE_CHECKING:
    from typing import Any

MOUNTS = "/proc/self/mountinfo"
# The shared memory of WAL is not shared between the machines that mount these.
NETWORK_FILE_SYSTEMS = frozenset(
    (
        *("nfs", "nfs3", "nfs4", "cifs", "smb2", "smb3", "smbfs", "ncpfs", "afs", "coda", "ceph", "lustre", "gpfs"),
        *("beegfs", "glusterfs", "ocfs2", "gfs2", "orangefs", "pvfs2", "davfs", "fuse.sshfs", "fuse.glusterfs"),
        *("fuse.ceph", "fuse.rclone", "fuse.davfs2", "fuse.s3fs", "fuse.curlftpfs", "fuse.juicefs"),
    )
)


def choose(conn: "Any", path: str, chosen: "Any", busy_ms: int) -> "Any":
    """WAL for a file that holds nothing yet, or a roll-back journal where WAL cannot work; the connection to use then.

    SQLite answers with the old journal where it has no shared memory at all, and fails to write where the shared
    memory cannot be made. In exclusive mode a new connection needs none: that is the way back.
    """
    if on_network(path):
        return conn
    try:
        conn.execute("pragma journal_mode = wal").fetchone()
        conn.execute("begin immediate")
        conn.execute("rollback")
        return conn
    except chosen.OperationalError as bad:
        if is_passing(str(bad)):
            raise
        conn.close()
    conn = chosen.connect(path, timeout=busy_ms / 1000, isolation_level=None, check_same_thread=False)
    try:
        conn.execute("pragma locking_mode = exclusive").fetchone()
        conn.execute("pragma journal_mode = delete").fetchone()
        conn.execute("pragma locking_mode = normal").fetchone()
        conn.execute("select count(*) from sqlite_master").fetchone()
        return conn
    except chosen.Error:
        conn.close()
        raise


def on_network(path: str) -> bool:
    """Whether `path` lies on a file system that other machines may mount too; False where the system does not say."""
    try:
        with open(MOUNTS, encoding="utf-8", errors="surrogateescape") as file:
            mounts = file.read()
    except OSError:
        return False
    return file_system_of(os.path.realpath(path), mounts) in NETWORK_FILE_SYSTEMS


def file_system_of(path: str, mounts: str) -> str:
    """The type of the file system that holds the absolute `path`, by the text of /proc/self/mountinfo; "" if none."""
    found, length = "", 0
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        parts = before.split(" ")
        if len(parts) < 5 or not after:
            continue
        at = parts[4].replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
        if (path == at or path.startswith(at.rstrip("/") + "/")) and len(at) >= length:
            found, length = after.split(" ")[0], len(at)  # of two at one place the later one covers the earlier
    return found
