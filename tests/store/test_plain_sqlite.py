"""The SQLite of the standard library, however old, does all that is done to days as a whole."""

import os
import subprocess
import sys
from pathlib import Path

_PROGRAM = """
import sys
sys.modules["pysqlite3"] = None
from eyelet_ingest.store import connect, copies, identity, layout, sync
from eyelet_ingest.store.backup import verify
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
from tests.store.victims import MIDNIGHT_US, event
assert connect.driver().__name__ == "sqlite3"
root, saved, other = (sys.argv[1] + name for name in ("/root", "/saved", "/other"))
identity.load_key(root)
with Store(root) as store:
    store.append([event(MIDNIGHT_US + number) for number in range(50)], "shop")
    (key,) = store.catalog.partitions()
    with store.connection(key) as lent, lent.writing():
        lent.execute("create table notes (id integer primary key, hook integer references hooks (id), text)")
        lent.execute("insert into notes (hook, text) select id, src from hooks")
    conn = connect.open_reader(layout.db_path(root, key))
    with copies.snapshot(conn, layout.db_path(root, key)) as copy:
        content = copy.read()
    conn.close()
    with open(sys.argv[1] + "/copy.db", "wb") as file:
        file.write(content)
    conn = connect.open_reader(sys.argv[1] + "/copy.db", settled=True)
    assert conn.execute("select count(*), (select count(*) from notes) from hooks").fetchone() == (50, 50)
    assert conn.execute("pragma journal_mode").fetchone() != ("wal",)
    conn.close()
    assert store.index_text(60_000).rows == 50 and store.text_check(key) == []
    store.seal(key)
    store.vacuum(key)
    assert [one.state for one in store.verify()] == ["unchanged"]
    assert store.backup(saved).failed == [] and verify(saved).failed == []
    assert store.archive(key, remove=True).removed
    assert store.restore_archive(key).rows == 50
    assert store.restore(saved, replace=True).failed == []
    assert store.migrate(key)
    store.text_build(key, anew=True)
    assert store.text_check(key) == [] and store.count(Filter(text="no_such_word")).count == 0
    assert sync.sync(other, [root])[0].stored == 50
    assert store.count(Filter()).count == 50
    conn = connect.open_reader(layout.db_path(root, key))
    assert conn.execute("select count(*) from notes, hooks on hooks.id = notes.hook").fetchone() == (50,)
    conn.close()
"""


def test_days_are_copied_sealed_archived_moved_and_restored_by_the_standard_librarys_sqlite(tmp_path: Path) -> None:
    path = os.pathsep.join([str(Path(__file__).parents[2]), *(one for one in sys.path if one)])
    command = [sys.executable, "-c", _PROGRAM, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path})
    assert (done.returncode, done.stderr) == (0, "")
