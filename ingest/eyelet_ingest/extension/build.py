"""Builds the extension where it lies: `python -m eyelet_ingest.extension.build`, as an install and `make ext` do.

Plain Python that imports nothing of ours: hatch's build hook loads it by path, before anything is installed. A compiler
and SQLite's headers are all it takes; where one is missing, one line says which, and the package that brings it.
How an extension is compiled and linked: https://www.sqlite.org/loadext.html#compiling_a_loadable_extension
"""

import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence

FOLDER = os.path.dirname(os.path.abspath(__file__))
IS_MAC = sys.platform == "darwin"
NAME = "eyelet.dylib" if IS_MAC else "eyelet.so"
COMPILERS = ("cc", "gcc", "clang")
FLAGS = ("-std=c11", "-O2", "-fPIC", "-fvisibility=hidden", "-fstack-protector-strong", "-Wall", "-Wextra")
LINK = ("-dynamiclib", "-undefined", "dynamic_lookup") if IS_MAC else ("-shared", "-Wl,-z,relro,-z,now")
TIMEOUT_S = 300
# Where Homebrew and MacPorts keep SQLite's headers; cc looks into /usr/include and Xcode's by itself.
ELSEWHERE = ("/opt/homebrew/opt/sqlite/include", "/usr/local/opt/sqlite/include", "/opt/local/include")
PACKAGES = {
    "compiler": "apt install gcc libc6-dev, dnf install gcc, apk add gcc musl-dev, or xcode-select --install",
    "stdio.h": "apt install libc6-dev, dnf install glibc-devel, apk add musl-dev, or xcode-select --install",
    "sqlite3ext.h": "apt install libsqlite3-dev, dnf install sqlite-devel, apk add sqlite-dev, or brew install sqlite",
}


class NotBuilt(Exception):
    """Why there is no extension, in one line, with what helps."""


def build(strict: bool = False) -> str:
    """Build the extension in this folder, in one step that spares whoever has the old one loaded; returns its path.

    NotBuilt where that cannot be; an older one stays then. `strict` takes warnings for errors, as developers do.
    """
    try:
        handle, fresh = tempfile.mkstemp(prefix=".", suffix="." + NAME, dir=FOLDER)
    except OSError as bad:
        raise NotBuilt(f"{FOLDER} cannot be written: {bad.strerror or bad}") from bad
    os.close(handle)
    try:
        compile_to(fresh, ("-Werror",) if strict else ())
        os.chmod(fresh, 0o755)
        path = os.path.join(FOLDER, NAME)
        os.replace(fresh, path)
    except BaseException:  # raised on: Ctrl-C leaves no half of a library either
        os.unlink(fresh)
        raise
    return path


def compile_to(path: str, extra: Sequence[str] = ()) -> None:
    """Compile and link all sources into the file at `path`, with these flags besides; NotBuilt with the reason."""
    command = [*compiler(), *FLAGS, *extra, *LINK, "-o", path, *sources()]
    command += shlex.split(os.environ.get("LDFLAGS", ""))
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=TIMEOUT_S, env=_env())
    except (OSError, subprocess.TimeoutExpired) as bad:
        raise NotBuilt(f"{command[0]} could not be run: {bad}") from bad
    if done.returncode:
        raise NotBuilt(_said_by(command[0], done.stderr))
    if done.stderr:
        sys.stderr.write(done.stderr)


def compiler() -> list[str]:
    """The compiler and the flags with which it finds SQLite's headers; NotBuilt that names what is missing."""
    if not (IS_MAC or sys.platform.startswith(("linux", "freebsd"))):
        raise NotBuilt(f"the extension is for Linux and macOS, and this is {sys.platform}")
    given = shlex.split(os.environ.get("CC", ""))
    found = [shutil.which(one) for one in (given[:1] or COMPILERS)]
    path = next((one for one in found if one), None)
    if path is None:
        tried = given[0] if given else ", ".join(COMPILERS)
        raise NotBuilt(f"there is no C compiler ({tried}): {PACKAGES['compiler']}")
    command = [path, *given[1:]]
    for name in ("CPPFLAGS", "CFLAGS"):
        command += shlex.split(os.environ.get(name, ""))
    for folder in ("", *filter(os.path.isdir, ELSEWHERE)):
        with_folder = [*command, f"-I{folder}"] if folder else command
        if not _complaint(with_folder, "sqlite3ext.h"):
            return with_folder
    if reason := _complaint(command):
        raise NotBuilt(f"the compiler does not work: {reason}")
    missing = "stdio.h" if _complaint(command, "stdio.h") else "sqlite3ext.h"
    raise NotBuilt(f"the header {missing} is missing: {PACKAGES[missing]}")


def sources() -> list[str]:
    """The C files, by name."""
    names = sorted(name for name in os.listdir(FOLDER) if name.endswith(".c"))
    if not names:
        raise NotBuilt(f"there are no sources in {FOLDER}: install datasette-eyelet again")
    return [os.path.join(FOLDER, name) for name in names]


def is_current() -> bool:
    """Whether the extension is there, and no older than what it is built of."""
    made_of = [name for name in os.listdir(FOLDER) if name.endswith((".c", ".h")) or name == os.path.basename(__file__)]
    try:
        built_ns = os.stat(os.path.join(FOLDER, NAME)).st_mtime_ns
    except OSError:
        return False
    return all(os.stat(os.path.join(FOLDER, name)).st_mtime_ns <= built_ns for name in made_of)


def platform_tag() -> str:
    """Of a wheel with the extension: it is for any Python 3 on this system and this processor.

    https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/
    """
    name = sysconfig.get_platform()
    if IS_MAC:  # a universal Python says so; what is compiled here is for this processor
        name = "-".join([*name.split("-")[:2], platform.machine()])
    return re.sub(r"[^a-zA-Z0-9_]", "_", name)


def main(arguments: Sequence[str]) -> int:
    """0 where the extension is there afterwards. `--strict`: warnings are errors; `--if-needed`: not where it is
    current; `--optional`: 0 all the same where it cannot be built."""
    known = {"--strict", "--if-needed", "--optional"}
    if wrong := [one for one in arguments if one not in known]:
        sys.stderr.write(f"{wrong[0]}: no such option; there are {', '.join(sorted(known))}\n")
        return 2
    if "--if-needed" in arguments and is_current():
        return 0
    try:
        sys.stdout.write(f"{build('--strict' in arguments)}\n")
    except NotBuilt as why:
        sys.stderr.write(f"The extension for SQL over all days is not built: {why}\n")
        return 0 if "--optional" in arguments else 1
    return 0


def _complaint(command: Sequence[str], header: str = "") -> str:
    """What the compiler says of a file that includes this header and nothing else; "" where it takes it."""
    probe = [*command, "-x", "c", "-fsyntax-only", "-"]
    text = f"#include <{header}>\n" if header else "int eyelet;\n"
    try:
        done = subprocess.run(probe, input=text, capture_output=True, text=True, timeout=TIMEOUT_S, env=_env())
    except (OSError, subprocess.TimeoutExpired) as bad:
        raise NotBuilt(f"{command[0]} could not be run: {bad}") from bad
    return _said_by(command[0], done.stderr) if done.returncode else ""


def _env() -> dict[str, str]:
    """The environment of the compiler: its messages are English, and macOS's version is what the wheel says."""
    env = {**os.environ, "LC_ALL": "C"}
    if IS_MAC:
        env.setdefault("MACOSX_DEPLOYMENT_TARGET", sysconfig.get_platform().split("-")[1])
    return env


def _said_by(command: str, text: str) -> str:
    """What a compiler or linker complained of first, in one line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    first = next((line for line in lines if "error" in line), lines[0] if lines else "it failed and said nothing")
    return f"{os.path.basename(command)}: {first}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
