"""Which branches of the extension its tests take: `make ext-coverage`, or this file with further arguments for pytest.

The extension is built so that it counts (gcc and gcov), the tests of this folder run with that build, and a table says
of each file how many of its lines and branches were taken, and where those are that were not (`--missed`). It ends with
1 where fewer than 90 of 100 branches were.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from eyelet_ingest.extension import build

LEAST_PERCENT = 90.0
FLAGS = ("--coverage", "-fprofile-update=atomic", "-O0", "-g")
HERE = Path(__file__).parent
REPOSITORY = HERE.parent.parent


@dataclass
class Counted:
    """Of one source: how many lines and branches there are and were taken, and the lines with one that was not."""

    lines: int = 0
    lines_taken: int = 0
    branches: int = 0
    branches_taken: int = 0
    missed: list[int] = field(default_factory=list)

    def add(self, other: "Counted") -> None:
        self.lines += other.lines
        self.lines_taken += other.lines_taken
        self.branches += other.branches
        self.branches_taken += other.branches_taken


def main(arguments: list[str]) -> int:
    if shutil.which("gcov") is None:
        sys.stderr.write("gcov is missing: it comes with gcc\n")
        return 2
    show_missed = "--missed" in arguments
    folder = Path(tempfile.mkdtemp(prefix="eyelet-coverage-"))
    try:
        path = folder / build.NAME
        build.compile_to(str(path), FLAGS)
        path.chmod(0o755)
        status = tested(path, [one for one in arguments if one != "--missed"])
        whole = reported(counted(folder), show_missed)
    except build.NotBuilt as why:
        sys.stderr.write(f"{why}\n")
        return 2
    finally:
        shutil.rmtree(folder)
    return status or int(whole < LEAST_PERCENT)


def tested(path: Path, arguments: list[str]) -> int:
    """The tests with this build; what they end with."""
    env = {"EYELET_OWN_STEP": "3", **os.environ, "EYELET_TEST_EXTENSION": str(path)}
    command = [sys.executable, "-m", "pytest", "-q", str(HERE), *arguments]
    return subprocess.run(command, cwd=REPOSITORY, env=env).returncode


def counted(folder: Path) -> dict[str, Counted]:
    """What gcov says of every source."""
    found: dict[str, Counted] = {}
    for data in sorted(folder.glob("*.gcda")):
        command = ["gcov", "--branch-probabilities", "--json-format", "--stdout", str(data)]
        said = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
        for source in (one for text in said.splitlines() for one in json.loads(text)["files"]):
            name = os.path.basename(source["file"])
            if name.endswith(".c"):
                found[name] = of_lines(source["lines"])
    return found


def of_lines(lines: list[dict[str, object]]) -> Counted:
    it = Counted()
    for line in lines:
        it.lines += 1
        it.lines_taken += line["count"] != 0
        branches = line["branches"]
        assert isinstance(branches, list)
        it.branches += len(branches)
        taken = sum(one["count"] != 0 for one in branches)
        it.branches_taken += taken
        if taken < len(branches) or line["count"] == 0:
            it.missed.append(int(str(line["line_number"])))
    return it


def reported(found: dict[str, Counted], show_missed: bool) -> float:
    """Prints the table; returns how many of 100 branches were taken."""
    whole = Counted()
    for line in rows(found, whole, show_missed):
        sys.stdout.write(line + "\n")
    return 100 * whole.branches_taken / max(whole.branches, 1)


def rows(found: dict[str, Counted], whole: Counted, show_missed: bool) -> Iterator[str]:
    yield f"{'':12}{'lines':>7}{'':>7}{'branches':>10}"
    for name, one in found.items():
        whole.add(one)
        yield _row(name, one)
        if show_missed:
            yield f"    not taken at {', '.join(map(str, one.missed))}"
    yield _row("all", whole)


def _row(name: str, one: Counted) -> str:
    lines = 100 * one.lines_taken / max(one.lines, 1)
    branches = 100 * one.branches_taken / max(one.branches, 1)
    return f"{name:12}{one.lines:7}{lines:6.1f}%{one.branches:10}{branches:6.1f}%"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
