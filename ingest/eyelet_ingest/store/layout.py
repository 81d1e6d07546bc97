"""PartitionKey ↔ path. The only code that knows `logs/<context>/<year>/<day-of-year>/logs.sqlite`.

Plain functions without imports beyond the built-in modules: the hook runs this file on every tool call.
Times are integer microseconds since 1970-01-01T00:00:00Z; a day is a UTC day of 86,400 seconds. The calendar is
worked out here: the C library's `gmtime` counts leap seconds where TZ names one of the `right/` zones.
"""

from eyelet_ingest.system import os

DAY_US = 86_400_000_000
# The folder holds four digits and an id has to stay below 2**53, so that browsers keep it exact.
FIRST_YEAR, LAST_YEAR = 1970, 2254
CONTEXT_MAX_CHARS = 64
TOMBSTONES = "tombstones.sqlite"  # at the root: what was deleted (tombstones.py)
DEFAULT_CONTEXT = "default"
ARCHIVE_SUFFIX = ".sqlite.xz"
MEMORY = "file:/eyelet-memory/"  # how a root that is in memory begins (memory.py); no path of a file does

_SAFE = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_-")


class PartitionKey:
    """One context's one UTC day. `context` is the safe name, `day` the day of the year from 1."""

    __slots__ = ("context", "day", "year")

    def __init__(self, context: str, year: int, day: int) -> None:
        self.context, self.year, self.day = context, year, day

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PartitionKey) and self._parts() == other._parts()

    def __lt__(self, other: "PartitionKey") -> bool:
        """In order of time, then of context."""
        return (self.year, self.day, self.context) < (other.year, other.day, other.context)

    def __hash__(self) -> int:
        return hash(self._parts())

    def __repr__(self) -> str:
        return f"PartitionKey({self.context!r}, {self.year}, {self.day})"

    def _parts(self) -> tuple[str, int, int]:
        return (self.context, self.year, self.day)

    @property
    def bounds_us(self) -> tuple[int, int]:
        """The day's first microsecond and the next day's first."""
        start = (_days_before_year(self.year) + self.day - 1) * DAY_US
        return start, start + DAY_US

    @property
    def date(self) -> str:
        """The day as ISO 8601, e.g. `2026-03-20`."""
        month, day = 1, self.day
        for days in (31, 28 + _days_in_year(self.year) - 365, 31, 30, 31, 30, 31, 31, 30, 31, 30):
            if day <= days:
                break
            month, day = month + 1, day - days
        return f"{self.year:04d}-{month:02d}-{day:02d}"

    @property
    def mount_name(self) -> str:
        """The name of this day's database in Datasette: `<context>-<YYYY>-<DDD>`."""
        return f"{self.context}-{self.year:04d}-{self.day:03d}"


def safe_context(given: str) -> str:
    """The canonical name of a context: `[a-z0-9_-]`, 1 to 64 characters, never a path.

    Where making it safe changed anything, 6 hex digits of the given name's BLAKE2b follow, so that two names
    never share a folder. A safe name is its own canonical name; nothing given is `default`.
    """
    if not given:
        return DEFAULT_CONTEXT
    if len(given) <= CONTEXT_MAX_CHARS and _SAFE.issuperset(given):
        return given
    from _blake2 import blake2b

    digest = blake2b(given.encode("utf-8", "surrogatepass"), digest_size=3).hexdigest()
    safe = "".join(char if char in _SAFE else "_" for char in given.lower())
    return f"{safe[: CONTEXT_MAX_CHARS - 7]}-{digest}"


def key_for(context: str, time_us: int) -> PartitionKey:
    """The partition of an event of the safe context name `context` at `time_us`; ValueError outside 1970–2254."""
    days = int(time_us // DAY_US)
    year = 1970 + days * 400 // 146_097  # the days of 400 years; at most one off at a year's end
    year += (days >= _days_before_year(year + 1)) - (days < _days_before_year(year))
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise ValueError(f"no partition for the year {year}: {FIRST_YEAR} to {LAST_YEAR} have one")
    return PartitionKey(context, year, days - _days_before_year(year) + 1)


def logs_dir(root: str) -> str:
    return os.path.join(root, "logs")


def partition_dir(root: str, key: PartitionKey) -> str:
    return os.path.join(root, "logs", key.context, f"{key.year:04d}", f"{key.day:03d}")


def db_path(root: str, key: PartitionKey) -> str:
    return os.path.join(partition_dir(root, key), "logs.sqlite")


def side_path(path: str, side: str) -> str:
    """What SQLite keeps beside the database at `path`: `side` is "-wal", "-shm" or "-journal". Where the path is a link
    that is beside the file it leads to (since SQLite 3.10: https://www.sqlite.org/howtocorrupt.html)."""
    return (os.path.realpath(path) if os.path.islink(path) else path) + side


def archive_dir(root: str) -> str:
    return os.path.join(root, "archive")


def archive_path(root: str, key: PartitionKey) -> str:
    """The compact copy of a day, where it has one (`archives.py`)."""
    return os.path.join(archive_dir(root), key.context, f"{key.year:04d}", f"{key.day:03d}{ARCHIVE_SUFFIX}")


def lock_path(root: str, key: PartitionKey) -> str:
    """The file whose flock makes its holder the day's only writer, or the only one who removes or rewrites it."""
    return os.path.join(partition_dir(root, key), "logs.lock")


def key_from_parts(context: str, year: str, day: str) -> PartitionKey | None:
    """The key that three folder names spell, or None where they are not ours to read."""
    if not (_digits(year, 4) and _digits(day, 3) and context and safe_context(context) == context):
        return None
    key = PartitionKey(context, int(year), int(day))
    if not FIRST_YEAR <= key.year <= LAST_YEAR or not 1 <= key.day <= _days_in_year(key.year):
        return None
    return key


def key_from_path(path: str) -> PartitionKey | None:
    """The key of a database path, relative or absolute, or None: the inverse of `db_path`."""
    parts = path.replace(os.sep, "/").split("/")
    if len(parts) < 5 or parts[-1] != "logs.sqlite" or parts[-5] != "logs":
        return None
    return key_from_parts(parts[-4], parts[-3], parts[-2])


def key_from_mount_name(name: str) -> PartitionKey | None:
    """The key of a mount name, read from the right: a context may hold dashes."""
    parts = name.rsplit("-", 2)
    return key_from_parts(*parts) if len(parts) == 3 else None


def _digits(text: str, length: int) -> bool:
    return len(text) == length and text.isascii() and text.isdigit()


def _days_in_year(year: int) -> int:
    return _days_before_year(year + 1) - _days_before_year(year)


def _days_before_year(year: int) -> int:
    """Days from 1970-01-01 to 1 January of `year`, in the Gregorian calendar."""
    before = year - 1
    return before * 365 + before // 4 - before // 100 + before // 400 - 719_162
