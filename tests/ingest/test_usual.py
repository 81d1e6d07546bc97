"""Functions that few events call stay in the bundle's file until they are called: nothing but the price tells."""

import ast
import importlib
import os
import sys
import tempfile
from collections.abc import Iterator
from types import ModuleType

import pytest

from eyelet_ingest import again, boot, bundle, usual
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
from tests.ingest import usual_calls

SOURCE = '''
LIMIT = 3
def plain(a, /, b=LIMIT, *rest, c: "int" = 5, **named) -> int:
    """Says what it was given."""
    return a, b, rest, c, named
def count(number: int):
    yield from range(number)
def depth(left: int) -> int:
    return 0 if left == 0 else 1 + depth(left - 1)
def kept(one: object) -> object:
    return one
@kept
def decorated() -> str:
    return "decorated"
class Some:
    __slots__ = ("_value", "__own")
    def __init__(self, value):
        self._value = value
        self.__own = "own"
    STEP = 2
    def add(self, more: int = 3):
        return Some(self._value + more)
    def step(self, *, by=STEP):
        return self.add(by).value
    def hidden(self, __more=4):
        return self.add(more=__more).value
    def own(self):
        return self.__own
    def depth(self, left):
        return 0 if left == 0 else 1 + self.depth(left - 1)
    @property
    def value(self):
        return self._value
class More(Some):
    def add(self, more=10):
        return super().add(more)
TABLE = {"plain": plain}
'''


@pytest.fixture
def lazily() -> Iterator[ModuleType]:
    """SOURCE as a module of a bundle, every function of it put off that can be."""
    tree = ast.parse(SOURCE)
    functions: list[bytes] = []
    again.put_off(tree, "some.module", frozenset(), functions)
    assert len(functions) == 6, "decorated, dunders, names of the class, its defaults and super() stay"
    with tempfile.TemporaryFile() as file:
        places, at = b"", 0
        for one in (*functions, b""):
            places += at.to_bytes(4, "little")
            at += file.write(one)
        file.flush()
        kept = boot.Seldom.places, boot.Seldom.handle
        boot.Seldom.places, boot.Seldom.handle = places, file.fileno()
        module = ModuleType("some.module")
        module.__dict__["seldom"] = boot.Seldom
        exec(compile(tree, "<some.module>", "exec", optimize=2), module.__dict__)
        yield module
        boot.Seldom.places, boot.Seldom.handle = kept


def test_a_function_that_was_put_off_does_what_it_did(lazily: ModuleType) -> None:
    whole = ModuleType("some.module")
    exec(SOURCE, whole.__dict__)
    for module in (lazily, whole):
        for _ in range(2):
            assert module.TABLE["plain"](1) == (1, 3, (), 5, {})
            assert module.plain(1, 2, 3, c=4, d=5) == (1, 2, (3,), 4, {"d": 5})
            assert list(module.count(3)) == [0, 1, 2]
            assert module.decorated() == "decorated"
            assert module.Some(1).add().value == 4
            assert module.More(1).add().value == 11
            assert module.Some.add(module.Some(1), 1).value == 2
            assert module.Some(1).own() == "own"
            assert (module.Some(1).step(), module.Some(1).hidden(_Some__more=1)) == (3, 2)
        with pytest.raises(TypeError):
            module.plain()


def test_a_function_that_was_put_off_calls_itself_as_deep_as_ever(lazily: ModuleType) -> None:
    """No frame between: some walk as deep into a payload as Python lets them."""
    deep = sys.getrecursionlimit() - 200
    assert lazily.depth(deep) == deep
    assert lazily.Some(0).depth(deep) == deep


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A home with a bundle, and a root that has had an event of either kind."""
    folder = tmp_path_factory.mktemp("usual")
    home, root = str(folder / "home"), str(folder / "root")
    bundle.write(home)
    usual_calls.asked_for(home, root, usual_calls.PAYLOADS[0])
    return home, root


@pytest.mark.parametrize("flags", [(), ("--mode", "spool")], ids=" ".join)
def test_a_usual_event_finds_all_it_calls_at_hand(installed: tuple[str, str], flags: tuple[str, ...]) -> None:
    """Where this fails: `python -m tests.ingest.usual_calls`."""
    home, root = installed
    for payload in usual_calls.PAYLOADS:
        assert usual_calls.asked_for(home, root + "".join(flags), payload, *flags) == []
    with Store(root + "".join(flags)) as store:
        store.drain_spool()
        assert store.count(Filter()).count == len(usual_calls.PAYLOADS) + (not flags), "each was recorded"


def test_what_is_usual_is_a_function_of_the_hooks() -> None:
    lean = {name for group in bundle._groups()[: again.LEAN_GROUPS] for name in group}
    for said in usual.FUNCTIONS:
        name, _, function = said.partition(":")
        assert name in lean, said
        one: object = importlib.import_module(name)
        for part in function.split("."):
            one = getattr(one, part)
        assert callable(one), said
    assert len(usual.FUNCTIONS) > 100


def test_where_nothing_is_usual_events_are_stored_all_the_same(
    tmp_path: os.PathLike[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every function that can be put off is, and each event of these asks for hundreds of them."""
    text_of = bundle._text_of
    monkeypatch.setattr(
        bundle, "_text_of", lambda name, home: "FUNCTIONS = ()" if name == again.USUAL else text_of(name, home)
    )
    home, root = os.path.join(tmp_path, "home"), os.path.join(tmp_path, "root")
    bundle.write(home)
    secret = {
        "hook_event_name": "PreToolUse",
        "tool_name": "Bash",
        "tool_input": {"command": "PASSWORD=" + "hunter" * 3},
    }
    payloads = (*usual_calls.PAYLOADS, secret, {"turn_id": "t", "type": "agent-turn-complete"}, ["no object"], 1e400)
    asked = 0
    for at, payload in enumerate(payloads):
        asked += len(usual_calls.asked_for(home, root, payload, *(("--mode", "spool") if at % 2 else ())))
    assert asked > 100 * len(payloads)
    with Store(root) as store:
        store.drain_spool()
        found = store.search(Filter()).rows
    assert len(found) == len(payloads)
    assert not any("hunterhunter" in str(row["data"]) for row in found)
