"""Whether each day has what a day of its version has: tables, columns, indexes, triggers, views; and which version."""

import shlex
from collections.abc import Collection, Iterator

from eyelet_ingest.commands import runnable
from eyelet_ingest.errors import EyeletError, PartitionError
from eyelet_ingest.health.finding import ERROR, OK, WARN, Finding, Patient
from eyelet_ingest.health.several import command, day_name, plural, restore, seen, some, there, unread
from eyelet_ingest.store import examined, layout, manifest, rewriting, schema
from eyelet_ingest.store.examined import Shape
from eyelet_ingest.store.layout import PartitionKey


def check(patient: Patient) -> Iterator[Finding]:
    expected = examined.Expected()
    keys = there(patient)
    bad: list[Finding] = []
    older: list[PartitionKey] = []
    foreign: set[str] = set()
    looked = 0
    for key in keys:
        if patient.is_late and looked:
            break
        path = layout.db_path(patient.root, key)
        looked += 1
        try:
            shape = examined.shape(path, expected)
        except PartitionError as trouble:
            bad += unread(patient, key, "the schema", trouble)
            continue
        if shape is None:
            continue
        foreign.update(shape.foreign_indexes)
        if 0 < shape.version < schema.VERSION:
            older.append(key)
        if (found := _of_day(patient, key, path, shape, expected)) is not None:
            bad.append(found)
    if older:
        bad.append(_older(patient, older))
    yield from some(bad)
    if not bad:
        also = f"; others keep the {_listed('index', foreign)} on events" if foreign else ""
        evidence = {"days": looked, "of_days": len(keys), "version": schema.VERSION, "foreign_indexes": sorted(foreign)}
        yield Finding(OK, f"{seen(looked, len(keys))} of version {schema.VERSION}, whole{also}", evidence=evidence)


def _of_day(
    patient: Patient, key: PartitionKey, path: str, shape: Shape, expected: examined.Expected
) -> Finding | None:
    evidence = {
        "version": shape.version,
        "columns_missing": list(shape.columns_missing),
        "missing": list(shape.missing),
        "changed": list(shape.changed),
    }
    if shape.version > schema.VERSION:
        message = f"{day_name(key)} was made by a newer version (schema {shape.version}, this knows {schema.VERSION})"
        return Finding(WARN, message, "update eyelet", evidence, day=key)
    if shape.version <= 0:
        message = f"{day_name(key)} was not made by this software (its version is {shape.version})"
        return Finding(ERROR, message, schema.NOT_OURS, evidence, day=key)
    if shape.is_whole:
        return None
    message = f"{day_name(key)} {_lacks(shape, expected)}: another program changed it"
    if {"hooks", "eyelet_partition"} & set(shape.missing):
        return Finding(ERROR, message, restore(patient, key), evidence, day=key)
    rebuild = f"{command(patient, 'verify', day_name(key))}; then: {runnable(f'rebuild {shlex.quote(path)}')}"
    if shape.columns_missing or set(schema.STATISTICS[:2]) & set(shape.missing):
        return Finding(ERROR, message, rebuild, evidence, day=key)
    if _is_sealed(patient, key):  # to make it anew would seal it anew, and nobody would see that it was changed
        return Finding(WARN, f"{message}, and it is sealed", rebuild, evidence, day=key)

    def repair() -> str:
        made = rewriting.mend(patient.root, key, (*shape.missing, *shape.changed))
        return f"made {', '.join(made)} again"

    return Finding(WARN, message, command(patient, "doctor", "--check", "schema", "--fix"), evidence, repair, key)


def _lacks(shape: Shape, expected: examined.Expected) -> str:
    """`lacks the indexes hooks_src, hooks_type, has another calls`."""
    wanted = expected.of(shape.version)
    lacks = {kind: [name for name in shape.missing if wanted[name][0] == kind] for kind in _PLURALS}
    lacks["column"] = list(shape.columns_missing)
    said = [f"lacks the {_listed(kind, names)}" for kind, names in lacks.items() if names]
    return ", ".join([*said, *(f"has another {name}" for name in shape.changed)])


def _older(patient: Patient, older: list[PartitionKey]) -> Finding:
    """Older days are read all the same; what they lack are indexes and views that came later."""

    def repair() -> str:
        done = sum(_brought_up(patient, key) for key in older)
        left = len(older) - done
        others = f"; {plural(left, 'day')}, sealed or busy, left for {command(patient, 'migrate')}" if left else ""
        return f"brought {plural(done, 'day')} up to version {schema.VERSION}{others}"

    message = f"{plural(len(older), 'day')} of an older version of the schema, from {older[-1].date} to {older[0].date}"
    evidence = {"days": len(older), "version": schema.VERSION, "first": older[-1].date, "last": older[0].date}
    return Finding(WARN, message, command(patient, "migrate"), evidence, repair)


def _brought_up(patient: Patient, key: PartitionKey) -> bool:
    if _is_sealed(patient, key):
        return False
    try:
        patient.store.migrate(key)
    except PartitionError:
        return False
    return True


def _is_sealed(patient: Patient, key: PartitionKey) -> bool:
    if patient.root.startswith(layout.MEMORY):
        return False
    try:
        return manifest.read(patient.root, key) is not None
    except EyeletError:
        return True  # it has one that cannot be read


_PLURALS = {"table": "tables", "column": "columns", "index": "indexes", "trigger": "triggers", "view": "views"}


def _listed(kind: str, names: "Collection[str]") -> str:
    return f"{kind if len(names) == 1 else _PLURALS[kind]} {', '.join(sorted(names))}"
