"""Redaction of parsed JSON, whatever its depth: strings, keys, and whole values under telling keys."""

from eyelet_ingest.redaction_names import Candidate, is_secret, kind_within

TYPE_CHECKING = False  # as typing has it, without its import
if TYPE_CHECKING:
    from eyelet_ingest.redaction import Redactor

_PAIR_NAMES = ("name", "key", "Name", "Key")
_PAIR_VALUES = ("value", "Value")
# How often a value that changed is walked again: without a part, or under a key that became a marker, a string can
# look like a secret that was none before.
_ROUNDS = 4


class _Told:
    """What tells of an item: the kind, the telling name, and whether a number there is a secret too."""

    __slots__ = ("kind", "name", "numbers")

    def __init__(self, kind: str, name: str, numbers: bool) -> None:
        self.kind, self.name, self.numbers = kind, name, numbers


_NOTHING = _Told("", "", False)


class _Frame:
    """One container on its way through: what is left of it, and its new children once one of them changed."""

    __slots__ = ("at", "items", "keys", "made", "source", "told")

    def __init__(self, source: "dict[str, object] | list[object]", told: _Told) -> None:
        self.source = source
        self.at = 0
        if told.kind == "key":  # only what stands under such a key itself is random enough to tell
            told = _NOTHING
        self.made: list[object] = []
        if isinstance(source, dict):
            self.keys = list(source)
            self.items = list(source.values())
            pair = _pair(source)
            self.told = [pair if pair.kind and key in _PAIR_VALUES else _told(key, told) for key in self.keys]
        else:
            self.keys = []
            self.items = source
            self.told = [told] * len(source) if told.kind else _arguments(source)

    def built(self, redactor: "Redactor") -> object:
        """The source itself where nothing changed."""
        if isinstance(self.source, dict):
            keys = [redactor.name(key) for key in self.keys]
            if keys == self.keys and all(new is old for new, old in zip(self.made, self.items, strict=True)):
                return self.source
            return dict(zip(_distinct(keys), self.made, strict=True))
        if all(new is old for new, old in zip(self.made, self.items, strict=True)):
            return self.source
        return self.made


def redact_value(value: object, redactor: "Redactor") -> object:
    """`value` without its secrets; the same object where there are none. Does not recurse."""
    settled: set[str] = set()
    for _ in range(_ROUNDS):
        safe = _walked(value, redactor, settled)
        if safe is value:
            break
        value = safe
    return value


def _walked(value: object, redactor: "Redactor", settled: "set[str]") -> object:
    """`settled` are the strings that `Redactor.text` gave back in this and earlier walks: redacting twice is redacting
    once."""
    if not isinstance(value, (dict, list)):
        return _leaf(value, _NOTHING, redactor, settled)
    stack = [_Frame(value, _NOTHING)]
    while True:
        frame = stack[-1]
        if frame.at == len(frame.items):
            built = stack.pop().built(redactor)
            if not stack:
                return built
            stack[-1].made.append(built)
            continue
        item, told = frame.items[frame.at], frame.told[frame.at]
        frame.at += 1
        if isinstance(item, (dict, list)):
            stack.append(_Frame(item, told))
        else:
            frame.made.append(_leaf(item, told, redactor, settled))


def _leaf(item: object, told: _Told, redactor: "Redactor", settled: "set[str]") -> object:
    if isinstance(item, str):
        if told.kind and is_secret(Candidate(told.kind, told.name, item, "key")):
            return redactor.marker(told.kind, item)
        if item not in settled:
            item = redactor.text(item)
            settled.add(item)
        return item
    # A PIN is a number; a number under `token` or `secret` counts or names something.
    if told.numbers and isinstance(item, (int, float)) and not isinstance(item, bool):
        digits = str(item)
        marked = redactor.marker(told.kind, digits)
        return item if marked == digits else marked
    return item


def _told(key: str, outer: _Told) -> _Told:
    """What tells of the value under `key`: the key itself, else what tells of the object it stands in."""
    kind, name = kind_within(key, outer.kind, outer.name)
    if not kind:
        return _NOTHING
    is_direct = name == key or key in _PAIR_VALUES
    return _Told(kind, name, is_direct and kind == "password" and name != "pass")


def _pair(source: "dict[str, object]") -> _Told:
    """What `{"name": "DB_PASSWORD", "value": …}` tells, as container and HTTP records have it."""
    for key in _PAIR_NAMES:
        name = source.get(key)
        if isinstance(name, str):
            told = _told(name, _NOTHING)
            return _NOTHING if told.kind == "key" else told
    return _NOTHING


def _arguments(items: "list[object]") -> "list[_Told]":
    """In a list of arguments the one behind `--password` is told by it."""
    told = [_NOTHING] * len(items)
    for at, item in enumerate(items[:-1]):
        if isinstance(item, str) and item.startswith("--") and "=" not in item:
            found = _told(item, _NOTHING)
            told[at + 1] = _NOTHING if found.kind == "key" else found
    return told


def _distinct(keys: "list[str]") -> "list[str]":
    """Keys that became the same marker are numbered, so that no value is lost."""
    taken: dict[str, int] = {}
    distinct = []
    for key in keys:
        count = taken.get(key, 0)
        name = key
        while name in taken:
            count += 1
            name = f"{key}#{count}"
        taken[key] = count
        taken[name] = taken.get(name, 0)
        distinct.append(name)
    return distinct
