"""Which of the events that match are most about what was asked for.

Each day names its best: by FTS5's bm25 where its index answers, else the newest that match. All of them are then put
into one index in memory and weighed against each other there, by bm25 again, a hit in a command, a prompt or an error
counting more than one in an output. What a day's own index says of a word (how rare it is that day) would put a day
in which it is rare before all others, and what arrived since has no such figure at all. Equal ones: the newer first.
"""

from collections.abc import Sequence

from eyelet_ingest.store.text_match import INSERT, TextRow, in_memory
from eyelet_ingest.store.text_plan import expression, positive
from eyelet_ingest.store.text_query import Near, Node, Or, Phrase
from eyelet_ingest.store.text_schema import TEXT_COLUMNS

OF_A_DAY = 100  # events that one day may name
TEXT_CHARS = 16_384  # of one column of an event that is weighed
WEIGHTS = {"command": 4.0, "path": 2.0, "prompt": 4.0, "answer": 2.0, "output": 1.0, "error": 4.0, "other": 1.0}
BM25 = ", ".join(str(WEIGHTS[name]) for name in TEXT_COLUMNS)
_ASK = f"select rowid, bm25(texts, {BM25}) from texts where texts match ?"  # noqa: S608  our own names


def ranks(node: Node, rows: Sequence[TextRow]) -> list[float]:
    """How much each row is about what the query asks for, the less the better; 0 where only substrings tell."""
    words = tuple(leaf for leaf in positive(node) if isinstance(leaf, (Phrase, Near)))
    match = expression(Or(words)) if words else None
    if match is None or not rows:
        return [0.0] * len(rows)
    conn = in_memory(", content=''")
    try:
        for at, row in enumerate(rows):
            conn.execute(INSERT, [at, *(text and text[:TEXT_CHARS] for text in row[1:])])
        found = dict(conn.execute(_ASK, (match,)))
    finally:
        conn.close()
    return [round(float(found.get(at, 0.0)), 12) for at in range(len(rows))]
