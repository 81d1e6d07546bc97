"""The program that `test_fuzz.py` runs in soak: atheris, guided by the coverage of our code alone.

`python -m tests.sources.fuzzing CORPUS… -runs=N`, with libFuzzer's other options.
"""

import sys

import atheris  # type: ignore[import-not-found]

with atheris.instrument_imports(include=["eyelet_ingest"]):
    from tests.sources import fuzzed


def take(raw: bytes) -> None:
    fuzzed.take(raw)


if __name__ == "__main__":
    atheris.Setup(sys.argv, take)
    atheris.Fuzz()
