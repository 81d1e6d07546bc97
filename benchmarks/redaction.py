"""How much of a labelled corpus redaction finds, what it takes that is none, what it does to recordings, and how fast.

Recall and precision per kind and in all, over payloads of `tests/corpus/` (generated; nothing there is a real secret),
each by the way a hook's payload goes: the probes first, then the rules. With EYELET_REAL set to a folder of recordings,
in which nothing was planted: how many markers of each kind they get; `--show` prints what each stood for, to be looked
at by a person. Then MB/s over three kinds of payloads, as the ratio to `json.loads` of the same lines in the same run.
`python benchmarks/redaction.py [--rounds 6] [--seed 1] [--missed 0] [--show]`
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections import Counter
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "benchmarks")]

from eyelet_ingest.intake import clean  # noqa: E402
from eyelet_ingest.redaction import Redactor  # noqa: E402
from ingest import payloads  # noqa: E402 - beside this file
from tests.corpus.make import make  # noqa: E402 - the corpus is a part of the tests
from tests.corpus.measure import Outcome, Tally, measure, stretches, strings_beside  # noqa: E402

REDACTOR = Redactor(b"k" * 32)
RECALL, PRECISION = 0.99, 0.95
SHOWN_CHARS = 60


def as_recorded(value: object) -> object:
    """A payload's value as it would be stored, the probes asked first."""
    return clean(json.dumps(value), value, REDACTOR)[0]


def said(tally: Tally) -> str:
    right = f"{tally.found:6d} of {tally.planted:6d}  {tally.recall:6.3f}"
    return f"{right}   {tally.right:6d} right {tally.false:4d} false {tally.greedy:4d} greedy  {tally.precision:6.3f}"


def corpus(rounds: int, seed: int, missed: int) -> bool:
    """Prints recall and precision; whether both are as they have to be."""
    samples = list(make(seed, rounds))
    outcome = measure(samples, as_recorded)
    for kind, tally in sorted(outcome.kinds.items(), key=lambda item: (item[1].recall, item[1].precision, item[0])):
        where = ", ".join(f"{name} {count}" for name, count in tally.missed_where.most_common(3))
        print(f"{kind:24s} {said(tally)}  {where}")
    whole = outcome.whole()
    print(f"{'all ' + str(len(samples)) + ' samples':24s} {said(whole)}")
    print(f"targets: recall {RECALL}, precision {PRECISION}")
    _examples(outcome, missed)
    return whole.recall >= RECALL and whole.precision >= PRECISION


def _examples(outcome: Outcome, count: int) -> None:
    """Some of what was missed and wrongly taken: random values, nobody's secrets."""
    for title, found in (("missed", outcome.missed), ("taken", outcome.taken)):
        for sample, text in found[:: max(1, len(found) // count)] if count else []:
            print(f"{title}: {sample.kind}, {sample.where}: {text[:SHOWN_CHARS]!r} in {json.dumps(sample.value)[:400]}")


def recordings(folder: str, show: bool) -> None:
    """Prints how many markers of each kind the recordings get, and what for if asked."""
    kinds: Counter[str] = Counter()
    payload_count = touched = 0
    for path in sorted(Path(folder).rglob("*.jsonl")):
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            value = json.loads(line) if line.strip() else None
            safe = clean(line, value, REDACTOR)[0]
            payload_count += 1
            touched += safe is not value
            for before, behind in strings_beside(value, safe):
                for kind, start, end in stretches(before, behind):
                    kinds[kind] += 1
                    if show:
                        around = before[max(0, start - SHOWN_CHARS) : start], before[start:end][:SHOWN_CHARS]
                        print(f"{path.name}:{number}: {kind}: …{around[0]!r} → {around[1]!r}")
    print(f"recordings: {payload_count} payloads, {touched} with markers, {sum(kinds.values())} markers")
    for kind, count in kinds.most_common():
        print(f"  {kind:24s} {count:6d}")


def throughput(rounds: int) -> None:
    """Prints MB/s of `clean` and its time over that of json.loads, for payloads with and without tell-tales."""
    real = os.environ.get("EYELET_REAL")
    sources = {
        "generated, none": payloads(3_000),
        "corpus, all": [json.dumps(sample.value) for sample in make(7, 2)],
    }
    if real:
        files = sorted(Path(real).rglob("*.jsonl"))
        sources["recordings"] = [
            line for path in files for line in path.read_text(encoding="utf-8").splitlines() if line
        ]
    for name, lines in sources.items():
        megabytes = sum(map(len, lines)) / 1e6
        parsed: list[float] = []
        cleaned: list[float] = []
        for _ in range(rounds):
            start = time.perf_counter()
            values = [json.loads(line) for line in lines]
            parsed.append(time.perf_counter() - start)
            redactor = Redactor(b"k" * 32)  # each round its own: it remembers strings
            start = time.perf_counter()
            for line, value in zip(lines, values, strict=True):
                clean(line, value, redactor)
            cleaned.append(time.perf_counter() - start)
        ratio = statistics.median(b / a for a, b in zip(parsed, cleaned, strict=True))
        speed = megabytes / statistics.median(cleaned)
        plain = megabytes / statistics.median(parsed)
        print(
            f"{name:16s} {megabytes:6.1f} MB: json.loads {plain:6.1f} MB/s, redaction {speed:6.1f} MB/s, ÷ {ratio:5.2f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=6, help="a dozen places for each kind and round")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--missed", type=int, default=0, help="print so many examples of what was missed and taken")
    parser.add_argument("--show", action="store_true", help="print what was redacted of the recordings")
    options = parser.parse_args()
    met = corpus(options.rounds, options.seed, options.missed)
    if os.environ.get("EYELET_REAL"):
        recordings(os.environ["EYELET_REAL"], options.show)
    throughput(5)
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
