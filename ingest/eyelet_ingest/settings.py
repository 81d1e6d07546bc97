"""The settings: which there are, what they may be, and which value holds where.

Later ones win: the default, the global file (`~/.eyelet/eyelet.yaml`, or EYELET_CONFIG), the project's (`eyelet.yaml`
in the project's folder or the nearest one above it, up to the git root), the environment, the command line. A project's
file comes with whatever one clones, so it may not say where things are written but inside the project.

Over 400 lines, as a quarter of them is the table of the settings, which belongs beside what judges their values.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from math import inf
from typing import Any

from eyelet_ingest import git_facts
from eyelet_ingest.errors import BadInput
from eyelet_ingest.settings_file import Found, read

FILE_NAME = "eyelet.yaml"
HOME = "~/.eyelet"
MOST_FIELDS, MOST_FIELDS_CHARS = 100, 10_000  # every event gets them
MOST_NAME_CHARS = 200
MOST_URL_CHARS, MOST_WORDS = 2_000, 50
MOST_PATTERNS, MOST_ALLOWED, MOST_PATTERN_CHARS = 50, 500, 500  # hooks read them all
ORIGINAL_NAMES = {"logging.path": "logging.project_path"}  # as the original Eyelet had it, too


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its dotted name, what it may be, its default, the variable of the environment that changes it, and
    whether a project's file may."""

    name: str
    kind: str  # flag, word, path, inner path, name, count, names, fields, patterns, values, url or command
    default: Any
    help: str
    variable: str = ""
    of_project: bool = True
    words: tuple[str, ...] = ()
    most: int = 0
    only_off: bool = False  # a project's file may switch it off, and not on again


SETTINGS = (
    Setting("logging.enabled", "flag", True, "record anything at all", "EYELET_ENABLED", only_off=True),
    Setting(
        "logging.format",
        "word",
        "sqlite",
        "what an event is written as: rows of days, JSON files, or both",
        "EYELET_FORMAT",
        words=("json", "sqlite", "both"),
    ),
    Setting(
        "logging.scope",
        "word",
        "global",
        "where: into the global root, the project's, or both",
        "EYELET_SCOPE",
        words=("global", "project", "both"),
    ),
    Setting("logging.global_path", "path", HOME, "the global root", "EYELET_ROOT", of_project=False),
    Setting("logging.project_path", "inner path", ".eyelet-hooks", "the project's root, inside it"),
    Setting("logging.add_to_gitignore", "flag", True, "keep the project's root out of its git"),
    Setting(
        "context", "name", "default", "the context to record into; `project`: the project's name", "EYELET_CONTEXT"
    ),
    Setting("metadata.include_hostname", "flag", True, "record the machine's name", only_off=True),
    Setting("metadata.include_ip", "flag", True, "record the machine's address", only_off=True),
    Setting("metadata.include_git", "flag", True, "record branch, commit and remote", only_off=True),
    Setting("metadata.include_environment", "flag", True, "record the variables that are allowed", only_off=True),
    Setting(
        "metadata.environment",
        "names",
        ("CLAUDE*", "EYELET*"),
        "variables that may be recorded; a star at the end for all that begin so",
        of_project=False,
    ),
    Setting("metadata.custom_fields", "fields", {}, "what every event's meta gets besides"),
    Setting(
        "limits.payload_kib", "count", 65_536, "a longer payload is cut, and says so; 0 for no limit", most=262_144
    ),
    Setting(
        "redaction.patterns",
        "patterns",
        {},
        "what is redacted besides: names, each with a regular expression; a group named `secret` is the part that goes",
        of_project=False,
    ),
    Setting(
        "redaction.allow",
        "values",
        (),
        "values that stay, whatever rule takes them for a secret; between slashes a regular expression of all of one",
        of_project=False,
    ),
    Setting("limits.repeated", "flag", False, "keep what a response repeats of its request a second time"),
    Setting(
        "health.wal_warn_mib",
        "count",
        64,
        "a WAL of a day that is larger is a warning",
        of_project=False,
        most=1_000_000_000,
    ),
    Setting(
        "health.wal_error_mib", "count", 512, "and one that is larger, an error", of_project=False, most=1_000_000_000
    ),
    Setting(
        "health.wal_age_warn_s",
        "count",
        86_400,
        "seconds that a WAL may wait, nobody writing, to be brought into its file",
        of_project=False,
        most=1_000_000_000,
    ),
    Setting(
        "health.free_warn_percent",
        "count",
        10,
        "of the disk: with less free room there is a warning",
        of_project=False,
        most=100,
    ),
    Setting("health.free_error_percent", "count", 3, "and with less, an error", of_project=False, most=100),
    Setting(
        "health.days_left_warn",
        "count",
        30,
        "days until the disk is full as things grow",
        of_project=False,
        most=1_000_000_000,
    ),
    Setting(
        "health.fragmented_warn_percent", "count", 25, "of a day's file that is empty pages", of_project=False, most=100
    ),
    Setting("health.spool_warn", "count", 1, "events that wait in the spool", of_project=False, most=1_000_000_000),
    Setting("health.spool_error", "count", 10_000, "and so many are an error", of_project=False, most=1_000_000_000),
    Setting("health.quarantine_warn", "count", 1, "records in the quarantine", of_project=False, most=1_000_000_000),
    Setting(
        "health.text_lag_warn_rows",
        "count",
        100_000,
        "rows of a day that the text index does not hold yet",
        of_project=False,
        most=1_000_000_000,
    ),
    Setting(
        "health.capture_p99_warn_ms",
        "count",
        500,
        "the slowest of a hundred hooks, in ms",
        of_project=False,
        most=1_000_000_000,
    ),
    Setting(
        "health.query_p99_warn_ms",
        "count",
        1_000,
        "the slowest of a hundred questions, in ms",
        of_project=False,
        most=1_000_000_000,
    ),
    Setting(
        "health.silent_warn_hours",
        "count",
        72,
        "hours in which an agent that is installed recorded nothing",
        of_project=False,
        most=1_000_000_000,
    ),
    Setting(
        "health.clock_warn_s",
        "count",
        60,
        "seconds that clock and recordings may differ",
        of_project=False,
        most=1_000_000_000,
    ),
    Setting(
        "health.missed_warn",
        "count",
        1,
        "calls of sessions that are not recorded, though a recorder was there",
        of_project=False,
        most=1_000_000_000,
    ),
    Setting(
        "health.open_files_warn_percent",
        "count",
        80,
        "of the files that a process may open",
        of_project=False,
        most=100,
    ),
    Setting("health.score_warn", "count", 80, "a score below it is an alert", of_project=False, most=100),
    Setting("health.score_error", "count", 50, "and one below it, a grave one", of_project=False, most=100),
    Setting(
        "health.checkpoint_strategy",
        "name",
        "ConversationWorkload",
        "when write-ahead logs go into their files by themselves; `none`: SQLite's own checkpoints alone",
        of_project=False,
    ),
    Setting(
        "health.alert_webhook", "url", "", "where alerts are posted to, as JSON; empty for nowhere", of_project=False
    ),
    Setting(
        "health.alert_command",
        "command",
        (),
        "a program and its arguments that is told of alerts, as JSON on its standard input",
        of_project=False,
    ),
)
BY_NAME = {setting.name: setting for setting in SETTINGS}
DISABLED = "EYELET_DISABLED"  # what the agent's environment may say, in its own words


@dataclass(frozen=True, slots=True)
class Value:
    """A value that holds and where it is from: `default`, `FILE:LINE`, a variable's name or a flag's."""

    value: Any
    origin: str


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting's value, by its dotted name; `project` is the folder that the project's part is about, or ""."""

    values: dict[str, Value]
    project: str = ""
    files: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Any:
        return self.values[name].value

    @property
    def root(self) -> str:
        """The global root, absolute."""
        return os.path.abspath(os.path.expanduser(str(self["logging.global_path"])))

    @property
    def project_root(self) -> str:
        """The project's own root, absolute; "" where there is no project."""
        return os.path.join(self.project, str(self["logging.project_path"])) if self.project else ""


def effective(start: str = "", given: Mapping[str, tuple[Any, str]] | None = None) -> Settings:
    """The settings that hold for work in the folder `start`; `given` are flags of the command line: name → (value,
    flag). BadInput with file and line, variable or flag for what cannot be."""
    held = of_files(global_file(), project_file(start) if start else "")
    values = {**held.values, **_from_environment()}
    for name, (value, flag) in (given or {}).items():
        values[name] = Value(checked(BY_NAME[name], value, flag), flag)
    return Settings(values, project_of(start) if start else "", held.files)


def of_files(config: str, of_project: str) -> Settings:
    """What the global file and the project's say, without the environment; "" for a file that there is not."""
    values = {setting.name: Value(setting.default, "default") for setting in SETTINGS}
    files = []
    for path, by_project in ((config, False), (of_project, True)):
        found = read(path) if path else None
        if found is not None:
            files.append(path)
            for name, value in _from_file(found, path, by_project).items():
                values[name] = _narrowed(BY_NAME[name], values[name], value) if by_project else value
    return Settings(values, files=tuple(files))


def _narrowed(setting: Setting, held: Value, of_project: Value) -> Value:
    """What holds where a project's file says something else than what held before it."""
    if setting.only_off and held.value is False and of_project.value is True:
        return Value(False, f"{held.origin} ({of_project.origin} may only switch it off)")
    return of_project


def compiled(held: Settings) -> dict[str, Any]:
    """The settings as `surroundings.py` takes them: plain values that `marshal` can keep."""
    return {
        "enabled": held["logging.enabled"],
        "format": held["logging.format"],
        "scope": held["logging.scope"],
        "root": held["logging.global_path"],
        "project_path": held["logging.project_path"],
        "add_to_gitignore": held["logging.add_to_gitignore"],
        "context": held["context"],
        "hostname": held["metadata.include_hostname"],
        "ip": held["metadata.include_ip"],
        "git": held["metadata.include_git"],
        "environment": held["metadata.environment"] if held["metadata.include_environment"] else (),
        "custom_fields": held["metadata.custom_fields"],
        "payload_kib": held["limits.payload_kib"],
        "repeated": held["limits.repeated"],
        **_redaction(held["redaction.patterns"], held["redaction.allow"]),
    }


def of_redaction(path: str) -> dict[str, Any]:
    """`patterns` and `allowed` of the global file at `path`, as `compiled` answers them, whatever else is wrong in it.

    BadInput with file and line for what is wrong in these, or for a file that is no YAML."""
    found = {name: one for name, one in (read(path) or {}).items() if name.split(".")[0] == "redaction"}
    values = {name: value.value for name, value in _from_file(found, path, False).items()}
    return _redaction(values.get("redaction.patterns", {}), values.get("redaction.allow", ()))


def _redaction(patterns: "dict[str, str]", allowed: "tuple[str, ...]") -> dict[str, Any]:
    if not (patterns or allowed):
        return {"patterns": (), "allowed": ()}
    from eyelet_ingest import own_patterns

    return {"patterns": own_patterns.compiled(patterns), "allowed": own_patterns.compiled_allowed(allowed)}


def global_file() -> str:
    """The path of the global file, which need not be there."""
    return os.path.abspath(os.path.expanduser(os.environ.get("EYELET_CONFIG") or os.path.join(HOME, FILE_NAME)))


def project_of(start: str) -> str:
    """The git working tree that `start` lies in, or `start` itself."""
    return git_facts.folder_of(start)[0] or os.path.abspath(start)


def project_file(start: str) -> str:
    """The project's file for work in `start`: of the nearest folder that has one, up to the git root; "" without."""
    tree, _ = git_facts.folder_of(start)
    folder = os.path.abspath(start)
    while True:
        path = os.path.join(folder, FILE_NAME)
        if os.path.isfile(path) and path != global_file():
            return path
        above = os.path.dirname(folder)
        if folder in (tree, above):
            return ""
        folder = above


def checked(setting: Setting, value: Any, where: str, inner: Sequence[str] = ()) -> Any:
    """The value as it is kept; BadInput, with `where` and what it may be, for another. `inner` says of each name or
    value in it where it stands."""
    may_be, good = _judged(setting, value)
    if not good:
        raise BadInput("read settings", where, f"{setting.name} cannot be {_shown(setting, value)}", may_be)
    if setting.kind in ("patterns", "values") and value:
        from eyelet_ingest import own_patterns

        for one, place in zip(value, inner or [where] * len(value), strict=True):
            if setting.kind == "patterns":
                own_patterns.check_pattern(one, value[one], place)
            else:
                own_patterns.check_allowed(one, place)
    if setting.kind in ("names", "values", "command"):
        return tuple(value)
    return dict(value) if setting.kind in ("fields", "patterns") else value


def json_schema() -> dict[str, Any]:
    """What a file may hold, as a JSON schema for editors."""
    top: dict[str, Any] = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "eyelet.yaml",
        "type": "object",
        "additionalProperties": False,
        "properties": {},
    }
    for setting in SETTINGS:
        *groups, name = setting.name.split(".")
        inside = top["properties"]
        for group in groups:
            empty = {"type": "object", "additionalProperties": False, "properties": {}}
            inside = inside.setdefault(group, empty)["properties"]
        inside[name] = {"description": setting.help, "default": _plain(setting.default), **_SCHEMAS[setting.kind]}
        if setting.words:
            inside[name]["enum"] = list(setting.words)
        if setting.kind == "count":
            inside[name]["maximum"] = setting.most
    return top


_SCHEMAS: dict[str, dict[str, Any]] = {
    "flag": {"type": "boolean"},
    "word": {"type": "string"},
    "path": {"type": "string", "minLength": 1},
    "inner path": {"type": "string", "minLength": 1, "pattern": "^[^/~]"},
    "name": {"type": "string", "minLength": 1, "maxLength": MOST_NAME_CHARS},
    "count": {"type": "integer", "minimum": 0},
    "names": {"type": "array", "items": {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*[*]?$"}},
    "fields": {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean", "null"]}},
    "patterns": {
        "type": "object",
        "maxProperties": MOST_PATTERNS,
        "propertyNames": {"pattern": "^[a-z][a-z0-9-]{0,39}$"},
        "additionalProperties": {"type": "string", "minLength": 1, "maxLength": MOST_PATTERN_CHARS},
    },
    "values": {
        "type": "array",
        "maxItems": MOST_ALLOWED,
        "items": {"type": "string", "minLength": 1, "maxLength": MOST_PATTERN_CHARS},
    },
    "url": {"type": "string", "pattern": "^$|^https?://[^/]", "maxLength": MOST_URL_CHARS},
    "command": {"type": "array", "maxItems": MOST_WORDS, "items": {"type": "string", "minLength": 1}},
}


def _from_file(found: dict[str, Found], path: str, of_project: bool) -> dict[str, Value]:
    values = {}
    groups = {name.rsplit(".", 1)[0] for name in BY_NAME if "." in name}
    for given, one in found.items():
        name = ORIGINAL_NAMES.get(given, given)
        where = f"{path}:{one.line}"
        setting = BY_NAME.get(name)
        if setting is None:
            if name in groups and one.value is None:
                continue  # a group with nothing in it
            if name in groups:
                raise BadInput("read settings", where, f"{name} must hold settings", f"such as {_first_of(name)}")
            raise BadInput("read settings", where, f"there is no setting {given}", _nearest(given, (*BY_NAME, *groups)))
        if of_project and not setting.of_project:  # it came with whatever was cloned
            hint = f"set it in {global_file()}"
            raise BadInput("read settings", where, f"{name} cannot be set by a project", hint)
        inner = [f"{path}:{line}" for line in one.inner]
        values[name] = Value(checked(setting, one.value, where, inner), where)
    return values


def wrong_variables() -> list[BadInput]:
    """Of each variable of the environment that says what its setting cannot be, what is wrong."""
    wrong = []
    for setting in SETTINGS:
        try:
            _of_variable(setting)
        except BadInput as bad:
            wrong.append(bad)
    return wrong


def _of_variable(setting: Setting) -> Value | None:
    """What the environment says of a setting; None where it says nothing."""
    given = os.environ.get(setting.variable) if setting.variable else None
    if not given:
        return None
    value: Any = given
    if setting.kind == "flag":
        value = {"1": True, "true": True, "0": False, "false": False}.get(given.lower(), given)
    return Value(checked(setting, value, setting.variable), setting.variable)


def _from_environment() -> dict[str, Value]:
    said = {setting.name: _of_variable(setting) for setting in SETTINGS}
    values = {name: value for name, value in said.items() if value is not None}
    if os.environ.get(DISABLED, "0") not in ("", "0"):
        values["logging.enabled"] = Value(False, DISABLED)
    return values


def _judged(setting: Setting, value: Any) -> tuple[str, bool]:
    """What the setting may be, in words, and whether `value` is that."""
    kind, text = setting.kind, value if isinstance(value, str) else ""
    if kind == "flag":
        return "true or false", isinstance(value, bool)
    if kind == "word":
        return "one of " + ", ".join(setting.words), value in setting.words
    if kind == "count":
        return f"a whole number from 0 to {setting.most}", type(value) is int and 0 <= value <= setting.most
    if kind == "url":
        return "an address that begins with http:// or https://", value == "" or _is_url(text)
    if kind == "command":
        return f"a list of texts, a program and its arguments, {MOST_WORDS} at most", _are_words(value)
    if kind == "names":
        return "a list of names of variables, a star at the end allowed", _are_names(value)
    if kind == "fields":
        most = f"{MOST_FIELDS} and {MOST_FIELDS_CHARS} characters at most"
        return f"names with a text, a number, true or false each, {most}", _are_fields(value)
    if kind == "patterns":
        is_map = isinstance(value, dict) and len(value) <= MOST_PATTERNS
        return f"names with a regular expression each, {MOST_PATTERNS} at most", is_map
    if kind == "values":
        is_list = isinstance(value, (list, tuple)) and len(value) <= MOST_ALLOWED
        return f"a list of texts, {MOST_ALLOWED} at most", is_list
    if kind == "inner path":
        inside = bool(text) and "\0" not in text and not os.path.isabs(text) and not text.startswith("~")
        return "a folder inside the project", inside and ".." not in text.split("/") and os.path.normpath(text) != "."
    if kind == "name":
        fits = bool(text.strip()) and "\0" not in text and len(text) <= MOST_NAME_CHARS
        return f"a text of at most {MOST_NAME_CHARS} characters", fits
    return "a text", bool(text.strip()) and "\0" not in text


def _is_url(text: str) -> bool:
    rest = text.removeprefix("https://").removeprefix("http://")
    plain = text.isascii() and text.isprintable() and " " not in text
    return plain and rest != text and rest[:1] not in ("", "/") and len(text) <= MOST_URL_CHARS


def _are_words(value: Any) -> bool:
    if not isinstance(value, (list, tuple)) or len(value) > MOST_WORDS:
        return False
    return all(isinstance(one, str) and one and "\0" not in one for one in value)


def _are_names(value: Any) -> bool:
    def is_name(one: Any) -> bool:
        bare = one.removesuffix("*") if isinstance(one, str) else ""
        return bare.isidentifier() and bare.isascii()

    return isinstance(value, (list, tuple)) and all(map(is_name, value))


def _are_fields(value: Any) -> bool:
    if not isinstance(value, dict) or len(value) > MOST_FIELDS:
        return False
    if sum(len(str(one)) for pair in value.items() for one in pair) > MOST_FIELDS_CHARS:
        return False
    return all(
        isinstance(name, str) and isinstance(one, (str, int, float, bool)) and one not in (inf, -inf) and one == one
        for name, one in value.items()
    )


def _nearest(given: str, names: Iterable[str]) -> str:
    """A hint: the name that was probably meant, by the whole of it or by its last part."""
    names = list(names)
    near = get_close_matches(given, names, 1, 0.6)
    if not near:
        lasts = {name.rsplit(".", 1)[-1]: name for name in names}
        near = [lasts[last] for last in get_close_matches(given.rsplit(".", 1)[-1], lasts, 1, 0.6)]
    return f"did you mean {near[0]}?" if near else "there are " + ", ".join(BY_NAME)


def _first_of(group: str) -> str:
    return next(name for name in BY_NAME if name.startswith(group + "."))


def _shown(setting: Setting, value: Any) -> str:
    if setting.kind in ("patterns", "values", "fields"):  # what is in them may be nobody else's business
        return f"a {type(value).__name__} like this"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
