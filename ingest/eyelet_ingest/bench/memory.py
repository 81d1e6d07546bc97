"""What asking takes of memory: a process of its own for each layout, which asks every question and tells its peak.

Run as a module: `python -m eyelet_ingest.bench.memory days|single FOLDER SEED`, the scenario as JSON on stdin.
"""

import json
import os
import subprocess
import sys

from eyelet_ingest.bench import generator, questions, scenario
from eyelet_ingest.bench.generator import Generator
from eyelet_ingest.bench.scenario import Scenario
from eyelet_ingest.bench.single_file import SingleFile
from eyelet_ingest.errors import EyeletError
from eyelet_ingest.store.store import Store

ROUNDS = 3
WAIT_S = 300.0
MODULE = "eyelet_ingest.bench.memory"


def of_both(folder: str, about: Scenario, seed: int) -> tuple[tuple[float, float], tuple[float, float]]:
    """For the days, then for the single file: the peak in MiB, and how much of it asking added."""
    return _measured("days", folder, about, seed), _measured("single", folder, about, seed)


def _measured(which: str, folder: str, about: Scenario, seed: int) -> tuple[float, float]:
    import eyelet_ingest

    package = os.path.dirname(os.path.dirname(os.path.abspath(eyelet_ingest.__file__)))
    path = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH", ""))))
    command = [sys.executable, "-m", MODULE, which, folder, str(seed)]
    try:
        done = subprocess.run(
            command, input=json.dumps(about.as_json()), capture_output=True, text=True, timeout=WAIT_S, check=True,
            env={**os.environ, "PYTHONPATH": path},
            cwd=folder,  # nothing is imported from where the command was typed
        )  # fmt: skip
        before, peak = map(float, done.stdout.split())
    except (OSError, subprocess.SubprocessError, ValueError) as bad:
        said = (getattr(bad, "stderr", "") or str(bad)).strip()[-300:]
        raise EyeletError("measure the memory", reason=f"its process failed: {said}") from bad
    return peak, peak - before


def main() -> None:
    which, folder, seed = sys.argv[1:]
    about = scenario.from_json(json.loads(sys.stdin.read()))
    made = Generator(about, int(seed))
    with Store(os.path.join(folder, "root")) as store:
        single = SingleFile(folder, about, generator.span_us(about), is_there=True)
        before = peak_mib()
        asking = questions.Asking(store, single, made)
        for number in range(ROUNDS):
            for question in asking.all():
                (question.days if which == "days" else question.single)(number)
        sys.stdout.write(f"{before:.2f} {peak_mib():.2f}\n")
        single.close()


def peak_mib() -> float:
    """The most resident memory of this process so far. Linux tells it of the program itself (VmHWM, proc(5)); the
    rusage of a new process begins there with what its parent had."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) / 1024
    except OSError:
        pass
    import resource

    unit = 2**20 if sys.platform == "darwin" else 2**10  # getrusage(2): bytes there, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


if __name__ == "__main__":
    main()
