"""The newest there is: when each agent's hook last recorded, and the latest times that days hold."""

from collections.abc import Collection, Sequence
from functools import partial

from eyelet_ingest.errors import PartitionError
from eyelet_ingest.store import layout
from eyelet_ingest.store.catalog import Part
from eyelet_ingest.store.connect import open_reader
from eyelet_ingest.store.fanout import Lent
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.roots import Roots
from eyelet_ingest.store.search import Search
from eyelet_ingest.store.select import Filter


def last_hooks(roots: Roots, agents: Collection[str], since_us: int, deadline_ms: float) -> tuple[dict[str, int], bool]:
    """Of each of these agents that recorded by a hook since then, the time of its newest event, and whether all days of
    the range could be asked for those that are not there. Days are asked newest first, until every agent is found."""
    found: dict[str, int] = {}
    with Search(roots, Filter(since_us=since_us), deadline_ms) as question:
        days = sorted(question.parts, key=lambda part: part.bounds_us, reverse=True)
        for part in days:
            wanted = [agent for agent in agents if agent not in found or found[agent] < part.bounds_us[0]]
            if not wanted:
                break
            for _, newest in question.each([part], partial(_last_in, agents=wanted)):
                for agent, time_us in newest.items():
                    found[agent] = max(time_us, found.get(agent, 0))
            if question.unasked:
                break
        return found, not (question.unasked or question.unreadable)


def _last_in(lent: Lent, part: Part, *, agents: Sequence[str]) -> dict[str, int]:
    """From the end of the table, so that an agent that is at work is found at once."""
    sql = "select id from hooks not indexed where origin = 'hook' and agent = ? order by id desc limit 1"
    rows = {agent: lent.conn.execute(sql, (agent,)).fetchone() for agent in agents}
    return {agent: int(row[0]) for agent, row in rows.items() if row is not None}


def latest_times(root: str, key: PartitionKey, after_us: int) -> tuple[int | None, int | None]:
    """The latest time of arrival in a day, and the latest time that a hook's event bears, of those beyond `after_us`;
    None where there is none, or the day cannot be read."""
    sql = "select max(arrived), (select max(id) from hooks not indexed where id > ? and origin = 'hook') from hooks"
    try:
        conn = open_reader(layout.db_path(root, key))
    except PartitionError:
        return None, None
    try:
        found: tuple[int | None, int | None] = conn.execute(sql, (after_us,)).fetchone()
        return found
    except conn.DatabaseError:
        return None, None
    finally:
        conn.close()
