"""A root of odd rows over several contexts and days, and the same rows in one ordinary table: what the virtual table
has to answer like.

The ordinary table is filled through ATTACH, so that every value is what the day holds, to the byte. Rows whose id lies
outside their day are left out of it, as they are of every answer.
"""

import os
import random
from typing import Any

from eyelet_ingest.store import connect, layout, schema
from eyelet_ingest.store.layout import PartitionKey

CONTEXTS = ("alpha", "beta", "x-2026-079")
DAYS = ((2024, 366), (2025, 1), (2025, 2), (2026, 78), (2026, 79), (2026, 80))
ROWS_A_DAY = 40
COLUMNS = ("context_name", *schema.COLUMNS, *schema.DERIVED)
TYPES = {
    **dict.fromkeys(("id", "arrived", "error"), "integer"),
    **dict.fromkeys(("timestamp", "duration_ms"), "real"),
    "uid": "blob",
}
SESSIONS = (
    "s1",
    "S1",
    "s1 ",
    "s2",
    "s10",
    "",
    "1e2",
    "100",
    "1",
    "2.0",
    "300",
    "12.25",
    "s1%",
    "s_1",
    "é",
    "É",
    "\U0001f600",
    "s1\x00tail",
)
TOOLS = (None, "Bash", "bash", "BASH ", "Read", "Edit", "mcp__a__b", "%", "_", "[x]", "*")
SRC = ("", "claude.posttooluse.bash.git.push", "claude.posttooluse.bash.git", "claude.posttooluse.bash", "a.b%c", "a_b")
STATUS = ("ok", "ok", "ok", "pending", "error", "denied", "interrupted", None)
# SQL of values that our own software never writes, and another program may.
ODD = {
    "session_id": ("x'00ff'", "cast(x'ff41' as text)", "cast(x'610062' as text)", "'10'", "'9'", "zeroblob(3)"),
    "tool_name": ("''", "x''", "cast(x'c3' as text)", "5", "'Bash' || char(0)"),
    "error": ("null", "2", "-1", "1.5", "'abc'", "9223372036854775807", "-9223372036854775808", "x'01'", "'1'"),
    "duration_ms": ("0.5", "-0.0", "1e308", "-1e308", "9e999", "-9e999", "'slow'", "x'02'", "1024", "null"),
    "arrived": ("null", "9223372036854775807", "-9223372036854775808", "1.5", "'when'"),
    "timestamp": ("timestamp + 0.5", "timestamp - 0.25", "timestamp + 0.000001"),
    "status": ("''", "'OK'", "1", "x'6f6b'"),
    "src": ("'CLAUDE.posttooluse'", "'a.b'", "x'61'", "'a.b/'", "'a.b.' || char(1114111)", "'9'"),
    "agent": ("'a''b'", "'\"'", "char(10)", "x'00'", "'42'", "42"),
    "meta": (
        """'{"execution":{"error_code":5}}'""",
        """'{"execution":{"error_code":true},"git":{"branch":null}}'""",
        """'{"execution":{"error_code":{"a":[1]}},"git":{"branch":"Main"}}'""",
        """'{"git":{"branch":1.0}}'""",
    ),
    "data": ("'[]'", "'null'", "'9223372036854775808'", "'\"' || replace(hex(zeroblob(9000)), '00', 'xy') || '\"'"),
    "uid": ("null", "x'00'", "'uid'"),
    "loglevel": ("null", "'INFO'"),
    "model": ("''", "'claude%'", "x'ff'"),
}


class Days:
    """A root, and the ordinary table of its rows: `plain` is a connection that holds it as `hooks`."""

    def __init__(self, root: str, seed: int = 79) -> None:
        self.root = root
        self.chance = random.Random(seed)
        self.plain = _memory()
        self.plain.execute(self.plain_table())

    def __enter__(self) -> "Days":
        return self

    def __exit__(self, *_: object) -> None:
        self.plain.close()

    @staticmethod
    def plain_table() -> str:
        columns = ", ".join(f"{name} {TYPES.get(name, 'text')}" for name in COLUMNS)
        return f"create table hooks ({columns}, primary key (context_name, id))"

    def fill(self, rows: int = ROWS_A_DAY) -> None:
        """Days of every context, some of them empty, one of them without statistics of SQLite's."""
        for context in CONTEXTS:
            for year, day in DAYS:
                key = PartitionKey(context, year, day)
                self.make(key, 0 if (context, day) == ("beta", 2) else rows)
        self.take()

    def make(self, key: PartitionKey, rows: int) -> str:
        """One day's file with so many rows; its path."""
        path = layout.db_path(self.root, key)
        conn = connect.open_writer(path)
        schema.bring_up(conn, path, key.context, key.context, key.bounds_us)
        with connect.transaction(conn):
            conn.executemany(schema.INSERT, self._rows(key, rows))
            self._make_odd(conn, key)
        if rows and self.chance.random() < 0.5:
            conn.execute("analyze")
        conn.close()
        return path

    def take(self) -> None:
        """The ordinary table holds what the days hold now."""
        self.plain.execute("delete from hooks")
        for key in self.partitions():
            self.plain.execute("attach ? as day", (layout.db_path(self.root, key),))
            names = ", ".join(COLUMNS[1:])
            sql = f"insert into hooks select ?, {names} from day.hooks where id >= ? and id < ?"
            self.plain.execute(sql, (key.context, *key.bounds_us))
            self.plain.execute("detach day")

    def partitions(self) -> list[PartitionKey]:
        found = []
        for at, _, names in os.walk(layout.logs_dir(self.root)):
            if "logs.sqlite" in names:
                *_, context, year, day = at.split(os.sep)
                found.append(PartitionKey(context, int(year), int(day)))
        return sorted(found)

    def virtual(self, extension: str, **arguments: str) -> Any:
        """A connection that has the virtual table `hooks` over this root."""
        conn = _memory()
        reason = connect.load_extension(conn, extension)
        assert not reason, reason
        conn.execute(self.create(**arguments))
        return conn

    def create(self, **arguments: str) -> str:
        given = {"table": "hooks", "root": self.root, **arguments}
        quoted = ", ".join(f"{name}='{value}'" for name, value in given.items())
        return f"create virtual table hooks using eyelet_partitions({quoted})"

    def shuffled(self) -> Any:
        """Another connection with the ordinary table, in another order and with indexes."""
        other = _memory()
        path = os.path.join(self.root, "shuffled.sqlite")
        self.plain.execute("attach ? as there", (path,))
        self.plain.execute("create table there.copied as select * from main.hooks")
        self.plain.execute("detach there")
        other.execute("attach ? as there", (path,))
        other.execute(self.plain_table())
        other.execute("insert into hooks select * from there.copied order by hex(data), hex(uid)")
        other.execute("detach there")
        os.unlink(path)
        for column in ("id", "session_id", "src", "tool_name", "error"):
            other.execute(f"create index by_{column} on hooks ({column})")
        return other

    def _rows(self, key: PartitionKey, rows: int) -> list[tuple[Any, ...]]:
        """Some with the same ids in every context, the first and the last microsecond of the day among them."""
        start, end = key.bounds_us
        step = (end - start) // max(rows, 1)
        made = []
        for at in range(rows):
            id_ = end - 1 if at == rows - 1 else start + at * step + (self.chance.randrange(3) if at % 4 else 0)
            failed = self.chance.random() < 0.15
            meta = '{"execution":{"error_code":"exit:%d"},"git":{"branch":"%s"}}'
            pick = self.chance.choice
            made.append(
                (
                    *(id_, self.chance.randbytes(16), id_ + 1_000, id_ / 1e6, pick(SESSIONS)),
                    *(pick(("PreToolUse", "PostToolUse", "Stop", "user")), pick(TOOLS), pick((None, f"t{at // 2}"))),
                    *("error" if failed else pick(STATUS), pick(SRC), pick(("info", "warn")), int(failed)),
                    *(pick(("hook", "transcript")), pick((None, "claude", "codex")), None, pick((None, "user"))),
                    *(pick((None, "opus")), pick((None, 0.5, 12.25, 300.0)), f"/p/{at % 3}", "host", "127.0.0.1"),
                    *(f'{{"at":{at}}}', meta % (at % 3, pick(("main", "dev"))) if at % 3 else "{}"),
                )
            )
        return made

    def _make_odd(self, conn: Any, key: PartitionKey) -> None:
        """Values as other programs may leave them, and rows that are not of this day."""
        ids = [id_ for (id_,) in conn.execute("select id from hooks order by id")]
        if len(ids) < 6:
            return
        for column, values in ODD.items():
            for value in self.chance.sample(values, min(2, len(values))):
                where = self.chance.choice(ids[1:-3])
                conn.execute(f"update or ignore hooks set {column} = {value} where id = ?", (where,))
        _, end = key.bounds_us
        for number, id_ in enumerate(ids[-3:-1]):
            conn.execute("update hooks set id = ? where id = ?", ((end + 7, -5)[number], id_))


def _memory() -> Any:
    """A database in memory whose text is told from blobs, whatever bytes it holds."""
    conn = connect.driver().connect(":memory:", isolation_level=None, check_same_thread=False)
    conn.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
    return conn
