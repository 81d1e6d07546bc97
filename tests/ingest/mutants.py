"""Redaction with one thing switched off: a provider's rule, a telling stem, a probe. Does anything notice?

A mutant is the source of one module with one entry of a table, one operand of an `or` or one step of a round gone. It
is noticed where the labelled corpus, or a token made by the format of the very rule that is gone, comes out otherwise
than before, by the way of a payload: probes first, then rules.
`python -m tests.ingest.mutants` tries all and names those that nothing notices.
"""

import ast
import copy
import importlib
import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import eyelet_ingest
from tests.corpus.generated import matching
from tests.corpus.make import make

PACKAGE = "eyelet_ingest"
# Module → its tables of rules and literals. An entry of each goes in turn.
TABLES = {
    "redaction_providers": ("AT_RUNS", "BEFORE_RUNS", "SHAPES"),
    "redaction_rules": ("_COMMANDS",),
    "redaction_assignments": ("_STEMS",),
    "redaction_names": ("_ENDINGS",),
    "redaction_probes": ("_PROBES", "_KEY_NAMES", "_PRINTABLE_ESCAPES"),
}
PROBES = "redaction_probes"  # each operand of each `or` in it goes in turn
ROUNDS = ("redaction_rules", "_round")  # and each step of this function
SEED = 3
TOKENS_EACH = 3
AT_ONCE = 150  # samples between two changes of modules
# What the corpus has not, and rules or probes know. The value is short, so that no probe for long runs helps out.
VALUE = "".join(Random(SEED).choices("abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789", k=11))
LONG = VALUE * 4
SPOKEN = (
    *(
        f"kinit bob <<< '{VALUE}'",
        f"bob:{VALUE}@unix(/run/x.sock)/shop",
        f"curl -u bob:{VALUE} x",
        f"curl -b 'sid={VALUE}' x",
    ),
    *(
        "?sig=" + f"{VALUE}%2B" * 4,
        f"password%0A={VALUE}",
        f"password%09={VALUE}",
        f"x:\\/\\/bob:{VALUE}@h",
        f"x:/\\/bob:{VALUE}@h",
    ),
    *(f"passcode = {VALUE}", f"sshpass -p {VALUE} ssh bob@host", f"curl --user bob:{VALUE} https://example.com"),
    *(
        f"https://b.example/x?sig={LONG}",
        f"db-pwd: {VALUE}",
        f"dbPwd={VALUE}",
        f"TOKEN_PROD={VALUE}",
        f"PASS_OLD={VALUE}",
    ),
    *(
        f"- name: x\n  token\n  value: {VALUE}",
        f"https:\\/\\/bob:{VALUE}@example.com",
        f"name: DB_PASS\nvalue: {VALUE}",
    ),
    f"token\x1b[0m={VALUE}",
    *(f"https://hooks.zapier.com/hooks/catch/1234567/{VALUE[:7]}/", f"password\\t=\\t{VALUE}"),
    *(f'{{"{name}": "{VALUE}"}}' for name in (r"pass\u0077ord", r"p\u0061ssword", r"\u0050ASSWORD", r"\u0041PI_KEY")),
    *(f'{{"api\\u002dkey": "{VALUE}"}}', f"password\\u003d{VALUE}"),
)


@dataclass(frozen=True, slots=True)
class Mutant:
    """A module, what is gone of it, what takes it out of its tree, and the table in which it lacks, if it is one."""

    module: str
    gone: str
    take_out: Callable[[Any], object]
    table: str = ""

    @property
    def source(self) -> str:
        tree = _tree(self.module)
        self.take_out(tree)
        return ast.unparse(ast.fix_missing_locations(tree))


def mutants() -> Iterator[Mutant]:
    for module, tables in TABLES.items():
        yield from _without_entries(module, tables)
    yield from _without_operands(PROBES)
    yield from _without_steps(*ROUNDS)


def _tree(module: str) -> Any:
    return ast.parse((Path(eyelet_ingest.__file__).parent / f"{module}.py").read_text("utf-8"))


def _without_entries(module: str, tables: tuple[str, ...]) -> Iterator[Mutant]:
    tree = _tree(module)
    for number, statement in enumerate(tree.body):
        target = statement.targets[0] if isinstance(statement, ast.Assign) else None
        if isinstance(target, ast.Name) and target.id in tables:
            for path in _entries(statement.value):

                def take_out(tree: Any, number: int = number, path: tuple[int, ...] = path) -> Any:
                    holder = tree.body[number].value
                    for step in path[:-1]:
                        holder = _inner(holder.elts[step])
                    return holder.elts.pop(path[-1])

                gone = ast.unparse(take_out(copy.deepcopy(_only(tree, number)), 0))
                yield Mutant(module, f"{target.id}: {gone[:60]}", take_out, target.id)


def _only(tree: Any, number: int) -> Any:
    return ast.Module([tree.body[number]], [])


def _entries(value: Any, path: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
    """The ways to the entries of a tuple, those of tuples that are unpacked into it as well."""
    for at, item in enumerate(value.elts):
        inner = _inner(item)
        if isinstance(inner, ast.Tuple) and isinstance(item, ast.Starred):
            yield from _entries(inner, (*path, at))
        else:
            yield (*path, at)


def _inner(item: Any) -> Any:
    """What an unpacked entry unpacks: a tuple, or the tuple that its generator goes through."""
    if not isinstance(item, ast.Starred):
        return item
    return item.value.generators[0].iter if isinstance(item.value, ast.GeneratorExp) else item.value


def _without_operands(module: str) -> Iterator[Mutant]:
    for number, either in enumerate(_eithers(_tree(module))):
        for at, operand in enumerate(either.values):

            def take_out(tree: Any, number: int = number, at: int = at) -> None:
                _eithers(tree)[number].values[at] = ast.Constant(False)

            yield Mutant(module, f"or {ast.unparse(operand)[:70]}", take_out)


def _eithers(tree: Any) -> list[Any]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or)]


def _without_steps(module: str, function: str) -> Iterator[Mutant]:
    def body_of(tree: Any) -> Any:
        return next(one.body for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == function)

    for at, step in enumerate(body_of(_tree(module))):
        if not isinstance(step, (ast.Return, ast.Expr)):

            def take_out(tree: Any, at: int = at) -> None:
                body_of(tree).pop(at)

            yield Mutant(module, f"{function}: {ast.unparse(step)[:70]!r}", take_out)


@contextmanager
def switched_off(mutant: "Mutant | None") -> "Iterator[Any]":
    """`clean(payload)` of redaction without what the mutant lacks (None: with all); the real modules come back."""
    real = _taken_out()
    try:
        if mutant is not None:
            name = f"{PACKAGE}.{mutant.module}"
            made = ModuleType(name)
            made.__file__ = f"<{mutant.gone}>"
            sys.modules[name] = made
            setattr(eyelet_ingest, mutant.module, made)
            exec(compile(mutant.source, name, "exec"), vars(made))  # our own source, with a piece taken out
        intake = importlib.import_module(f"{PACKAGE}.intake")
        redactor = importlib.import_module(f"{PACKAGE}.redaction").Redactor(b"k" * 32)
        yield lambda value: intake.clean(json.dumps(value), value, redactor)[0]
    finally:
        _taken_out()
        sys.modules.update(real)
        for name, module in real.items():
            setattr(eyelet_ingest, name.rpartition(".")[2], module)


def _taken_out() -> dict[str, ModuleType]:
    """The modules of redaction, which are imported no more; the package's attributes would keep them as well."""
    names = [name for name in sys.modules if name.startswith((f"{PACKAGE}.redaction", f"{PACKAGE}.intake"))]
    taken = {name: sys.modules.pop(name) for name in names}
    for attribute in [name for name in vars(eyelet_ingest) if name.startswith(("redaction", "intake"))]:
        delattr(eyelet_ingest, attribute)
    return taken


class Judge:
    """The corpus and what becomes of it with all rules: asked of each mutant."""

    def __init__(self) -> None:
        values = [sample.value for sample in make(SEED, 1) if sample.secrets]
        values += [{"tool_response": {"stdout": text}} for text in SPOKEN]
        self.values = [(json.dumps(value), value) for value in values]
        self.whole: dict[str, object] = {}  # what becomes of those that were asked for so far

    def notices(self, mutant: Mutant) -> bool:
        """Whether anything comes out otherwise: texts by what is gone first, then the samples, likely ones first."""
        made: list[object] = [{"tool_input": {"command": text}} for text in texts_of(mutant)]
        words = [word for word in re.findall(r"[\w.~-]{2,}", mutant.gone) if not word.startswith("_")]
        values = sorted(self.values, key=lambda one: not any(word in one[0] for word in words))
        values = [*((json.dumps(value), value) for value in made), *values]
        return any(self._differ(mutant, values[at : at + AT_ONCE]) for at in range(0, len(values), AT_ONCE))

    def _differ(self, mutant: Mutant, values: "list[tuple[str, object]]") -> bool:
        with switched_off(None) as clean:
            for text, value in values:
                if text not in self.whole:
                    self.whole[text] = clean(value)
        with switched_off(mutant) as clean:
            return any(clean(value) != self.whole[text] for text, value in values)


def texts_of(mutant: Mutant) -> list[str]:
    """Texts by what the mutant lacks: tokens by a provider's format, assignments by a telling name."""
    if not mutant.table or mutant.module not in ("redaction_providers", "redaction_probes", "redaction_names"):
        return []
    with switched_off(None):
        rows = getattr(importlib.import_module(f"{PACKAGE}.{mutant.module}"), mutant.table)
    with switched_off(mutant):
        importlib.import_module(f"{PACKAGE}.{mutant.module}")
        left = getattr(sys.modules[f"{PACKAGE}.{mutant.module}"], mutant.table)
    lost = [row for row in rows if row not in left]
    if mutant.module != "redaction_providers":
        names = [name for row in lost for name in _names(row)]
        forms = ("{n}: '{v}'", "{n}={l}", '{{"{n}": {{"current": [1, "x", "{l}"]}}}}', "{n} is set\\n{n}:\\t\\t'{l}'")
        return [form.format(n=name, v=VALUE, l=LONG) for name in names for form in forms]
    rng, found = Random(SEED), []
    for first, _, third in lost:
        before = "" if mutant.table == "SHAPES" else first  # (kind, word, pattern), else (prefix, kind, pattern)
        found += [f"use '{before}{matching(third, rng)}' there" for _ in range(TOKENS_EACH)]
    return found


def _names(row: Any) -> list[str]:
    """The names in an entry of a table of names: bytes, a text, or tuples of them."""
    if isinstance(row, tuple):
        return [name for part in row for name in _names(part)]
    return [row.decode() if isinstance(row, bytes) else str(row)]


def main() -> None:
    judge, silent, count = Judge(), [], 0
    for mutant in mutants():
        count += 1
        if not judge.notices(mutant):
            silent.append(mutant)
    for mutant in silent:
        sys.stdout.write(f"nobody notices: {mutant.module}: {mutant.gone}\n")
    sys.stdout.write(f"{count} switched off, {count - len(silent)} noticed, {len(silent)} not\n")


if __name__ == "__main__":
    main()
