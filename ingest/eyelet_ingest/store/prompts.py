"""Which rows belong to a prompt: the one with its identifier, and all that followed from it.

An identifier is a hook's `prompt_id`, a transcript's `promptId`, or the `uuid` of a transcript's record. Of the
sessions that have it, a row belongs to the prompt

- when it names the prompt itself;
- when it follows from a record that does: `parentUuid` and the other links of a transcript, up to the next prompt;
- when it is a witness of a tool call, or of a subagent, that belongs to it;
- when it names no prompt and no record at all, and stands between this prompt and the session's next one (a hook of an
  agent that gives no `prompt_id`, a queued prompt), or repeats the prompt's text.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from eyelet_ingest.errors import PartitionError, PartitionUnreadable
from eyelet_ingest.store import connect, layout, schema
from eyelet_ingest.store.answers import Unreadable
from eyelet_ingest.store.catalog import Catalog
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.wanted import Wanted

LINKS = ("parentUuid", "logicalParentUuid", "leafUuid", "messageId", "sourceToolAssistantUUID")
NAMES = ("prompt_id", "promptId")
TEXTS = ("prompt", "lastPrompt", "content")  # where a record that names no prompt repeats its text
Parsed = dict[str, Any]


@dataclass(slots=True)
class _Row:
    """Of one row what links it to others."""

    context: str
    uid: bytes
    time_us: int
    kind: str
    tool_use_id: str
    agent_id: str
    name: str  # of its prompt, or ""
    uuid: str
    links: frozenset[str]
    text: str  # of the prompt, where it is one
    repeats: frozenset[str]


@dataclass(slots=True)
class _Chain:
    """What belongs to the prompts so far."""

    names: set[str]
    uuids: set[str]
    calls: set[str] = field(default_factory=set)
    agents: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)
    rows: dict[tuple[str, bytes], _Row] = field(default_factory=dict)

    def add(self, row: _Row) -> None:
        self.rows[row.context, row.uid] = row
        for mine, theirs in ((row.uuid, self.uuids), (row.tool_use_id, self.calls), (row.text, self.texts)):
            if mine:
                theirs.add(mine)
        if row.agent_id:
            self.agents.add(row.agent_id)

    def has(self, row: _Row) -> bool:
        """Whether the row belongs to it by what it names."""
        if row.name:
            return row.name in self.names
        if row.uuid in self.uuids:
            return True
        if row.text and row.uuid:
            return False  # the next prompt
        linked = not row.links.isdisjoint(self.uuids) or row.tool_use_id in self.calls or row.agent_id in self.agents
        return linked or not row.repeats.isdisjoint(self.texts)


def resolved(catalog: Catalog, wanted: Wanted) -> tuple[Wanted, list[Unreadable]]:
    """The same with the rows of its prompts, of each context; and the days and archives that could not be looked
    through, of which nobody can tell. Archives are unpacked for it, also of days that are there: they may hold more."""
    parts, troubles = _parts(catalog, wanted), dict[PartitionKey, Unreadable]()
    found: dict[str, set[bytes]] = {}
    sessions = {one for part in parts for one in _read(part, _seeds(wanted.prompts), troubles)}
    for context in sorted({context for context, _ in sessions}):
        mine = sorted(session for other, session in sessions if other == context)
        rows: dict[str, list[_Row]] = {session: [] for session in mine}
        for part in parts:
            if part.key.context == context and part.key not in troubles:
                for session, row in _read(part, _rows_of(mine), troubles):
                    rows[session].append(row)
        for session in mine:
            found.setdefault(context, set()).update(row.uid for row in _chain(rows[session], wanted.prompts))
    uids = {context: frozenset(some) for context, some in found.items()}
    return replace(wanted, uids=uids), list(troubles.values())


def _chain(rows: list[_Row], prompts: Iterable[str]) -> list[_Row]:
    """Of the rows of one session, those that belong to the prompts."""
    rows = sorted({row.uid: row for row in rows}.values(), key=lambda row: row.time_us)
    chain = _Chain(set(prompts), set(prompts))
    before = -1
    while before != len(chain.rows):  # links may point forward: a subagent is named by the answer to its call
        before = len(chain.rows)
        for row in rows:
            if (row.context, row.uid) not in chain.rows and chain.has(row):
                chain.add(row)
    for first_us, end_us in _turns(rows, chain):
        for row in rows:
            if first_us <= row.time_us < end_us and not (row.name or row.uuid or row.links):
                chain.add(row)
    return list(chain.rows.values())


def _turns(rows: list[_Row], chain: _Chain) -> Iterator[tuple[int, int]]:
    """From each prompt of the chain to the session's next: what stands there and names nothing is of that prompt."""
    starts = [row for row in rows if row.text or row.kind in ("SessionStart", "SessionEnd")]
    for row in starts:
        if row.text and (row.context, row.uid) in chain.rows:
            later = (other.time_us for other in starts if other.time_us > row.time_us and other.text not in chain.texts)
            yield row.time_us, next(later, rows[-1].time_us + 1)


@dataclass(frozen=True, slots=True)
class _Part:
    """A day, or its archive."""

    root: str
    key: PartitionKey
    is_archive: bool

    @contextmanager
    def opened(self) -> Iterator[Any]:
        if self.is_archive:
            from eyelet_ingest.store.archived_deletion import opened

            with opened(self.root, self.key) as (conn, _, _):
                yield conn
            return
        path = layout.db_path(self.root, self.key)
        conn = connect.open_reader(path)
        try:
            if schema.is_ready(conn):
                yield conn
            else:
                yield None
        except conn.DatabaseError as bad:
            raise PartitionUnreadable("read", path, *schema.diagnosis(conn, path, bad)) from bad
        finally:
            conn.close()


def _parts(catalog: Catalog, wanted: Wanted) -> list[_Part]:
    days = [_Part(catalog.root, key, False) for key in catalog.partitions()]
    if not catalog.root.startswith(layout.MEMORY):
        days += [_Part(catalog.root, key, True) for key in catalog.archived()]
    return [part for part in days if wanted.has_context(part.key.context)]


def _read(
    part: _Part, ask: Callable[[Any, PartitionKey], list[Any]], troubles: dict[PartitionKey, Unreadable]
) -> list[Any]:
    try:
        with part.opened() as conn:
            return [] if conn is None else ask(conn, part.key)
    except PartitionError as bad:
        if not part.is_archive and not connect.is_there(layout.db_path(part.root, part.key)):
            return []  # removed meanwhile
        what = "its archive: " if part.is_archive else ""
        reason = f"{what}{bad.reason} ({bad.hint})" if bad.hint else f"{what}{bad.reason}"
        troubles[part.key] = Unreadable(part.key.context, part.key.date, reason)
        return []


def _seeds(prompts: Iterable[str]) -> Callable[[Any, PartitionKey], list[Any]]:
    """The sessions of the rows that name one of the prompts: `instr` spares parsing the others."""
    paths = [f"json_extract(data, '$.{name}') = ?" for name in (*NAMES, "uuid")]
    sql = f"select distinct session_id from hooks where instr(data, ?) and ({' or '.join(paths)})"  # noqa: S608

    def ask(conn: Any, key: PartitionKey) -> list[Any]:
        found = set()
        for prompt in prompts:
            found.update(conn.execute(sql, (prompt, prompt, prompt, prompt)).fetchall())
        return [(key.context, session) for (session,) in found]

    return ask


def _rows_of(sessions: list[str]) -> Callable[[Any, PartitionKey], list[Any]]:
    """What is asked of a day or an archive once: of each session its rows."""
    sql = "select uid, id, hook_type, tool_use_id, agent_id, data from hooks where session_id = ? and uid is not null"

    def ask(conn: Any, key: PartitionKey) -> list[Any]:
        return [(session, _row(key.context, *row)) for session in sessions for row in conn.execute(sql, (session,))]

    return ask


def _row(
    context: str, uid: bytes, time_us: int, kind: str, tool_use_id: str | None, agent_id: str | None, data: str
) -> _Row:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        value = None
    said: Parsed = value if isinstance(value, dict) else {}
    result = said.get("toolUseResult")
    agent = agent_id or (_text(result, "agentId") if isinstance(result, dict) else "")
    name = next(filter(None, (_text(said, one) for one in NAMES)), "")
    links = frozenset(filter(None, (_text(said, one) for one in LINKS)))
    repeats = frozenset(filter(None, (_text(said, one) for one in TEXTS))) if not said.get("uuid") else frozenset()
    text = _prompt_text(kind, said)
    return _Row(context, uid, time_us, kind, tool_use_id or "", agent, name, _text(said, "uuid"), links, text, repeats)


def _prompt_text(kind: str, said: Parsed) -> str:
    """What a person asked, where the row is that: a hook's UserPromptSubmit, or a transcript's `user` record that
    answers no tool, is no note of the agent's own and of no subagent."""
    if kind == "UserPromptSubmit":
        return _text(said, "prompt")
    message = said.get("message")
    if kind != "user" or not isinstance(message, dict) or said.get("isMeta") is True or said.get("isSidechain") is True:
        return ""
    content = message.get("content")
    if isinstance(content, str):
        return content
    blocks = [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
    if any(block.get("type") == "tool_result" for block in blocks):
        return ""
    return "\n".join(_text(block, "text") for block in blocks if block.get("type") == "text")


def _text(said: Parsed, name: str) -> str:
    value = said.get(name)
    return value if isinstance(value, str) else ""
