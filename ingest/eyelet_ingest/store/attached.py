"""The newest days as one table, where the extension is not there: SQLite attaches ten databases, and a TEMP view is the
union of their rows.

A view has no key and no name in the catalogue of `main`. So an empty table of the same name, with the key and the
columns, stands in `main`: who lists tables finds that one, and whoever reads it by its name finds the view, since
SQLite looks into `temp` first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eyelet_ingest.errors import PartitionError, PartitionUnreadable
from eyelet_ingest.store import all_days, connect
from eyelet_ingest.store.answers import Unreadable
from eyelet_ingest.store.catalog import Part

MOST = 10  # what SQLite attaches, unless it was compiled otherwise
HOOKS = "hooks"


@dataclass(frozen=True, slots=True)
class Attached:
    """The days that are attached, newest first, how many others there are, and those that could not be."""

    parts: tuple[Part, ...]
    left_out: int
    troubles: tuple[Unreadable, ...]


def attach(conn: Any, parts: Sequence[Part], roots: Mapping[int, str] | None = None) -> Attached:
    """Give `conn`, a fresh database in memory, every relation of `all_days` over the newest of these days, which are in
    order of time: as stubs in `main` and views in `temp`. A day that cannot be read is left out and named. With
    several `roots`, each event says which it is of: how that is told, by the root's place."""
    held: list[Part] = []
    troubles: list[Unreadable] = []
    for part in reversed(parts):
        if len(held) == MOST:
            break
        try:
            connect.attach_reader(conn, part.path, f"d{len(held)}")
            _expect_events(conn, part, f"d{len(held)}")
            held.append(part)
        except PartitionError as bad:
            troubles.append(Unreadable(part.context, part.key.date, str(bad), part.root))
        except conn.OperationalError:  # no more are taken
            break
    _make(conn, held, roots)
    return Attached(tuple(held), len(parts) - len(held) - len(troubles), tuple(troubles))


def _expect_events(conn: Any, part: Part, name: str) -> None:
    """That the day's `hooks` is a table: a view of that name could be anything. Else it is detached again."""
    sql = f"select count(*) from {name}.sqlite_master where name = 'hooks' and type = 'table' and rootpage > 0"  # noqa: S608
    if conn.execute(sql).fetchone()[0] != 1 or "id" not in _columns(conn, f"select * from {name}.hooks"):  # noqa: S608
        conn.execute(f"detach database {name}")
        raise PartitionUnreadable("read", part.path, "it holds no table of events", "it was not made by this software")


def _make(conn: Any, held: Sequence[Part], roots: Mapping[int, str] | None) -> None:
    """The stubs and views over the days that are attached; each day's own rows alone, and what a day lacks is null."""
    for relation, of in all_days.RELATIONS.items():
        is_of_roots = roots is not None and relation == HOOKS
        conn.execute(all_days.stub(relation, is_of_roots))
        names = [name for name, _ in of.columns]
        arms = []
        for number, part in enumerate(held):
            day = f"d{number}."
            # Of an older day's `hooks` what is there is shown; what a newer one has besides, as before, is not.
            sql = f"select * from {day}hooks" if relation == HOOKS else of.day_sql.format(day=day)  # noqa: S608
            there = _columns(conn, sql)
            if "id" in there:
                arms.append(_arm(sql, names, there, part, roots[part.at] if roots and is_of_roots else None))
        if arms:
            conn.execute(f"create temp view {relation} as {' union all '.join(arms)}")
    for statement in (*all_days.views(), *(all_days.views(temp=True) if held else ())):
        conn.execute(statement)


def _columns(conn: Any, sql: str) -> set[str]:
    """The columns that a day's part of a relation has; none where the day has no such part."""
    try:
        return {column[0] for column in conn.execute(f"select * from ({sql}) limit 0").description}  # noqa: S608
    except conn.Error:
        return set()


def _arm(sql: str, names: Sequence[str], there: set[str], part: Part, root: str | None) -> str:
    """One day's rows: those of its time, with the name of its context (a safe name: nothing to escape)."""
    columns = ", ".join(name if name in there else f"null as {name}" for name in names)
    if root is not None:
        columns += f", {all_days.quoted(root)} as root"
    within = f"id >= {part.first_us:d} and id < {part.end_us:d}"
    return f"select '{part.context}' as context_name, {columns} from ({sql}) where {within}"  # noqa: S608
