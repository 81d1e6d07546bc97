"""How the bundle's code becomes modules: the first thing that runs of it. Imports nothing of ours.

`parts` of `again.compiled`: what every event needs is made at once, in the order of its imports; the rest stays in the
file until it is asked for, a group of modules that is needed together as one, and each function that few events call.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any

    Coded = tuple[tuple[str, bool, CodeType], ...]  # name, whether it is a package, code
    Parts = tuple[Coded, dict[str, tuple[int, int]], dict[str, str], bytes]

ENTRY = "eyelet_ingest.capture"
FIRST = "_json"
END = b"end of the bundle"  # as `again.py` has it


class Bundle:
    """Finds modules for Python's import: our own that lie in the bundle's file, and C modules whose files are known.

    C modules of the standard library would be looked for in three folders, each listed first.
    """

    def __init__(self, later: "dict[str, tuple[int, int]]", files: "dict[str, str]", handle: int) -> None:
        self.later, self.files, self.handle = later, files, handle

    def find_spec(self, name: str, path: object = None, target: object = None) -> object:
        """The spec of a C module or of one of ours, which is made by now; None for all others."""
        if name in self.files:
            return self.c_module(name)
        if name not in self.later:
            return None
        from marshal import loads
        from posix import pread

        at, size = self.later.pop(name)
        make(loads(pread(self.handle, size, at)))
        return type(sys.__spec__)(name, self)  # type: ignore[arg-type]  # duck-typed, as importlib takes it

    def c_module(self, name: str) -> object:
        """Load a C module whose file is known; its spec, or None where that is gone, or of another Python."""
        import _imp

        spec: Any = type(sys.__spec__)(name, self, origin=self.files.pop(name))  # type: ignore[arg-type]
        try:
            sys.modules[name] = _imp.create_dynamic(spec)
            _imp.exec_dynamic(sys.modules[name])
        except ImportError:
            sys.modules.pop(name, None)
            return None
        return spec

    def create_module(self, spec: "Any") -> object:
        """The module that was made when its spec was asked for: this is its loader, too."""
        return sys.modules[spec.name]

    def exec_module(self, module: object) -> None:
        """It ran when it was made."""


class Seldom:
    """Stands for a function of a module, or of a class in it, until it is called for the first time.

    `number`: which one of those in the file; `names`: what the module holds.
    """

    __slots__ = ("found", "names", "number", "owner")
    places = b""  # of every number four bytes: where its code begins, which is where the one before ends
    handle = -1

    def __init__(self, number: int, names: "dict[str, object]") -> None:
        self.number, self.names = number, names
        self.owner: object = None
        self.found: Any = None

    def __set_name__(self, owner: object, name: str) -> None:
        self.owner = owner

    def __get__(self, one: object, owner: object = None) -> "object":
        return self if one is None else self.real().__get__(one, owner)

    def __call__(self, *given: object, **named: object) -> object:
        return self.real()(*given, **named)

    def real(self) -> "Any":
        """The function, which takes this one's place where it is defined: one that calls itself calls itself then."""
        if self.found is None:
            from marshal import loads
            from posix import pread

            at = self.number * 4
            begin, end = (int.from_bytes(self.places[one : one + 4], "little") for one in (at, at + 4))
            made: dict[str, Any] = {}
            exec(loads(pread(self.handle, end - begin, begin)), self.names, made)
            ((name, self.found),) = made.items()
            if self.owner is None:
                self.names[name] = self.found
            else:
                setattr(self.owner, name, self.found)
        return self.found


def make(coded: "Coded") -> None:
    """Make and run these modules, in their order."""
    kind = type(sys)
    for name, is_package, code in coded:
        module = kind(name)
        above, _, own = name.rpartition(".")
        module.__package__ = name if is_package else above
        if is_package:
            module.__path__ = []
        sys.modules[name] = module
        module.seldom = Seldom  # type: ignore[attr-defined]  # what `again.put_off` put there calls it
        exec(code, module.__dict__)
        if above:
            setattr(sys.modules[above], own, module)


def run(parts: "Parts", handle: int) -> None:
    """Run the hook, which ends the process. `handle`: the bundle's file, which is not replaced under it.

    EOFError where it was cut short: `again.py` makes it anew, as long as no input was read.
    """
    from posix import pread

    hot, later, files, Seldom.places = parts
    Seldom.handle = handle
    if pread(handle, 64, int.from_bytes(Seldom.places[-4:], "little")) != END:
        raise EOFError("the bundle has no end")
    bundle = Bundle(later, files, handle)
    sys.meta_path.insert(0, bundle)  # type: ignore[arg-type]  # duck-typed, likewise
    if FIRST in files:
        bundle.c_module(FIRST)  # by itself, as every event needs it: Python's import takes twice as long
    make(hot)
    sys.modules[ENTRY].main()


if "parts" in globals():
    run(parts, handle)  # type: ignore[name-defined]  # noqa: F821  the launcher's
