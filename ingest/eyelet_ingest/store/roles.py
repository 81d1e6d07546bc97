"""What a connection is for, and the settings of SQLite that follow.

One variable of the environment for each role changes them: `EYELET_SQLITE_WRITER="synchronous=full cache_kib=8000"`,
separated by spaces or commas.

Read at every opening, so a process that was started with other settings has them, and nothing needs to be told. A hook
takes the default where a setting is wrong, because the agent must never fail; everybody else is told.
"""

from eyelet_ingest.errors import BadInput
from eyelet_ingest.system import os

PREFIX = "EYELET_SQLITE_"

ROLES = {
    "capture": "a hook: one row, and gone",
    "writer": "everything else that writes",
    "search": "a day that stays open for the next question",
    "reader": "everything else that reads: pages of a day, statistics, copies",
}
# Setting: the pragma, what one unit of the setting is in units of the pragma, the least and the most.
NUMBERS = {
    "cache_kib": ("cache_size", -1, 0, 2**31 - 1),
    "mmap_mib": ("mmap_size", 2**20, 0, 2**20),
    "wal_autocheckpoint": ("wal_autocheckpoint", 1, 0, 2**31 - 1),
    "journal_limit_mib": ("journal_size_limit", 2**20, 0, 2**20),
}
WORDS = {"synchronous": ("normal", "full", "extra")}
_READING = ("cache_kib", "mmap_mib")
_WRITING = ("synchronous", "cache_kib", "wal_autocheckpoint", "journal_limit_mib")

# What a role has unless it is told otherwise; what is missing here is left to SQLite, and costs a hook nothing.
DEFAULTS: "dict[str, dict[str, str]]" = {
    "capture": {"synchronous": "normal"},
    # Eight days may be open for writing at once: with 64,000 a transcript of several days took 425 MB. It is no slower.
    "writer": {"synchronous": "normal", "cache_kib": "8000", "journal_limit_mib": "64"},
    "search": {"cache_kib": "512"},  # 64 of them are the 32 MB that reading may take
    "reader": {"cache_kib": "2000"},
}
SQLITES_OWN = {"cache_kib": "2000", "mmap_mib": "0", "wal_autocheckpoint": "1000", "journal_limit_mib": "no limit"}


def settings_of(role: str) -> "tuple[str, ...]":
    """The settings that this role has."""
    return _READING if role in ("search", "reader") else _WRITING


def pragmas(role: str) -> "list[str]":
    """The statements that a new connection of this role begins with."""
    values = DEFAULTS[role]
    given = os.environ.get(PREFIX + role.upper())
    if given:
        try:
            values = {**values, **_parsed(role, given)}
        except BadInput:
            if role != "capture":
                raise
    return [f"pragma {name} = {value}" for name, value in map(_pragma, values.items())]


def check() -> None:
    """BadInput for a wrong setting of any role, with the variable and what it may be."""
    for role in ROLES:
        _parsed(role, os.environ.get(PREFIX + role.upper(), ""))


def shown() -> "list[tuple[str, str, str, str]]":
    """Every role's every setting: role, name, value, and where the value is from (`SQLite`, `default`, a variable)."""
    lines = []
    for role in ROLES:
        variable = PREFIX + role.upper()
        given = _parsed(role, os.environ.get(variable, ""))
        for name in settings_of(role):
            if name in given:
                lines.append((role, name, given[name], variable))
            elif name in DEFAULTS[role]:
                lines.append((role, name, DEFAULTS[role][name], "default"))
            else:
                lines.append((role, name, SQLITES_OWN[name], "SQLite"))
    return lines


def _parsed(role: str, given: str) -> "dict[str, str]":
    variable = PREFIX + role.upper()
    values = {}
    for one in given.replace(",", " ").split():
        name, equals, value = one.partition("=")
        if name not in settings_of(role) or not equals:
            raise BadInput("read", variable, f"{one!r} is no setting", f"NAME=VALUE of {', '.join(settings_of(role))}")
        if name in WORDS:
            if value.lower() not in WORDS[name]:
                raise BadInput("read", variable, f"{name} cannot be {value!r}", f"one of {', '.join(WORDS[name])}")
        else:
            _, _, least, most = NUMBERS[name]
            if not (value.isascii() and value.isdigit() and len(value) <= 10 and least <= int(value) <= most):
                hint = f"a whole number from {least} to {most}"
                raise BadInput("read", variable, f"{name} cannot be {value!r}", hint)
        values[name] = value.lower()
    return values


def _pragma(setting: "tuple[str, str]") -> "tuple[str, str]":
    name, value = setting
    if name in WORDS:
        return name, value
    pragma, unit, _, _ = NUMBERS[name]
    return pragma, str(int(value) * unit)
