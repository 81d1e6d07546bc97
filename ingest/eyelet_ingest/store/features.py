"""What SQLite has to have been built with. https://www.sqlite.org/compile.html"""

from eyelet_ingest.store.connect import open_memory

# Name → a statement that only works where it is there, tried rather than read off `compile_options`: JSON needs no
# option since 3.38, and an option may be there whose module was left out.
_TRIED = {
    "JSON": "select json_extract(value, '$.a') from json_each('[{\"a\": 1}]') where json_valid(value)",
    "FTS5": "create virtual table tried using fts5 (words, content='', tokenize='unicode61')",
}


def lacking() -> tuple[str, ...]:
    """Which of the features this process's SQLite does not have; () where it has all."""
    conn = open_memory()
    found = []
    try:
        for name, statement in _TRIED.items():
            try:
                conn.execute(statement).fetchall()
            except conn.Error:
                found.append(name)
    finally:
        conn.close()
    return tuple(found)
