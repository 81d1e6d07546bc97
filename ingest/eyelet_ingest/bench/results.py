"""What was measured, kept in `bench.jsonl` in the settings' folder: one result a line, the newest last."""

import json
import os
import statistics
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass, replace

from eyelet_ingest.bench import measure, scenario
from eyelet_ingest.bench.measure import Measure
from eyelet_ingest.bench.scenario import Scenario
from eyelet_ingest.errors import BadInput, EyeletError
from eyelet_ingest.store.identity import make_private_dir

FILE_NAME = "bench.jsonl"
FORMAT = 1
MOST = 200  # results; the oldest go
MOST_BYTES = 4 * 2**20  # that are read
WHOLE, LIMIT = "whole", "limit"  # states: all was measured, or the time limit came first


@dataclass(frozen=True, slots=True)
class Machine:
    """What it ran on, as far as figures depend on it; nothing of whose machine it is."""

    system: str
    cores: int
    python: str
    sqlite: str
    eyelet: str


@dataclass(frozen=True, slots=True)
class Result:
    """One run. `number` is 0 until it is kept; `load` the machine's load averages (one minute) before and after, which
    includes the run itself; `bytes` what the days and the single file took on the disk; `handles` what the store's
    counters said (connections open at the end, opened, lent again)."""

    made_at_us: int
    scenario: Scenario
    scale: float
    seed: int
    state: str
    took_s: float
    load: tuple[float, float]
    bytes: tuple[int, int]
    handles: tuple[int, int, int]
    machine: Machine
    measures: tuple[Measure, ...]
    number: int = 0

    def as_json(self) -> dict[str, object]:
        return {"format": FORMAT, **asdict(self)}

    def measure(self, name: str) -> Measure | None:
        return next((one for one in self.measures if one.name == name), None)

    @property
    def middle_ratio(self) -> float:
        """The median of all ratios: one number for a list. 0 where nothing was measured."""
        return statistics.median(one.ratio for one in self.measures) if self.measures else 0.0

    def is_like(self, other: "Result") -> bool:
        """Whether both measured the same work."""
        return self.scenario == other.scenario and self.seed == other.seed


def keep(home: str, result: Result) -> Result:
    """Keep it, and give it its number. The caller holds the turn (`scratch.turn`)."""
    there = known(home)
    numbered = replace(result, number=there[-1].number + 1 if there else 1)
    lines = [json.dumps(one.as_json()) + "\n" for one in (*there, numbered)][-MOST:]
    while len(lines) > 1 and sum(map(len, lines)) > MOST_BYTES:
        del lines[0]
    make_private_dir(home)
    path = os.path.join(home, FILE_NAME)
    try:
        handle, mine = tempfile.mkstemp(prefix=f".{FILE_NAME}-", dir=home)  # 0600
        try:
            with open(handle, "w", encoding="utf-8") as file:
                file.writelines(lines)
            os.replace(mine, path)
        except OSError:
            with suppress(OSError):
                os.unlink(mine)
            raise
    except OSError as bad:
        raise EyeletError("keep the result in", path, bad.strerror or str(bad), "is the disk full?") from bad
    return numbered


def known(home: str) -> list[Result]:
    """Those that are kept, oldest first; a line that somebody spoilt is left out."""
    try:
        with open(os.path.join(home, FILE_NAME), encoding="utf-8", errors="replace") as file:
            lines = file.read(MOST_BYTES + 1).splitlines()
    except FileNotFoundError:
        return []
    except OSError as bad:
        path = os.path.join(home, FILE_NAME)
        raise EyeletError("read the results in", path, bad.strerror or str(bad), "remove or repair it") from bad
    found = []
    for line in lines:
        with suppress(ValueError, TypeError, KeyError, RecursionError):
            found.append(_from_json(json.loads(line)))
    return sorted(found, key=lambda one: one.number)


def numbered(home: str, number: int) -> Result:
    """BadInput where there is none of this number."""
    for one in known(home):
        if one.number == number:
            return one
    raise BadInput("there is no result", str(number), "", "eyelet bench --list shows those there are")


def like(results: list[Result], result: Result) -> Result | None:
    """The newest one before it that measured the same work."""
    return next((one for one in reversed(results) if one.number < result.number and one.is_like(result)), None)


def _from_json(said: dict[str, object]) -> Result:
    if said.pop("format") != FORMAT or set(said) != set(Result.__slots__):
        raise ValueError("no result")
    values: dict[str, object] = {
        **said,
        "scenario": scenario.from_json(said["scenario"]),
        "machine": _machine(said["machine"]),
        "measures": tuple(map(measure.from_json, _list(said["measures"]))),
    }
    for name, length in (("load", 2), ("bytes", 2), ("handles", 3)):
        numbers = _list(said[name])
        if len(numbers) != length or not all(map(_is_number, numbers)):
            raise ValueError(name)
        values[name] = tuple(numbers)
    if not all(_is_number(said[name]) for name in ("made_at_us", "scale", "seed", "took_s", "number")):
        raise ValueError("no number")
    if said["state"] not in (WHOLE, LIMIT):
        raise ValueError("state")
    return Result(**values)  # type: ignore[arg-type]  # looked at above


def _machine(said: object) -> Machine:
    if not isinstance(said, dict) or set(said) != set(Machine.__slots__) or not isinstance(said["cores"], int):
        raise ValueError("no machine")
    if not all(isinstance(value, str) for name, value in said.items() if name != "cores"):
        raise ValueError("no machine")
    return Machine(**said)


def _list(said: object) -> list[object]:
    if not isinstance(said, list):
        raise ValueError("no list")
    return said


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e18
