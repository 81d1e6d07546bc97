"""Events as JSON files: `<root>/json/<type>/<tool>/<date>/<time>_<uid>.json`, one for each event, whole or not at all.

The other format beside the days of SQLite (`logging.format: json` or `both`). A file holds what a row holds: the
columns that have a value, `data` and `meta` as JSON. Light: the hook imports it where it is wanted.
"""

import time

from eyelet_ingest.jsontext import dumps
from eyelet_ingest.store.identity import make_private_dir, put_whole
from eyelet_ingest.store.layout import safe_context
from eyelet_ingest.system import os

TYPE_CHECKING = False  # importing typing costs the hook more than its insert
if TYPE_CHECKING:
    from collections.abc import Iterator

    from eyelet_ingest.events import Event

FOLDER = "json"
NO_TOOL = "no-tool"
FORMAT = 1
NAME_CHARS = 64
_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
COLUMNS = (
    *("session_id", "hook_type", "tool_name", "tool_use_id", "status", "src", "loglevel", "error", "origin", "agent"),
    *("agent_id", "role", "model", "duration_ms", "project_dir", "hostname", "ip_address"),
)


def write(root: str, given: str, event: "Event") -> str:
    """Write the event's file, 0600; its path. OSError or RootError where that fails: then there is none."""
    folder, name = place_of(root, event)
    head = {"v": FORMAT, "uid": event.uid.hex(), "time_us": event.time_us, "context": given}
    for column in COLUMNS:
        value = getattr(event, column)
        if value is not None:
            head[column] = value
    if event.meta:
        head["meta"] = event.meta
    content = f'{dumps(head)[:-1]},"data":{event.data}}}\n'.encode("utf-8", "replace")
    make_private_dir(folder)
    path, mine = os.path.join(folder, name), os.path.join(folder, f".{name}.{os.getpid()}")
    handle = os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
    put_whole(handle, content, mine, path)
    return path


def place_of(root: str, event: "Event") -> "tuple[str, str]":
    """The folder and the name of the event's file, whatever its type and its tool are called."""
    seconds, micros = divmod(max(event.time_us, 0), 1_000_000)
    then = time.gmtime(seconds)
    date = f"{then.tm_year:04d}-{then.tm_mon:02d}-{then.tm_mday:02d}"
    folder = os.path.join(root, FOLDER, _safe_name(event.hook_type), _safe_name(event.tool_name or NO_TOOL), date)
    clock = f"{then.tm_hour:02d}{then.tm_min:02d}{then.tm_sec:02d}.{micros:06d}"
    return folder, f"{clock}_{event.uid.hex()[:12]}.json"


def _safe_name(name: str) -> str:
    """The name as a folder's, never a path; where that changes it, a hash keeps it apart from others."""
    if name and len(name) <= NAME_CHARS and _SAFE.issuperset(name):
        return name
    return safe_context(name) if name else NO_TOOL


def files(root: str, unfinished: bool = False) -> "Iterator[str]":
    """The paths of all whole files under `root`, a type, a tool and a date at a time; with those that are `unfinished`,
    if wanted: a killed hook left them, or one is writing."""
    for folder, folders, names in os.walk(os.path.join(root, FOLDER)):
        folders.sort()
        for name in sorted(names):
            is_whole = name[0] != "." and name.endswith(".json")
            if is_whole or (unfinished and name[0] == "." and ".json." in name):
                yield os.path.join(folder, name)


def read(path: str) -> "dict[str, object]":
    """What a file of ours holds; BadInput where it is none, OSError where it cannot be read."""
    from eyelet_ingest.errors import BadInput
    from eyelet_ingest.jsontext import parse

    with open(path, "rb") as file:
        value = parse(file.read().decode("utf-8", "replace"))
    if not isinstance(value, dict) or value.get("v") != FORMAT or "data" not in value:
        raise BadInput("read", path, "it is no event of this format")
    return value
