"""Days whose text an index holds, in part or not at all, made by hand: id, and the columns `command` and `other`."""

from typing import Any

from eyelet_ingest.store import connect, layout, schema

TEXT = "select id, json_extract(data, ''$.command'') as command, json_extract(data, ''$.other'') as other from hooks"
KEYS = [layout.PartitionKey(context, 2026, day) for day in (60, 61, 62) for context in ("a", "b")]
INDEXED = (
    f"create view hooks_text as {TEXT}".replace("''", "'"),
    """create virtual table hooks_fts using fts5 (
        command, other, content='hooks_text', content_rowid='id', tokenize="unicode61 remove_diacritics 2"
    )""",
    "create table eyelet_text_gone (id integer primary key)",
    "create trigger eyelet_text_put before insert on hooks when 0 begin select 1; end",
    """create trigger eyelet_text_changed after update on hooks
    begin insert or ignore into eyelet_text_gone values (old.id); end""",
    """create trigger eyelet_text_deleted after delete on hooks
    begin insert or ignore into eyelet_text_gone values (old.id); end""",
)


def rows_of(key: layout.PartitionKey, at: int, count: int) -> list[tuple[Any, ...]]:
    start = key.bounds_us[0]
    words = ("git push", "git status", "push it", "café", "foo_bar baz", "x git y push")
    rows = []
    for number in range(at, at + count):
        said, other = words[number % len(words)], words[number * 5 % len(words)]
        data = f'{{"command": "{said}", "other": "{other} {key.context}"}}'
        values = dict.fromkeys(schema.COLUMNS)
        values |= {"id": start + number, "uid": (start + number).to_bytes(15, "big") + key.context.encode()}
        values |= {"arrived": start + number, "timestamp": (start + number) / 1e6, "session_id": "s", "src": "x"}
        values |= {"hook_type": "PostToolUse", "data": data, "meta": "{}"}
        rows.append(tuple(values.values()))
    return rows


def make(root: str, key: layout.PartitionKey, indexed: int, rows: int, version: int = 1) -> str:
    """A day of so many rows, the first `indexed` of which its index knows; none: it has no index."""
    path = layout.db_path(root, key)
    conn = connect.open_writer(path)
    schema.bring_up(conn, path, key.context, key.context, key.bounds_us)
    conn.executemany(schema.INSERT, rows_of(key, 0, rows))
    if indexed:
        for statement in INDEXED:
            conn.execute(statement)
        upto = key.bounds_us[0] + indexed - 1
        sql = "insert into hooks_fts (rowid, command, other) select * from ({}) where id <= ?"
        conn.execute(sql.format(TEXT.replace("''", "'")), (upto,))
        facts = [("text:arrived", upto), ("text:version", version)]
        conn.executemany("insert into eyelet_partition values (?, ?)", facts)
    conn.close()
    return path


def fill(root: str, part: int = 1) -> None:
    """Of each kind a day: indexed whole, not its last rows, with rows that changed since, without an index, with one of
    older rules. Each has a `part`-th of the rows it has otherwise."""
    whole, partly, changed, without, older, more = KEYS
    make(root, whole, 30 // part, 30 // part)
    make(root, partly, 20 // part, 33 // part)
    path = make(root, changed, 30 // part, 30 // part)
    conn = connect.open_writer(path)
    conn.execute("delete from hooks where id < ?", (changed.bounds_us[0] + 4 // part,))
    conn.execute("""update hooks set data = '{"command": "zebra"}' where id < ?""", (changed.bounds_us[0] + 9 // part,))
    conn.close()
    make(root, without, 0, 450 // part)
    make(root, older, 10 // part, 10 // part, version=0)
    make(root, more, 5 // part, 10 // part)


def table(root: str, name: str = "hooks_fts", *, text: str = TEXT, more: str = "") -> str:
    """What makes the text index over all days of the root."""
    return (
        f"create virtual table {name} using fts_eyelet(content=\"hooks\", root='{root}', version=1, "
        f"columns='command, other', text='{text}'{more})"
    )
