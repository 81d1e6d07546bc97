"""Parsed JSON made anew where its strings, keys or numbers change; what does not change is shared."""

from collections.abc import Callable

Text = Callable[[str], str]
Number = Callable[["int | float"], object]


def rebuilt(value: object, text: Text, number: Number) -> object:
    """The value with each string and key as `text` has it, each number as `number` has it; the same object where all
    of them are. Keys that become the same are numbered, so that no value is lost. Any depth."""
    frames = [_Frame([value])]
    while True:
        frame = frames[-1]
        if frame.at == len(frame.items):
            frames.pop()
            built = frame.built(text)
            if not frames:
                assert isinstance(built, list)
                return built[0]
            frames[-1].made.append(built)
            continue
        item = frame.items[frame.at]
        frame.at += 1
        if isinstance(item, (dict, list)):
            frames.append(_Frame(item))
        elif isinstance(item, str):
            frame.made.append(text(item))
        elif isinstance(item, (int, float)) and not isinstance(item, bool):
            frame.made.append(number(item))
        else:
            frame.made.append(item)


class _Frame:
    """A list or an object, half of it walked."""

    __slots__ = ("at", "items", "made", "source")

    def __init__(self, source: "dict[str, object] | list[object]") -> None:
        self.source = source
        self.items = list(source.values()) if isinstance(source, dict) else source
        self.made: list[object] = []
        self.at = 0

    def built(self, text: Text) -> object:
        same = all(new is old for new, old in zip(self.made, self.items, strict=True))
        if not isinstance(self.source, dict):
            return self.source if same else self.made
        old_keys = list(self.source)
        keys = [text(key) for key in old_keys]
        if same and all(new is old for new, old in zip(keys, old_keys, strict=True)):
            return self.source
        return dict(zip(_distinct(keys), self.made, strict=True))


def _distinct(keys: "list[str]") -> "list[str]":
    taken: dict[str, int] = {}
    distinct = []
    every = set(keys)
    for key in keys:
        name = key
        while name in taken or (name != key and name in every):
            taken[key] += 1
            name = f"{key}#{taken[key]}"
        taken.setdefault(name, 0)
        distinct.append(name)
    return distinct
