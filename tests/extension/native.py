"""The driver in C (`driver.c`): built with whatever looks on, and told what to ask."""

import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from eyelet_ingest.extension import build
from eyelet_ingest.store import layout
from tests.extension import days
from tests.extension.conftest import compiled, skip_or_fail
from tests.extension.selects import Select

HERE = Path(__file__).parent
ADDRESS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-g", "-O1")
THREAD = ("-fsanitize=thread", "-g", "-O1")
TIMEOUT_S = 3_000
# dlclose takes the names of what leaked with it, and the wait for what hangs must end.
ENVIRONMENT = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
}


@dataclass(frozen=True)
class Driver:
    """A driver and the extension it loads, built alike."""

    path: str
    extension: str

    def run(self, mode: str, number: int, lines: Iterable[str], under: Sequence[str] = ()) -> tuple[int, int]:
        """How many answers were looked at, and how many lines of complaint there are; AssertionError with what is said
        where any is, or where a sanitizer or the system ends it."""
        done = subprocess.run(
            [*under, self.path, self.extension, mode, str(number)],
            input="\n".join(lines) + "\n",
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            env={**os.environ, **ENVIRONMENT},
        )
        *complaints, last = done.stdout.splitlines() or [""]
        said = "\n".join([*complaints[:30], last, done.stderr[-6_000:]])
        assert done.returncode == 0 and last.startswith("done "), f"{mode}: {done.returncode}\n{said}"
        _, looked_at, wrongs = last.split()
        return int(looked_at), int(wrongs)


def driver(folder: Path, name: str, *flags: str) -> Driver:
    """Built in this folder; skipped where the compiler, this sanitizer or SQLite's library is not there."""
    counting = os.environ.get("EYELET_TEST_EXTENSION", "")  # where no sanitizer is asked for, that one is looked at
    extension = counting if counting and "-O1" in flags[:2] else compiled(folder / name, build.NAME, *flags)
    path = str(folder / f"{name}-driver")
    warnings = ("-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror")
    command = [
        *build.compiler(),
        *warnings,
        *flags,
        "-o",
        path,
        str(HERE / "driver.c"),
        "-lsqlite3",
        "-lpthread",
        "-ldl",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        assert "driver.c" not in done.stderr, done.stderr
        skip_or_fail(f"the driver cannot be linked: {done.stderr.strip().splitlines()[-1]}")
    return Driver(path, extension)


def valgrind() -> list[str]:
    """The command that looks at a part; skipped where it is not installed."""
    path = shutil.which("valgrind")
    if path is None:
        skip_or_fail("valgrind is not installed (Debian: apt install valgrind)")
    return [str(path), "-q", "--error-exitcode=9", "--leak-check=full", "--show-leak-kinds=definite,indirect"]


def lines(made: days.Days, asked: Iterable[Select]) -> list[str]:
    """How both connections are set up, and the questions."""
    setup = [f"virtual {made.create()}", f"plain {made.plain_table()}"]
    names = ", ".join(days.COLUMNS[1:])
    for key in made.partitions():
        start, end = key.bounds_us
        where = f"id >= {start} and id < {end}"
        setup += [
            f"plain attach '{layout.db_path(made.root, key)}' as day",
            f"plain insert into hooks select '{key.context}', {names} from day.hooks where {where}",
            "plain detach day",
        ]
    return setup + [f"{one.compared} {one.sql}" for one in asked]
