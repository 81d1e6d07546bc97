"""The launcher of an installed hook (`bundle.py` writes it to `~/.eyelet/bin/`): takes the modules out of the bundle
beside it, and runs the hook. It prints nothing and exits 0 whatever happens; where the hook itself cannot be loaded, all
that is kept is that an event came: what it said has not been redacted, and must not reach the disk.
"""

import marshal
import os
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))
PACKAGE = "eyelet_ingest"


def code_name() -> str:
    """The file of the code that this Python has compiled."""
    return f"eyelet-hook-{sys.implementation.cache_tag}-{sys.hexversion:08x}.code"


def compiled(sources: list[tuple[str, bool, str]]) -> bytes:
    """The content of that file: name → (is it a package, code as bytes), in the order of `sources`."""
    codes = {}
    for name, is_package, text in sources:
        code = compile(text, f"<{name}>", "exec", dont_inherit=True, optimize=2)
        codes[name] = (is_package, marshal.dumps(code))
    return marshal.dumps(codes)


def content_of(name: str) -> bytes:
    handle = os.open(os.path.join(FOLDER, name), os.O_RDONLY)
    try:
        return os.read(handle, os.fstat(handle).st_size)
    finally:
        os.close(handle)


def read() -> dict[str, tuple[bool, bytes]]:
    """The codes of the bundle, compiled anew where this is another Python than the one that installed it."""
    try:
        return marshal.loads(content_of(code_name()))
    except (OSError, EOFError, ValueError, TypeError):
        content = compiled(marshal.loads(content_of("eyelet-hook.source")))
    path = os.path.join(FOLDER, code_name())
    mine = f"{path}.{os.getpid()}"
    try:
        handle = os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(handle, content)
        os.close(handle)
        os.replace(mine, path)
    except OSError:
        pass
    return marshal.loads(content)


class Bundle:
    """Finds and loads the modules of the bundle for Python's import."""

    def __init__(self, codes: dict[str, tuple[bool, bytes]]) -> None:
        self.codes = codes
        self.spec = type(sys.__spec__)

    def find_spec(self, name: str, path: object = None, target: object = None) -> object:
        if name not in self.codes:
            return None
        return self.spec(name, self, is_package=self.codes[name][0])

    def create_module(self, spec: object) -> None:
        pass

    def exec_module(self, module: object) -> None:
        exec(marshal.loads(self.codes[module.__name__][1]), module.__dict__)


def note(bad: BaseException) -> None:
    """That an event came, and why it is not there: a line in `faults`, which `eyelet status` reads."""
    try:
        import time

        line = f"{time.time_ns() // 1000}\tlauncher\t{type(bad).__name__}: an event came, and the hook could not run\n"
        path = os.path.join(os.path.dirname(FOLDER), "faults")
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        if os.fstat(handle).st_size < 1 << 18:
            os.write(handle, line.encode())
    except BaseException:
        pass


def main() -> None:
    try:
        sys.meta_path.insert(0, Bundle(read()))
        from eyelet_ingest.capture import main as run

        run()
    except BaseException as bad:
        note(bad)
    os._exit(0)


if __name__ == "__main__":
    main()
