"""Which settings hold for a hook, found at its price: no YAML, no process, no look at anything but a handful of files.

Without a file of settings the defaults hold. Where there is one, it was read once by `compile_settings.py`, whose
answer lies in `cache/` beside the global file and counts as long as the files are the same; the first hook after a
change has it read anew, by a process of its own, and waits for that a moment. `settings.py` is the whole truth about
settings, and a test holds this file to it.
"""

import marshal
import sys
import time

from eyelet_ingest import git_facts, place
from eyelet_ingest.errors import EyeletError
from eyelet_ingest.redaction import WITHHELD, Redactor
from eyelet_ingest.store.identity import load_key, make_private_dir
from eyelet_ingest.system import os

TYPE_CHECKING = False  # importing typing costs the hook more than its insert
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

HOME = "~/.eyelet"
FILE_NAME = "eyelet.yaml"
CACHE_NAME = "cache"
CACHE_NAME_CHARS = 24  # of one answer in it
FORMAT = 2  # of what is in the cache
WAIT_MS = 400  # for a reading of changed settings; a hook has 600
MOST_LEVELS = 64
MOST_NAME_CHARS = 200  # of a context
OWN_KEY_BYTES = 16

# What holds where no file says otherwise: `settings.compiled` of the defaults.
DEFAULTS = {
    "enabled": True,
    "format": "sqlite",
    "scope": "global",
    "root": HOME,
    "project_path": ".eyelet-hooks",
    "add_to_gitignore": True,
    "context": "default",
    "hostname": True,
    "ip": True,
    "git": True,
    "environment": ("CLAUDE*", "EYELET*"),
    "custom_fields": {},
    "payload_kib": 65_536,
    "repeated": False,
    "patterns": (),
    "allowed": (),
}


class Surroundings:
    """Where a hook runs: the folder it starts in, the project around that, git's folder, and the settings.

    `settings` has the keys of DEFAULTS. `problem` says why a file of settings does not count, or is "".
    """

    __slots__ = ("_redactor", "git", "home", "problem", "project", "settings", "start")

    def __init__(self, start: str) -> None:
        self.start = os.path.abspath(start)
        self.problem = ""
        self._redactor: Redactor | None = None
        config = config_file()
        self.home = os.path.dirname(config)
        tree, self.git = git_facts.folder_of(self.start)
        self.project = tree or self.start
        self.settings: dict[str, Any] = dict(DEFAULTS)
        files = [_looked_at(config), self._project_file(tree, config)]
        if any(files):
            self.settings.update(self._compiled(files))
        self._environment()

    @property
    def redactor(self) -> Redactor:
        """That of the root to record into, as the settings have it. Where a project's root is one of them, or the only
        one, its key is nobody's: which roots can be trusted is known later, and `remarked` gives each its own."""
        if self._redactor is None:
            self._redactor = self.redactor_with(self._key)
        return self._redactor

    @redactor.setter
    def redactor(self, redactor: Redactor) -> None:
        self._redactor = redactor

    def redactor_with(self, key: "bytes | Callable[[], bytes]") -> Redactor:
        """The settings' redactor with that key, or what answers it when one is needed."""
        settings = self.settings
        if settings["scope"] == "global":
            return Redactor(key, settings["patterns"], settings["allowed"])
        from eyelet_ingest import remarked

        return remarked.Remembering(key, settings["patterns"], settings["allowed"])

    def _key(self) -> bytes:
        if self.settings["scope"] != "global":
            return os.urandom(OWN_KEY_BYTES)
        roots = self.global_roots()
        return key_of(roots[0]) if roots else b""

    @property
    def context(self) -> str:
        """The given name of the context to record into."""
        name = str(self.settings["context"])
        name = os.path.basename(self.project) or "default" if name == "project" else name
        return name if self.redactor.text(name) == name else WITHHELD

    def roots(self) -> "list[str]":
        """The roots to record into, absolute: the global one, the project's, or both."""
        scope = self.settings["scope"]
        return (self.global_roots() if scope != "project" else []) + ([self.project_root] if scope != "global" else [])

    def global_roots(self) -> "list[str]":
        """The global root; none where it would be in the home folder of nobody."""
        root = os.path.expanduser(str(self.settings["root"]))
        return [] if root.startswith("~") else [os.path.abspath(root)]

    @property
    def project_root(self) -> str:
        """The project's own root, absolute."""
        return os.path.join(self.project, str(self.settings["project_path"]))

    @property
    def may_rest(self) -> bool:
        """Whether somebody has paused anything (`pause.py`)."""
        return _looked_at(os.path.join(self.home, "paused")) is not None

    def folders(self) -> "tuple[str, ...]":
        """The folder it starts in and all above it, by links and without: whoever paused one may have named either."""
        found = []
        for folder in dict.fromkeys((self.start, os.path.realpath(self.start))):
            while folder not in found:
                found.append(folder)
                folder = os.path.dirname(folder)
        return tuple(found)

    def _project_file(self, tree: str, config: str) -> "tuple[str, int, int, int] | None":
        folder = self.start
        for _ in range(MOST_LEVELS):
            path = os.path.join(folder, FILE_NAME)
            there = _looked_at(path) if path != config else None
            if there:
                return there
            above = os.path.dirname(folder)
            if folder == tree or above == folder:
                return None
            folder = above
        return None

    def _compiled(self, files: "list[tuple[str, int, int, int] | None]") -> "dict[str, Any]":
        """What the files say; what they said last where they are wrong now, or cannot be read in time."""
        path = cache_path(self.home, files[0][0] if files[0] else "", files[1][0] if files[1] else "")
        known = read_cache(path)
        if known is None or known[0] != files:
            compiled_anew(self.home, path, files)
            known = read_cache(path) or known
        if known is None or known[0] != files:
            self.problem = "the settings were changed and could not be read in time"
        elif known[2]:
            self.problem = known[2]
        held = known[1] if known else self._global_alone(files)
        if self.problem and any(file and says_off(file[0]) for file in files):
            return {**held, "enabled": False}
        return held

    def _global_alone(self, files: "list[tuple[str, int, int, int] | None]") -> "dict[str, Any]":
        """What the global file says, while nothing is known of the project's; nothing where it is new, too."""
        known = read_cache(cache_path(self.home, files[0][0], "")) if files[0] and files[1] else None
        return known[1] if known and known[0] == [files[0], None] else {}

    def _environment(self) -> None:
        """What the environment changes; a value that cannot be is passed over."""
        get, settings = os.environ.get, self.settings
        settings["root"] = get("EYELET_ROOT") or settings["root"]
        context = get("EYELET_CONTEXT") or ""
        settings["context"] = context if 0 < len(context) <= MOST_NAME_CHARS else settings["context"]
        for variable, name, words in (
            ("EYELET_FORMAT", "format", ("json", "sqlite", "both")),
            ("EYELET_SCOPE", "scope", ("global", "project", "both")),
        ):
            if get(variable) in words:
                settings[name] = get(variable)
        switch = (get("EYELET_ENABLED") or "").lower()
        if switch in ("0", "1", "true", "false"):
            settings["enabled"] = switch in ("1", "true")
        if get("EYELET_DISABLED", "0") not in ("", "0"):
            settings["enabled"] = False


def key_of(root: str) -> bytes:
    """The root's key for markers; none where it can neither be read nor made: they have no hash then."""
    try:
        return load_key(root)
    except EyeletError:
        return b""


def config_file() -> str:
    """The path of the global file, which need not be there; one that cannot be, for a user without a home folder."""
    path = os.path.expanduser(os.environ.get("EYELET_CONFIG") or os.path.join(HOME, FILE_NAME))
    return os.path.join(os.devnull, FILE_NAME) if path.startswith("~") else os.path.abspath(path)


def home() -> str:
    """The folder of the global file, where the cache, faults and rests lie, too."""
    return os.path.dirname(config_file())


def cache_path(home: str, config: str, project_file: str) -> str:
    """Where the answer about these two files is kept, for this version of Python."""
    from _blake2 import blake2b

    both = f"{config}\0{project_file}\0{sys.hexversion}\0{FORMAT}".encode("utf-8", "surrogateescape")
    return os.path.join(home, CACHE_NAME, blake2b(both, digest_size=CACHE_NAME_CHARS // 2).hexdigest())


def read_cache(path: str) -> "tuple[list[tuple[str, int, int, int] | None], dict[str, Any], str] | None":
    """The files as they were, what they say, and why that does not count, or ""; None where it is not known."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        return None
    try:
        files, settings, problem = marshal.loads(os.read(handle, 1 << 20))
    except (OSError, ValueError, EOFError, TypeError):
        return None  # cut short by a full disk
    finally:
        os.close(handle)
    return files, settings, problem


def compiled_anew(home: str, path: str, files: "list[tuple[str, int, int, int] | None]") -> None:
    """Have the files read by a process of its own, and wait for that WAIT_MS. Where others are at it, wait for them;
    should they end with another answer, because a file was changed in between, it is done here."""
    until_ns = time.monotonic_ns() + WAIT_MS * 1_000_000
    child = 0
    while time.monotonic_ns() < until_ns:
        known = read_cache(path)
        if known is not None and known[0] == files:
            return
        try:
            if child and os.waitpid(child, os.WNOHANG)[0]:
                return  # it failed, or a file was changed under it
            if not child and place.PYTHON and not _others_are_at_it(path):
                child = _begun(home, files)
        except (OSError, AttributeError, EyeletError):  # AttributeError: Windows has no posix_spawn
            return
        time.sleep(0.005)


def _begun(home: str, files: "list[tuple[str, int, int, int] | None]") -> int:
    """The process that reads the files now."""
    code = os.path.join(place.PACKAGE, "compile_settings.py")
    arguments = [place.PYTHON, "-I", code, home, *(file[0] if file else "" for file in files)]
    null = os.open(os.devnull, os.O_RDWR)
    try:
        to_null = [(os.POSIX_SPAWN_DUP2, null, one) for one in (0, 1, 2)]
        return os.posix_spawn(place.PYTHON, arguments, os.environ, file_actions=to_null)
    finally:
        os.close(null)


def _others_are_at_it(path: str) -> bool:
    """Whether another process began to read these settings within the last second; if none did, this one does now."""
    mark = path + ".making"
    try:
        if time.time() - os.stat(mark).st_mtime < 1:
            return True
        os.unlink(mark)
    except OSError:
        pass
    try:
        make_private_dir(os.path.dirname(path))
        os.close(os.open(mark, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return True
    return False


def says_off(path: str) -> bool:
    """Whether a file that could not be read as it should be seems to say that nothing is to be recorded."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        return False
    try:
        content = os.read(handle, 1 << 20).lower()
    except OSError:
        return False
    finally:
        os.close(handle)
    return any(line.split(b"#")[0].split() == [b"enabled:", b"false"] for line in content.splitlines())


def _looked_at(path: str) -> "tuple[str, int, int, int] | None":
    try:
        there = os.stat(path)
    except (OSError, ValueError):
        return None
    if there.st_mode & 0o170000 != 0o100000:
        return None
    return path, there.st_mtime_ns, there.st_size, there.st_ino
