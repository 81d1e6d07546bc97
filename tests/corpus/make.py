"""The corpus itself: `make(seed, rounds)` yields labelled samples, the same for the same seed."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from tests.corpus.lines import BARE, NAMED, NAMED_QUOTED, NAMED_XML, PEM_LINES, Line
from tests.corpus.near import NEAR
from tests.corpus.places import PLACES, Written
from tests.corpus.shapes import SHAPES
from tests.corpus.told import TOLD
from tests.corpus.wrappings import COMMON, ENCODED, Wrapping, as_key

NEUTRAL = ("value", "upload target", "x", "input", "config", "remote", "first arg", "data", "setting one", "ci var")
SPOKEN = ("private", "prose-password")
NEAR_EACH = 50  # of every near miss for each round: so that there are about as many as secrets


@dataclass(frozen=True, slots=True)
class Sample:
    """A payload and what in its strings is secret, as it is spelled there; `wide` is what may go with it."""

    kind: str
    where: str
    value: object
    secrets: tuple[str, ...] = ()
    wide: tuple[str, ...] = ()


def make(seed: int, rounds: int = 2) -> Iterator[Sample]:
    """Samples of every kind of secret in `rounds` times a dozen places, and near misses."""
    rng = Random(seed)
    for _ in range(rounds):
        for kind in SHAPES:
            yield from _shape(rng, kind)
        for kind in TOLD:
            yield from _told(rng, kind)
        for kind in PLACES:
            yield from _placed(rng, kind)
        for kind, miss in NEAR.items():
            for _ in range(NEAR_EACH):
                written = Written(miss(rng), ())
                yield _wrapped(rng, f"near:{kind}", kind, written, _common(rng))


def _shape(rng: Random, kind: str) -> Iterator[Sample]:
    """Each maker of the kind in lines with a name that says nothing and in lines without; one of each encoding."""
    makers = SHAPES[kind]
    if kind == "private-key":
        for name in PEM_LINES:
            value = rng.choice(makers)(rng)
            yield _wrapped(rng, kind, name, _block(PEM_LINES[name], rng, value), _common(rng))
        return
    lines: list[tuple[str, Line]] = [
        *rng.sample(sorted(NAMED.items()), 3),
        *rng.sample(sorted(NAMED_QUOTED.items()), 3),
    ]
    lines += [*NAMED_XML.items(), *rng.sample(sorted(BARE.items()), 5)]
    for at, (name, line) in enumerate(lines):
        yield _wrapped(
            rng, kind, name, _in(line, rng, rng.choice(NEUTRAL), makers[at % len(makers)](rng)), _common(rng)
        )
    for encoding, wrapping in ENCODED.items():
        name, line = rng.choice(lines)
        written = _in(line, rng, rng.choice(NEUTRAL), rng.choice(makers)(rng))
        yield _wrapped(rng, kind, f"{name} in {encoding}", written, wrapping)
    value = rng.choice(makers)(rng)
    yield _wrapped(rng, kind, "key", Written(value, (value,)), as_key)


def _told(rng: Random, kind: str) -> Iterator[Sample]:
    """Values of no shape in lines with a telling name."""
    names, value = TOLD[kind]
    for name, line in rng.sample(sorted(NAMED.items()), 8):
        yield _wrapped(rng, kind, name, _in(line, rng, rng.choice(names), value(rng, False)), _common(rng))
    for name, line in rng.sample(sorted(NAMED_QUOTED.items()), 10):
        yield _wrapped(rng, kind, name, _in(line, rng, rng.choice(names), _quotable(value(rng, True))), _common(rng))
    for name, line in NAMED_XML.items():
        yield _wrapped(rng, kind, name, _in(line, rng, rng.choice(names), value(rng, False)), _common(rng))
    for encoding, wrapping in ENCODED.items():
        name, line = rng.choice([*NAMED.items(), *NAMED_QUOTED.items()])
        written = _in(line, rng, rng.choice(names), value(rng, False))
        yield _wrapped(rng, kind, f"{name} in {encoding}", written, wrapping)


def _placed(rng: Random, kind: str) -> Iterator[Sample]:
    """Secrets in a place of their own, a dozen a round; once in each encoding."""
    makers = PLACES[kind]
    for at in range(12):
        yield _wrapped(rng, kind, "place", makers[at % len(makers)](rng), _common(rng))
    for encoding, wrapping in ENCODED.items():
        if kind not in SPOKEN:  # nobody speaks base64
            yield _wrapped(rng, kind, f"place in {encoding}", rng.choice(makers)(rng), wrapping)


def _in(line: Line, rng: Random, name: str, value: str) -> Written:
    return Written(line(rng, name, value), (value,))


def _block(line: Line, rng: Random, value: str) -> Written:
    """A key block in a line: what is secret is its body."""
    return Written(line(rng, "", value), (value.split("-----")[2].strip("\n"),), (value,))


def _quotable(value: str) -> str:
    return value.replace("{", "x").replace("}", "x")  # a brace would be taken for a place to fill


def _common(rng: Random) -> Wrapping:
    return rng.choices([wrapping for wrapping, _ in COMMON], weights=[weight for _, weight in COMMON])[0]


def _wrapped(rng: Random, kind: str, where: str, written: Written, wrapping: Wrapping) -> Sample:
    value, secrets, wide = wrapping(rng, written)
    return Sample(kind, where, value, secrets, wide)
