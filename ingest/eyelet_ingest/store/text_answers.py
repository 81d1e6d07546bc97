"""Answers that only a text can have: the best rows first, the piece of each that was found, the ids of a day."""

from collections.abc import Sequence
from typing import Any

from eyelet_ingest.errors import BadInput
from eyelet_ingest.store import layout, select, text_rank
from eyelet_ingest.store.answers import Row, SearchResult
from eyelet_ingest.store.catalog import Part
from eyelet_ingest.store.fanout import Lent
from eyelet_ingest.store.search import Search


def ranked(search: Search, limit: int, cut_chars: int | None, snippets: bool) -> SearchResult:
    """The rows that are most about the text asked for, best first, with their `rank`: one page, and no next one."""
    if search.text is None or limit < 1:
        reason = "no text is asked for" if search.text is None else f"a page of {limit} rows"
        raise BadInput("search by rank", reason=reason, hint="say what to look for, and how many")
    wanted = search.text

    def ask(lent: Lent, part: Part) -> list[tuple[Any, ...]]:
        asked = search.beside_text(lent, *search.in_range(part))
        return wanted.best(lent.conn, asked, min(limit, text_rank.OF_A_DAY))

    found = [(part, row) for part, rows in search.each(search.parts, ask) for row in rows]
    weighed = zip(text_rank.ranks(wanted.node, [row for _, row in found]), found, strict=True)
    best = sorted(weighed, key=lambda one: (one[0], -one[1][1][0], one[1][0].context, one[1][0].at))[:limit]
    search.until = None  # what was found in time is also shown
    matches = [(row[0], part.context, part.at, part, (row[0],)) for _, (part, row) in best]
    ranks = {match[:3]: rank for match, (rank, _) in zip(matches, best, strict=True)}
    rows = search.rows_of(matches, cut_chars)
    for row in rows:
        row["rank"] = ranks[_place_of(search, row)]
    if snippets:
        show(search, rows)
    return SearchResult(rows, None, search.truth(), search.elapsed_ms())


def show(search: Search, rows: Sequence[Row]) -> None:
    """Give each row its `snippet`: why it was found, None where nothing can be marked."""
    for row in rows:
        row["snippet"] = None
    if (wanted := search.text) is None:
        return
    until, search.until = search.until, None
    parts = {(part.context, part.at, part.first_us): part for part in search.parts}
    of_part: dict[Part, dict[int, Row]] = {}
    for row in rows:
        event_id, context, at = _place_of(search, row)
        of_part.setdefault(parts[context, at, event_id - event_id % layout.DAY_US], {})[event_id] = row
    for part, mine in of_part.items():

        def ask(lent: Lent, _: Part, ids: Sequence[int] = tuple(mine)) -> dict[int, str]:
            return wanted.shown(lent.conn, ids)

        for _, shown in search.each([part], ask):
            for event_id, snippet in shown.items():
                mine[event_id]["snippet"] = snippet
    search.until = until


def ids(search: Search, lent: Lent, part: Part) -> list[int]:
    """All that match in a partition, by their ids."""
    if search.text is None:  # its text was about fields alone
        in_range, params = search.in_range(part)
        where = select.where_sql(in_range + search.clauses)
        rows = lent.conn.execute(f"select id from hooks{search.how(lent)}{where} order by id", params + search.params)  # noqa: S608
        return [row[0] for row in rows]
    return search.text.first(lent.conn, search.beside_text(lent, *search.in_range(part)), True, -1)


def _place_of(search: Search, row: Row) -> tuple[int, str, int]:
    """Where a row of the answer is: its id, context, and the place of its root."""
    at = 0
    if search.roots.several:
        at = next(catalog.at for catalog in search.roots.catalogs if catalog.root == row["root"])
    return int(str(row["id"])), str(row["context_name"]), at
