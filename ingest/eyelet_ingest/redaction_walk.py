"""Redaction of parsed JSON, whatever its depth: strings, keys, and whole values under telling keys."""

from functools import lru_cache

from eyelet_ingest.redaction import marker, redact_text
from eyelet_ingest.redaction_names import Candidate, is_secret, kind_of_name

_PAIR_NAMES = ("name", "key", "Name", "Key")
_PAIR_VALUES = ("value", "Value")


class _Frame:
    """One container on its way through: what is left of it, and its new children once one of them changed."""

    __slots__ = ("at", "items", "keys", "kinds", "made", "source")

    def __init__(self, source: "dict[str, object] | list[object]", kind: str) -> None:
        self.source = source
        self.at = 0
        self.made: list[object] = []
        if isinstance(source, dict):
            self.keys = list(source)
            self.items = list(source.values())
            self.kinds = [kind_of_name(key) for key in self.keys]
            told = _pair_kind(source)
            if told:
                pairs = zip(self.keys, self.kinds, strict=True)
                self.kinds = [told if key in _PAIR_VALUES else kind for key, kind in pairs]
        else:
            self.keys = []
            self.items = source
            self.kinds = [kind] * len(source) if kind else _argument_kinds(source)

    def built(self) -> object:
        """The source itself where nothing changed."""
        if isinstance(self.source, dict):
            keys = [_safe_key(key) for key in self.keys]
            if keys == self.keys and all(new is old for new, old in zip(self.made, self.items, strict=True)):
                return self.source
            return dict(zip(_distinct(keys), self.made, strict=True))
        if all(new is old for new, old in zip(self.made, self.items, strict=True)):
            return self.source
        return self.made


def redact_value(value: object) -> object:
    """`value` without its secrets; the same object where there are none. Does not recurse."""
    if not isinstance(value, (dict, list)):
        return _leaf(value, "", "")
    stack = [_Frame(value, "")]
    while True:
        frame = stack[-1]
        if frame.at == len(frame.items):
            built = stack.pop().built()
            if not stack:
                return built
            stack[-1].made.append(built)
            continue
        item, kind = frame.items[frame.at], frame.kinds[frame.at]
        name = frame.keys[frame.at] if frame.keys else ""
        frame.at += 1
        if isinstance(item, (dict, list)):
            stack.append(_Frame(item, kind))
        else:
            frame.made.append(_leaf(item, kind, name))


def _leaf(item: object, kind: str, name: str) -> object:
    if isinstance(item, str):
        if kind and is_secret(Candidate(kind, name or kind, item, "key")):
            return marker(kind, item)
        return redact_text(item)
    # A PIN is a number; a number under `token` or `secret` counts or names something.
    if kind == "password" and name != "pass" and isinstance(item, (int, float)) and not isinstance(item, bool):
        return marker(kind, str(item))
    return item


def _pair_kind(source: "dict[str, object]") -> str:
    """The kind that `{"name": "DB_PASSWORD", "value": …}` tells, as container and HTTP records have it."""
    for key in _PAIR_NAMES:
        name = source.get(key)
        if isinstance(name, str):
            return kind_of_name(name)
    return ""


def _argument_kinds(items: "list[object]") -> "list[str]":
    """In a list of arguments the one behind `--password` is told by it."""
    kinds = [""] * len(items)
    for at, item in enumerate(items[:-1]):
        if isinstance(item, str) and item.startswith("--") and "=" not in item:
            kinds[at + 1] = kind_of_name(item)
    return kinds


@lru_cache(maxsize=8192)
def _safe_key(key: str) -> str:
    """Payloads of one kind have the same keys."""
    return redact_text(key)


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
