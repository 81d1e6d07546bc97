"""Rows that no index knows, asked the same question: their text goes into a small index in memory, of the same
tokenizer, and out again. So what an index answers and what is read come to the same, whatever the tokenizer does.
"""

from collections.abc import Sequence
from typing import Any

from eyelet_ingest.errors import BadInput
from eyelet_ingest.store.connect import driver
from eyelet_ingest.store.text_plan import expression
from eyelet_ingest.store.text_query import And, Node, Not, Or, Substring
from eyelet_ingest.store.text_schema import TEXT_COLUMNS, TOKENIZE

TextRow = tuple[Any, ...]  # the id, and the text of each of TEXT_COLUMNS or None

MODULE = "fts5"
_NAMES = ", ".join(TEXT_COLUMNS)
INSERT = f"insert into texts (rowid, {_NAMES}) values ({', '.join('?' * (len(TEXT_COLUMNS) + 1))})"  # noqa: S608  our names
_FOLD = str.maketrans({chr(code): chr(code + 32) for code in range(ord("A"), ord("Z") + 1)})
_AT = {name: at for at, name in enumerate(TEXT_COLUMNS, 1)}


class Matcher:
    """One query asked of some rows after others. Of one thread at a time; to be closed."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._conn: Any = None
        self._there: set[int] = set()  # ids of rows that are in the index in memory

    def __enter__(self) -> "Matcher":
        return self

    def __exit__(self, *_: object) -> None:
        if self._conn is not None:
            self._conn.close()
            self._conn = None

    def of(self, rows: Sequence[TextRow]) -> set[int]:
        """The ids of those that match."""
        found = {row[0] for row in self._those(self.node, list(rows))}
        if self._there:
            self._conn.execute("insert into texts(texts) values ('delete-all')")
            self._there.clear()
        return found

    def _those(self, node: Node, rows: list[TextRow]) -> list[TextRow]:
        if not rows:
            return rows
        match = expression(node)
        if match is not None:
            return self._indexed(match, rows)
        if isinstance(node, Substring):
            return [row for row in rows if holds(row, node)]
        if isinstance(node, Not):
            gone = {row[0] for row in self._those(node.part, rows)}
            return [row for row in rows if row[0] not in gone]
        if isinstance(node, And):  # what is read costs less than what goes into an index
            for part in sorted(node.parts, key=lambda one: expression(one) is not None):
                rows = self._those(part, rows)
            return rows
        assert isinstance(node, Or)
        found = {row[0] for part in node.parts for row in self._those(part, rows)}
        return [row for row in rows if row[0] in found]

    def _indexed(self, match: str, rows: list[TextRow]) -> list[TextRow]:
        if self._conn is None:
            self._conn = in_memory(", content=''")
        fresh = [row for row in rows if row[0] not in self._there]
        self._conn.executemany(INSERT, fresh)
        self._there.update(row[0] for row in fresh)
        found = {row[0] for row in self._conn.execute("select rowid from texts where texts match ?", (match,))}
        return [row for row in rows if row[0] in found]


def in_memory(options: str = "") -> Any:
    """An empty index `texts` in memory, of the columns and the tokenizer of a day's, inside a transaction that nobody
    ends: nothing of it is to stay. BadInput where this SQLite has no FTS5."""
    conn: Any = driver().connect(":memory:", isolation_level=None, check_same_thread=False)
    try:
        conn.execute(f"create virtual table texts using {MODULE}({_NAMES}{options}, tokenize='{TOKENIZE}')")
    except conn.OperationalError as bad:
        conn.close()
        hint = 'install pysqlite3, or look for exact characters: ="…"'
        raise BadInput("search", reason=f"this SQLite cannot tell words ({bad})", hint=hint) from bad
    conn.execute("begin")
    return conn


def holds(row: TextRow, node: Substring) -> bool:
    """Whether one of the row's texts has this substring."""
    texts = [row[_AT[name]] for name in node.columns] if node.columns else row[1:]
    if node.folded:
        wanted = node.text.translate(_FOLD)
        return any(wanted in text.translate(_FOLD) for text in texts if text)
    return any(node.text in text for text in texts if text)
