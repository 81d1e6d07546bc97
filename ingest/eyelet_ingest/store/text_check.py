"""Whether the text index of a day says what its rows say: its own structure, and each word against the rows' texts."""

import time
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from eyelet_ingest.errors import PartitionBusy, PartitionUnreadable
from eyelet_ingest.store import layout
from eyelet_ingest.store.connect import (
    FileLock,
    driver,
    file_of,
    is_passing,
    open_reader,
    open_writer,
    remedy,
    transaction,
)
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.statistics import snapshot
from eyelet_ingest.store.text_schema import GONE, INDEX, TEXT_COLUMNS, TEXT_SELECT, TOKENIZE, WIDE
from eyelet_ingest.store.text_slices import is_wide, watermark

LOCK_MS = 5_000
ROWS_AT_ONCE = 500


def check(root: str, key: PartitionKey) -> list[str]:
    """What is wrong, each with what helps; [] where nothing is, and where there is no index to be believed.

    Nobody waits for the comparison; the look at the index's own structure holds the day's lock.
    """
    path = layout.db_path(root, key)
    if file_of(path) is None:
        return []
    reader = open_reader(path)
    try:
        if watermark(reader) is None:
            return []
        wrong = list(_of_structure(root, key, path))
        with snapshot(reader):
            upto = watermark(reader)
            if upto is not None:
                try:
                    wrong += _of_words(reader, upto)
                except reader.DatabaseError as bad:
                    wrong.append(f"it cannot be read: {bad}")
        return wrong
    except reader.DatabaseError as bad:
        raise PartitionUnreadable("read", path, str(bad), remedy(path, bad)) from bad
    finally:
        reader.close()


def _of_structure(root: str, key: PartitionKey, path: str) -> Iterator[str]:
    """FTS5's own check, which has to be asked by an INSERT, and is taken back."""
    with FileLock(layout.lock_path(root, key), time.monotonic_ns() + LOCK_MS * 1_000_000, make=False):
        conn = open_writer(path, busy_ms=LOCK_MS)
        try:
            with transaction(conn):
                conn.execute(f"insert into {INDEX} ({INDEX}) values ('integrity-check')")  # noqa: S608  our own name
        except conn.DatabaseError as bad:
            if is_passing(str(bad)):
                raise PartitionBusy("check", path, str(bad), "another program writes there: try again") from bad
            yield f"it is damaged: {bad}"
        finally:
            conn.close()


def _of_words(reader: Any, upto: int) -> Iterator[str]:
    """The words of the index against those of an index that is made now, of the same rows, in memory."""
    made = driver().connect(":memory:", isolation_level=None)
    try:
        made.execute(f"create virtual table fresh using fts5 ({_LIST}, content='', tokenize='{TOKENIZE}')")
        known = {id for (id,) in reader.execute(f"select id from {WIDE}")}  # noqa: S608  our own name
        lacking = 0
        for some in _texts(reader, upto):
            lacking += sum(any(map(is_wide, row[1:])) for row in some if row[0] not in known)
            made.executemany(f"insert into fresh (rowid, {_LIST}) values ({_MARKS})", some)  # noqa: S608  our own names
        held = reader.execute(f"select count(*) from {INDEX}_docsize where id not in {_CHANGED}").fetchone()[0]  # noqa: S608
        rows = made.execute("select count(*) from fresh_docsize").fetchone()[0]
        if held != rows:
            yield f"it holds {held:,} rows, and there are {rows:,}"
        made.execute("create virtual table said using fts5vocab('fresh', 'instance')")
        vocabulary = f"create virtual table temp.eyelet_text_said using fts5vocab('main', '{INDEX}', 'instance')"
        reader.execute("pragma query_only = off")  # for a table of this connection alone
        reader.execute(vocabulary)
        theirs = reader.execute(_SUMS.format("temp.eyelet_text_said", f"where doc not in {_CHANGED}"))
        for mine, other in zip_longest(made.execute(_SUMS.format("said", "")), theirs):
            if mine != other:
                word = min(str(one[0]) for one in (mine, other) if one is not None)
                yield f"the word {word[:40]!r} stands elsewhere, or more often, than the index says"
                return
        if lacking:
            yield f"{lacking:,} rows of a script without spaces are not known as such"
    finally:
        made.close()


def _texts(reader: Any, upto: int) -> Iterator[list[tuple[Any, ...]]]:
    sql = f"""
        select id, {_LIST} from ({TEXT_SELECT})
        where id in (select id from hooks where arrived <= ?) and id not in {_CHANGED}
    """  # noqa: S608  our own names
    found = reader.execute(sql, (upto,))
    while some := found.fetchmany(ROWS_AT_ONCE):
        yield some


_LIST = ", ".join(TEXT_COLUMNS)
_MARKS = ", ".join("?" * (len(TEXT_COLUMNS) + 1))
_CHANGED = f"(select id from {GONE})"  # noqa: S608  our own name
_SUMS = "select term, col, count(*), sum(doc % 65521 * (offset + 1) % 1000003) from {} {} group by term, col"
