"""How the bundle's code becomes modules: the first thing that runs of it. Imports nothing of ours.

`parts` of `again.compiled`: what every event needs is made at once, in the order of its imports; the rest stays in the
file until it is asked for, a group that is needed together as one.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType

    Coded = tuple[tuple[str, bool, CodeType], ...]  # name, whether it is a package, code
    Parts = tuple[Coded, dict[str, tuple[int, int]], dict[str, str]]

ENTRY = "eyelet_ingest.capture"


class Bundle:
    """Finds modules for Python's import: our own that lie in the bundle's file, and C modules whose files are known.

    C modules of the standard library would be looked for in three folders, each listed first.
    """

    def __init__(self, later: "dict[str, tuple[int, int]]", files: "dict[str, str]", handle: int) -> None:
        self.later, self.files, self.handle = later, files, handle

    def find_spec(self, name: str, path: object = None, target: object = None) -> object:
        """The spec of a C module, or of one of ours that is made by now; None for all others."""
        if name in self.files:
            from _frozen_importlib_external import ExtensionFileLoader
            from posix import stat

            try:
                stat(self.files[name])
            except OSError:
                return None
            loader = ExtensionFileLoader(name, self.files[name])
            return type(sys.__spec__)(name, loader, origin=self.files[name])
        if name not in self.later:
            return None
        from marshal import loads
        from posix import pread

        at, size = self.later.pop(name)
        make(loads(pread(self.handle, size, at)))
        return type(sys.__spec__)(name, Made)  # type: ignore[arg-type]  # duck-typed, as importlib takes it


class Made:
    """Loads a module that is there: `make` has put it into `sys.modules` together with its group."""

    @staticmethod
    def create_module(spec: "object") -> object:
        return sys.modules[spec.name]  # type: ignore[attr-defined]

    @staticmethod
    def exec_module(module: object) -> None:
        """It ran when it was made."""


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
        exec(code, module.__dict__)
        if above:
            setattr(sys.modules[above], own, module)


def run(parts: "Parts", handle: int) -> None:
    """Run the hook, which ends the process. `handle`: the bundle's file."""
    hot, later, files = parts
    sys.meta_path.insert(0, Bundle(later, files, handle))  # type: ignore[arg-type]  # duck-typed, likewise
    make(hot)
    sys.modules[ENTRY].main()


if "parts" in globals():
    run(parts, handle)  # type: ignore[name-defined]  # noqa: F821  the launcher's
