"""JSON objects of any shape → Event, by a mapping that says where each field of ours stands in them.

    time=ts,src=logger,level=severity,message=msg          fields, each from a path
    src=logger.name|app,src==myapp                         the first path that is there, else the constant
    level:notable=warn                                     a level of theirs as one of ours

A path is a key, or keys joined by dots into inner objects (a number counts into a list); a key that itself has dots is
found first. `data` stays the whole record.
"""

from collections import Counter
from collections.abc import Iterable
from collections.abc import Mapping as Readable
from dataclasses import dataclass, field
from difflib import get_close_matches

from eyelet_ingest.errors import BadInput
from eyelet_ingest.events import Event
from eyelet_ingest.sources import log
from eyelet_ingest.sources.failure import message_of
from eyelet_ingest.sources.text import PATH_MAX_CHARS, duration_ms, optional, plain
from eyelet_ingest.sources.times import payload_time_us

LEVELS = ("debug", "info", "warn", "error")
# What may stand before the `=` → the field it means.
FIELDS = {
    **dict.fromkeys(("time", "timestamp", "epoch"), "time"),
    "src": "src",
    **dict.fromkeys(("level", "loglevel"), "level"),
    **dict.fromkeys(("message", "content"), "message"),
    "error": "error",
    **dict.fromkeys(("context", "context_name"), "context"),
    **dict.fromkeys(("session", "session_id"), "session_id"),
    **dict.fromkeys(("type", "hook_type"), "hook_type"),
    **dict.fromkeys(("tool", "tool_name"), "tool_name"),
    **dict.fromkeys(("host", "hostname"), "hostname"),
    **dict.fromkeys(("project", "project_dir"), "project_dir"),
    **{name: name for name in ("tool_use_id", "agent", "agent_id", "role", "model", "ip_address", "duration_ms")},
}
_TEXTS = ("session_id", "hook_type", "tool_name", "tool_use_id", "agent", "agent_id", "role", "model", "hostname")
_FORMS = "write FIELD=PATH, FIELD==CONSTANT or level:THEIRS=OURS, several with commas between"
NOTED_LEVELS, LEVELS_COUNTED = 5, 1_000
_NOTHING = object()
_TOLD = frozenset(("message", "content", "msg", "text"))  # fields whose text is shown as what happened


@dataclass(slots=True)
class Mapping:
    """Where the fields stand: of each the paths in the order they are asked, and what counts where none is there."""

    paths: dict[str, list[str]] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)
    levels: dict[str, str] = field(default_factory=dict)

    def fits(self, record: "Readable[str, object]") -> bool:
        """Whether the record has any of the paths: one that has none is of another shape."""
        asked = [path for paths in self.paths.values() for path in paths]
        return not asked or any(_at(record, path) is not _NOTHING for path in asked)

    def lacking(self) -> str:
        """Why a record that does not fit is not taken."""
        asked = sorted({path for paths in self.paths.values() for path in paths})
        return f"it has none of the fields that --map names: {', '.join(asked)}"

    def time_us(self, record: "Readable[str, object]") -> int | None:
        """The record's own time in microseconds, None where it has none, or none that can be read."""
        return payload_time_us(self._value("time", record))

    def original_time(self, record: "Readable[str, object]") -> str:
        """What the record says of its time, "" where it says nothing."""
        return plain(self._value("time", record), 100)

    def context_of(self, record: "Readable[str, object]") -> str:
        """The given name of the record's context, "" where it names none."""
        return plain(self._value("context", record), 1_000)

    def normalise(self, record: "Readable[str, object]", data: str) -> Event:
        """The event of a redacted record and its JSON text. The time and the uid are the caller's to set."""
        texts = {name: optional(self._value(name, record)) for name in _TEXTS}
        failed, told = _failure(self._value("error", record))
        message = self._value("message", record)
        level = self._value("level", record)
        level = self.levels.get(plain(level, 60).lower(), level)
        is_error = failed or (failed is None and log.level_of(level) == "error")
        event = log.event_of(
            data,
            src=plain(self._value("src", record), 1_000),
            level=level,
            failed=failed,
            told=told or (plain(message, 2_000) if is_error else ""),
            **{name: value for name, value in texts.items() if value},
            ip_address=optional(self._value("ip_address", record)),
            project_dir=optional(self._value("project_dir", record), PATH_MAX_CHARS),
            duration_ms=duration_ms(self._value("duration_ms", record)),
        )
        if plain(message) and not _TOLD.intersection(self.paths.get("message", ())):
            event.meta["message"] = plain(message, 2_000)  # where a list of events would not find it
        return event

    def _value(self, name: str, record: "Readable[str, object]") -> object:
        for path in self.paths.get(name, ()):
            found = _at(record, path)
            if found is not _NOTHING and found is not None and found != "":
                return found
        return self.constants.get(name)


def parse(texts: Iterable[str]) -> Mapping:
    """The mapping that the texts spell; BadInput, naming the nearest right field, for one that cannot be."""
    mapping = Mapping()
    for item in (piece.strip() for text in texts for piece in text.split(",")):
        if not item:
            continue
        name, equals, said = item.partition("=")
        name, said = name.strip(), said.strip()
        if not equals or not said.lstrip("="):
            raise BadInput("cannot read the mapping", repr(item), "it says no field and where it stands", _FORMS)
        if name.lower().startswith(("level:", "loglevel:")):
            mapping.levels[name.partition(":")[2].strip().lower()] = _level(item, said)
            continue
        ours = _field(name)
        if said.startswith("="):
            mapping.constants[ours] = _constant(ours, said[1:].strip())
        else:
            mapping.paths.setdefault(ours, []).extend(path.strip() for path in said.split("|") if path.strip())
    if not (mapping.paths or mapping.constants):
        raise BadInput("cannot read the mapping", reason="it names no field", hint=_FORMS)
    return mapping


def _field(name: str) -> str:
    known = FIELDS.get(name.lower())
    if known:
        return known
    near = get_close_matches(name.lower(), FIELDS, 1, 0.5)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(FIELDS)}"
    raise BadInput("the mapping has no field", repr(name), "", hint)


def _level(item: str, said: str) -> str:
    if said not in LEVELS:
        near = get_close_matches(said.lower(), LEVELS, 1, 0.4)
        hint = f"did you mean {near[0]}?" if near else f"write one of {', '.join(LEVELS)}"
        raise BadInput("cannot read the mapping", repr(item), f"{said!r} is no level of ours", hint)
    return said


def _constant(name: str, said: str) -> str:
    if name == "level" and log.level_of(said) is None:
        return _level(f"level=={said}", said)
    if name == "time" and payload_time_us(said) is None:
        raise BadInput("cannot read the mapping", repr(f"time=={said}"), "it is no time", "write ISO 8601 or an epoch")
    return said


def _at(record: "Readable[str, object]", path: str) -> object:
    """What stands at the path; _NOTHING where nothing does."""
    if path in record:
        return record[path]
    keys = path.split(".")
    for at in range(len(keys) - 1, 0, -1):  # the longest key first: keys may have dots
        inner = record.get(".".join(keys[:at]), _NOTHING)
        rest = ".".join(keys[at:])
        if isinstance(inner, dict) and (found := _at(inner, rest)) is not _NOTHING:
            return found
        if isinstance(inner, list) and keys[at].isdigit() and int(keys[at][:9]) < len(inner):
            item, beyond = inner[int(keys[at][:9])], ".".join(keys[at + 1 :])
            if not beyond:
                return item
            if isinstance(item, dict) and (found := _at(item, beyond)) is not _NOTHING:
                return found
    return _NOTHING


def _failure(value: object) -> "tuple[bool | None, str]":
    """Whether the record says that it failed, None where it does not say; and what it says of it."""
    if value is None or isinstance(value, list):
        return None, ""
    if isinstance(value, bool) or value in (0, 1):
        return bool(value), ""
    if isinstance(value, str) and value.lower() in ("", "0", "false", "no", "none", "null", "1", "true", "yes"):
        return value.lower() in ("1", "true", "yes"), ""
    return True, message_of(value)


# Shapes that are known without a mapping: only where nothing else looks like it.
_BUNYAN = parse(["time=time,src=name,level=level,message=msg,host=hostname,error=err"])
_JOURNAL = parse(
    ["time=__REALTIME_TIMESTAMP,src=SYSLOG_IDENTIFIER|_COMM,level=PRIORITY,message=MESSAGE,host=_HOSTNAME"]
)
_TABLE = parse(["time=epoch,src=src,level=loglevel,message=content,error=error,context=context_name"])


def well_known(record: "Readable[str, object]") -> Mapping | None:
    """The mapping of a record of bunyan, pino, `journalctl -o json` or a log in one table; None for any other."""
    get = record.get
    if type(get("level")) is int and "pid" in record and "hostname" in record and "time" in record:
        return _BUNYAN
    if "__REALTIME_TIMESTAMP" in record and "MESSAGE" in record:
        return _JOURNAL
    if "logid" in record and "epoch" in record and "src" in record and "content" in record:
        return _TABLE
    return None


def count(levels: "Counter[str]", level: object) -> None:
    """Count a level that is none of ours; beyond LEVELS_COUNTED different ones nobody would read them."""
    name = plain(level, 60)
    if name in levels or len(levels) < LEVELS_COUNTED:
        levels[name] += 1


def levels_note(levels: "Readable[str, int]") -> list[str]:
    """What a person should know of levels that are none of ours, and how often each was met."""
    if not levels:
        return []
    most = sorted(levels.items(), key=lambda pair: (-pair[1], pair[0]))
    said = ", ".join(f"{name!r} ({count:,})" for name, count in most[:NOTED_LEVELS])
    more = f" and {len(most) - NOTED_LEVELS:,} more" if len(most) > NOTED_LEVELS else ""
    return [
        f"levels that are none of debug, info, warn and error: {said}{more}. They count as info, and as error where "
        f"the event failed; --map level:{most[0][0]}=warn says what one means"
    ]
