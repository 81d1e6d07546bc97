"""A search as the SQL that finds the same events in the table over all days: to be read, run and gone on from."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from datasette_eyelet import compat, day_table, instance, mounts, text_function
from datasette_eyelet.links import with_query
from datasette_eyelet.scope import Scope
from eyelet_ingest.store import select
from eyelet_ingest.store.layout import safe_context
from eyelet_ingest.store.select import Filter

URL_MAX_CHARS = 4_000  # a longer one some servers and browsers refuse


@dataclass(frozen=True, slots=True)
class Sql:
    """`text` is the statement, `database` the one that it is for; `url` runs it, "" where the actor may not, or where
    no page can."""

    text: str
    database: str
    url: str


async def of(datasette: Any, actor: Any, seen: frozenset[str] | None, where: Filter, size: int) -> Sql:
    """The SQL of a search by an actor who sees these contexts, all where None."""
    everywhere = seen is None and mounts.is_ours(datasette, Scope(None).name)
    over = Scope(None) if everywhere else day_table.scope_for(datasette, seen, where.contexts)
    scope = over or Scope(None)
    text = statement(where, size, scope, instance.of(datasette).store_for(seen).roots.several)
    # One that nobody has visited yet Datasette does not know, and refuses on the visit whom it has to.
    is_known = scope.name in datasette.databases
    if over is None or (is_known and not await compat.may_run_sql(datasette, actor, scope.name)):
        return Sql(text, scope.name, "")
    url = with_query(compat.sql_path(datasette, scope.name), (("sql", text),))
    return Sql(text, scope.name, url if len(url) <= URL_MAX_CHARS else "")


def statement(where: Filter, size: int, over: Scope, several: bool = False) -> str:
    """Newest first, at most `size` rows. `several` roots, or one."""
    clauses, values = select.conditions(replace(where, text=""))
    spans = [
        f"id {sign} {us}  -- {day_table.iso_us(us)}" if 0 <= us < day_table.ENDLESS_US else f"id {sign} {us}"
        for sign, us in ((">=", where.since_us), ("<", where.until_us))
        if us is not None
    ]
    for given, word in ((where.contexts, "in"), (where.left_out("contexts"), "not in")):
        names = tuple(dict.fromkeys(map(safe_context, given)))
        if names and (over.context is None or word == "not in" or over.context not in names):
            clauses.append(f"context_name {word} ({', '.join('?' * len(names))})")
            values += names
    if where.text:
        of_text = text_function.conditions_over_days(several, where.since_us, where.until_us)
        clauses += of_text
        values += [where.text] * len(of_text)
    literals = iter(values)
    told = [*spans, *("".join(_told(clause, literals)) for clause in clauses)]
    conditions = "\nwhere " + "\n  and ".join(told) if told else ""
    return f"select *\nfrom hooks{conditions}\norder by id desc\nlimit {size}"


def _told(clause: str, values: Iterator[object]) -> Iterator[str]:
    """The clause with its values in place of each `?`; it holds none but those that stand for a value."""
    first, *rest = clause.split("?")
    yield first
    for part in rest:
        yield _literal(next(values)) + part


def _literal(value: object) -> str:
    """A value as SQL writes it; one that SQL cannot hold in a text as an expression."""
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    if not isinstance(value, str):
        return str(value)
    parts = ["'" + part.replace("'", "''") + "'" for part in value.split("\0")]
    return parts[0] if len(parts) == 1 else f"({' || char(0) || '.join(parts)})"
