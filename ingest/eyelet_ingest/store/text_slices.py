"""One transaction after another of a day's text index: rows go in; at last it becomes one piece, with its terms.

The caller is alone with the day, and calls again until nothing is left (`text_index.py`).
"""

import re
from typing import Any, NamedTuple

from eyelet_ingest.store import text_schema
from eyelet_ingest.store.connect import transaction
from eyelet_ingest.store.text_schema import GONE, INDEX, KEYS, TERMS, TEXT_COLUMNS, TEXT_VERSION, VIEW, WATERMARK, WIDE
from eyelet_ingest.store.writer import ARRIVED_END

SLICE_BYTES = 4 * 2**20  # of payloads in one slice, beyond the first
BIG_BYTES = 128 * 2**10  # a payload beyond that is taken apart before its transaction: 10 MB in pieces took 2.5 s
GONE_LEAST, GONE_SHARE = 1_000, 0.1  # beyond both, what changed is worth a new index
MERGE_PAGES = 300  # of the index, in one transaction
CORRUPT = ("malformed", "corrupt", "missing row", "no such table: main.hooks_fts", "vtable constructor failed")
IDS_AT_ONCE = 200


class Slice(NamedTuple):
    """One transaction: how many rows went in, whether none are left, and the row that is to be `taken_apart` before it
    can."""

    rows: int
    is_done: bool
    big: int | None = None


class Apart(NamedTuple):
    """A row by its id, what it was when it was taken apart, and its texts; without them where it could not be."""

    id: int
    was: tuple[Any, ...] = ()
    texts: tuple[Any, ...] | None = None


def watermark(conn: Any) -> int | None:
    """Up to which `arrived` the index of this day goes; None where it has none that can be believed: of another
    version, or without a part of it (a trigger that is gone has told nobody what changed)."""
    try:
        version, upto, parts = conn.execute(_HELD, _PARTS).fetchone()
    except conn.DatabaseError:
        return None
    return upto if type(upto) is int and version == TEXT_VERSION and parts == len(_PARTS) else None


def facts(conn: Any) -> dict[str, Any]:
    """What `eyelet_partition` says of the index."""
    return dict(conn.execute("select key, value from eyelet_partition where key glob 'text:*'").fetchall())


def put_next(conn: Any, most: int, apart: Apart | None = None, *, alone: bool = False) -> Slice:
    """One transaction: so many rows at most. An index that is damaged, of another version, or has seen too many changes
    is begun anew. Before a row that is large it stops, and says which: nobody is to wait while that is taken apart;
    `apart` is the one that it said last. Who is `alone` with the day goes on."""
    try:
        return _sliced(conn, most, apart, alone)
    except conn.DatabaseError as bad:
        if not any(word in str(bad) for word in CORRUPT):
            raise
        with transaction(conn):
            text_schema.drop(conn)
        return _sliced(conn, most, apart, alone)


def taken_apart(reader: Any, id: int) -> Apart:
    """The texts of a row that is large, for `put_next`: no lock is held meanwhile."""
    try:
        was = reader.execute(_AS_IT_IS, (id,)).fetchone()
        texts = reader.execute(f"select {_LIST} from {VIEW} where id = ?", (id,)).fetchone()  # noqa: S608  our own names
    except (reader.DatabaseError, UnicodeDecodeError):
        return Apart(id)  # under the lock, then, where trouble is told
    return Apart(id, was, texts) if was and texts else Apart(id)


def _sliced(conn: Any, most: int, apart: Apart | None, alone: bool) -> Slice:
    with transaction(conn):
        upto = watermark(conn)
        if upto is None or is_outworn(conn):
            text_schema.create(conn)
            upto = text_schema.BEFORE_ALL
        given = None if apart is None else apart.id
        found, big = _bounded(conn.execute(_NEXT, (upto, ARRIVED_END, most)), given, alone)
        conn.execute(_UNPLACED)
        if not found:
            return Slice(0, big is None, big)
        numbered = [(id, arrived) for id, arrived in found if type(arrived) is int]
        marked = [(id,) for id, arrived in found if type(arrived) is not int]  # no place in the order of arrival
        conn.executemany(f"insert or ignore into {GONE} values (?)", marked)  # noqa: S608  our own name
        _put_in(conn, [id for id, _ in numbered], apart)
        conn.execute(f"drop table if exists {TERMS}")
        if numbered:
            conn.execute("update eyelet_partition set value = ? where key = ?", (numbered[-1][1], WATERMARK))
        is_done = big is None and (not numbered or not is_behind(conn, numbered[-1][1]))
        return Slice(len(numbered), is_done, big)


def _bounded(rows: Any, given: int | None, alone: bool) -> tuple[list[tuple[int, Any]], int | None]:
    """(id, arrived) of as many rows as a slice may hold, one at least; but none from a large one on, other than the one
    that is `given`, which is then told."""
    some: list[tuple[int, Any]] = []
    size = 0
    for id, arrived, length in rows:
        size += length
        if not alone and length > BIG_BYTES and id != given:
            return some, id
        if some and size > SLICE_BYTES:
            break
        some.append((id, arrived))
    return some, None


def _put_in(conn: Any, ids: list[int], apart: Apart | None) -> None:
    conn.execute(_MAKE_SLICE)
    if (
        apart is not None
        and apart.texts
        and apart.id in ids
        and conn.execute(_IS_SAME, (apart.id, *apart.was)).fetchone()
    ):
        conn.execute(_SAID, (apart.id, *apart.texts))
        ids = [id for id in ids if id != apart.id]
    for at in range(0, len(ids), IDS_AT_ONCE):
        some = ids[at : at + IDS_AT_ONCE]
        conn.execute(_TEXTS_OF.format(", ".join("?" * len(some))), some)
    conn.execute(_INDEX)
    wide = [(id,) for id, *texts in conn.execute(_BEYOND_ASCII) if any(map(is_wide, texts))]
    conn.executemany(f"insert or ignore into {WIDE} values (?)", wide)  # noqa: S608  our own name
    conn.execute("delete from temp.slice")


def is_behind(conn: Any, upto: int) -> bool:
    """Whether rows arrived since."""
    return bool(conn.execute(_IS_BEHIND, (upto, ARRIVED_END)).fetchone()[0])


def is_wide(text: str | None) -> bool:
    """Whether any of a text is in a script that is written without spaces, or cannot be seen by all of SQLite."""
    return text is not None and not text.isascii() and _WIDE.search(text) is not None


def is_outworn(conn: Any) -> bool:
    """Whether so much changed that a new index is cheaper than reading it all at each question."""
    changed = conn.execute(f"select count(*) from {GONE}").fetchone()[0]  # noqa: S608  our own name
    if changed <= GONE_LEAST:
        return False
    return bool(changed > GONE_SHARE * conn.execute("select count(*) from hooks").fetchone()[0])


def finish(conn: Any) -> bool:
    """One transaction of making the index one piece and, at last, the list of its terms; True when it is done."""
    with transaction(conn):
        found = facts(conn)
        if found.get(text_schema.FINISHED_KEY) == found.get(WATERMARK):
            return True
        begun = found.get(text_schema.MERGED_KEY) == found.get(WATERMARK)
        before = conn.total_changes
        pages = MERGE_PAGES if begun else -MERGE_PAGES  # less than nothing begins it: all pieces are to be one
        conn.execute(f"insert into {INDEX} ({INDEX}, rank) values ('merge', ?)", (pages,))  # noqa: S608  our own name
        keep = "insert or replace into eyelet_partition values (?, ?)"
        if not begun:
            conn.execute(keep, (text_schema.MERGED_KEY, found[WATERMARK]))
            return False
        if conn.total_changes - before >= 2:
            return False
        conn.execute(f"drop table if exists {TERMS}")
        conn.execute(text_schema.TERMS_DDL)
        for statement in text_schema.FILL_TERMS:
            conn.execute(statement)
        conn.execute(keep, (text_schema.FINISHED_KEY, found[WATERMARK]))
        conn.execute("delete from eyelet_partition where key = ?", (text_schema.MERGED_KEY,))
    return True


_PARTS = (INDEX, VIEW, KEYS, GONE, WIDE, *text_schema.TRIGGERS)
_HELD = f"""
    select (select value from eyelet_partition where key = '{text_schema.VERSION_KEY}'),
        (select value from eyelet_partition where key = '{WATERMARK}'),
        (
            select count(*) from sqlite_master
            where name in ({", ".join("?" * len(_PARTS))})
                and (name <> '{INDEX}' or instr(sql, '{VIEW}')) and (name <> '{VIEW}' or instr(sql, '{KEYS}'))
        )
"""  # noqa: S608  our own names
_IS_BEHIND = "select exists (select 1 from hooks where arrived > ? and arrived < ? and typeof(arrived) = 'integer')"
_NEXT = """
    select id, arrived, length(cast(data as blob)) from hooks where arrived > ? and arrived < ? order by arrived limit ?
"""
# Rows without a place in the order of arrival, which another program made: they are read at every question.
_UNPLACED = f"""
    insert or ignore into {GONE}
    select id from hooks where arrived is null union all select id from hooks where arrived >= ''
"""  # noqa: S608  our own names
_LIST = ", ".join(TEXT_COLUMNS)
_MAKE_SLICE = f"create temp table if not exists slice (id integer primary key, {_LIST})"
_TEXTS_OF = f"insert into temp.slice select id, {_LIST} from {VIEW} where id in ({{}})"  # noqa: S608  our own names
_FIELDS = ("data", "meta", "hook_type", "origin", "role")  # of a row, that its text is made of
_AS_IT_IS = f"select {', '.join(_FIELDS)} from hooks where id = ?"  # noqa: S608  our own names
_IS_SAME = f"select 1 from hooks where id = ? and {' and '.join(f'{name} is ?' for name in _FIELDS)}"  # noqa: S608
_SAID = f"insert into temp.slice (id, {_LIST}) values ({', '.join('?' * (len(TEXT_COLUMNS) + 1))})"  # noqa: S608
_INDEX = f"insert into {INDEX} (rowid, {_LIST}) select id, {_LIST} from temp.slice order by id"  # noqa: S608
_LONGER = " or ".join(f"length({name}) < length(cast({name} as blob))" for name in TEXT_COLUMNS)
_BEYOND_ASCII = f"select id, {_LIST} from temp.slice where {_LONGER}"  # noqa: S608  our own names
# In Python: as a pattern of GLOB it took as long as all the rest. A NUL, as SQLite's functions see nothing behind it.
_WIDE = re.compile("[\0" + "".join(f"{chr(first)}-{chr(last)}" for first, last in text_schema.WIDE_BLOCKS) + "]")
