"""A filter of words spares the look at a day and costs no answer: whoever writes, deletes, seals or tampers with it."""

import errno
import json
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from eyelet_ingest.events import Event
from eyelet_ingest.past import Pattern
from eyelet_ingest.store import connect, layout, text_blooms, text_index, text_search
from eyelet_ingest.store.search import Search
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
from eyelet_ingest.store.text_plan import AllOf, OneOf, needed
from eyelet_ingest.store.text_query import exactly, parse

DAYS = [layout.PartitionKey("default", 2026, number) for number in (79, 80, 81)]
DAY = DAYS[1]
SAID = ("git push origin", "git pull --rebase", "make check café")
FEW = ("push", "pull", "zzyzzyva", "check")
QUERIES = (*FEW, "git", "git -push", "pus*", '="t push o"', "cafe", "push OR check", "-git")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times of files are told apart by 10 ms here, some ticks of the system's clock."""
    monkeypatch.setattr(text_blooms, "SETTLED_NS", 10_000_000)
    monkeypatch.setattr(text_blooms, "LOOK_AGAIN_S", 0.0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(str(tmp_path)) as made:
        for key, text in zip(DAYS, SAID, strict=True):
            add(made, key, text, range(5))
        yield made


def add(store: Store, key: layout.PartitionKey, text: str, at: "range | tuple[int, ...]") -> None:
    start = key.bounds_us[0]
    events = [
        Event(time_us=start + one, uid=b"%16d" % ((start + one) % 10**15), hook_type="Note", tool_name="AB"[one % 2],
              data=json.dumps({"tool_input": {"command": text}}))
        for one in at
    ]  # fmt: skip
    store.append(events, key.context)


def made(store: Store) -> None:
    """Every day's index and filter."""
    for _ in range(2):
        time.sleep(0.02)
        assert store.index_text(60_000).troubled == []


def files(store: Store) -> list[str]:
    found = Path(store.root, text_blooms.FOLDER).rglob("*")
    return sorted(str(path.relative_to(store.root)) for path in found if path.is_file())


def path_of(store: Store, key: layout.PartitionKey = DAY) -> Path:
    return Path(text_blooms.path_of(store.root, key))


def opened(store: Store, query: str, monkeypatch: pytest.MonkeyPatch, **more: Any) -> int:
    """How many days are borrowed for a question."""
    borrowed = []
    borrow = store.roots.handles.borrow
    with monkeypatch.context() as patch:
        patch.setattr(
            store.roots.handles, "borrow", lambda path, **given: (borrowed.append(path), borrow(path, **given))[1]
        )
        store.search(Filter(text=query, **more))
    return len(set(borrowed))


def answers(store: Store, queries: Sequence[str] = QUERIES) -> list[Any]:
    found: list[Any] = []
    for query in queries:
        for where in (Filter(text=query), Filter(text=query, tool_name=("A",))):
            for oldest_first in (False, True):
                found.append([row["id"] for row in store.search(where, oldest_first=oldest_first).rows])
            found.append(store.count(where).count)
            found.append(sum(store.histogram(where).counts))
            found.append(sorted(row["id"] for row in store.search(where, by_rank=True).rows))
        found += [store.text_ids(key, query) for key in DAYS]
    return found


def by_reading(store: Store, queries: Sequence[str] = QUERIES) -> list[Any]:
    """The same without any index or filter."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_search.Text, "_known", lambda *_: None)
        patch.setattr(text_blooms.Blooms, "of", lambda *_: None)
        return answers(store, queries)


def by_hand(store: Store, statement: str, key: layout.PartitionKey = DAY) -> None:
    conn = connect.open_writer(layout.db_path(store.root, key))
    conn.execute(statement)
    conn.close()


def test_only_days_that_may_have_a_word_are_opened(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [opened(store, query, monkeypatch) for query in ("push", "git", "zzyzzyva")] == [3, 3, 3]
    made(store)
    asked = ("push", "git", "zzyzzyva", '="t push o"', "push check", "push OR check", "NEAR(git push, 3)", "make -push")
    assert [opened(store, query, monkeypatch) for query in asked] == [1, 2, 0, 1, 0, 2, 1, 1]
    assert [opened(store, query, monkeypatch) for query in ("pus*", "-push", '="us"', "café")] == [3, 3, 3, 3]
    assert opened(store, "push", monkeypatch, tool_name=("A",)) == 1
    answer = store.search(Filter(text="push"))
    assert (answer.partitions.scanned, answer.partitions.skipped) == (3, 0)


def test_a_filter_changes_no_answer(store: Store) -> None:
    wanted = by_reading(store)
    made(store)
    assert len(files(store)) == 3
    assert answers(store) == wanted
    with Store(store.root) as again:
        assert answers(again) == wanted


CHANGES: dict[str, Callable[[Store], object]] = {
    "a late event": lambda store: add(store, DAY, "zzyzzyva push", (7,)),
    "an event of a bulk": lambda store: add(store, DAY, "zzyzzyva", (8, 9)),
    "a row of another program": lambda store: by_hand(
        store,
        "insert into hooks (timestamp, hook_type, data) values (1774051200.5, 'Note', '{\"prompt\": \"zzyzzyva\"}')",
    ),
    "a changed row": lambda store: by_hand(
        store, "update hooks set data = '{\"prompt\": \"zzyzzyva check\"}' where id = (select min(id) from hooks)"
    ),
    "a deleted row": lambda store: by_hand(store, "delete from hooks where id = (select min(id) from hooks)"),
    "a deletion": lambda store: store.delete(Filter(until_us=DAY.bounds_us[0] + 2)),
    "a deleted day": lambda store: store.delete(Filter(since_us=DAY.bounds_us[0], until_us=DAY.bounds_us[1])),
    "a redaction": lambda store: store.redact(Pattern("rebase")),
    "a seal": lambda store: store.seal(DAY),
    "a vacuum": lambda store: store.vacuum(DAY),
    "an index made anew": lambda store: store.text_build(DAY, anew=True),
    "an index that is gone": lambda store: by_hand(store, "drop table hooks_fts"),
    "a day that is archived and restored": lambda store: (
        store.archive(DAY, remove=True), answers(store, FEW), store.restore_archive(DAY)
    ),
    "another key": lambda store: Path(store.root, "secret.key").write_bytes(b"k" * 32),
    "a filter that was cut": lambda store: path_of(store).write_bytes(path_of(store).read_bytes()[:-9]),
    "a filter of zeros": lambda store: path_of(store).write_bytes(
        path_of(store).read_bytes()[: text_blooms._HEAD_BYTES] + bytes(64)
    ),
    "another day's filter": lambda store: path_of(store).write_bytes(path_of(store, DAYS[0]).read_bytes()),
    "a folder in its place": lambda store: (path_of(store).unlink(), path_of(store).mkdir()),
    "a file in the place of all": lambda store: (
        os.rename(Path(store.root, "words"), Path(store.root, "gone")), Path(store.root, "words").touch()
    ),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changes_is_found_at_once_and_after_the_next_round(store: Store, change: str) -> None:
    made(store)
    answers(store, FEW)  # so that the Store has the filters in memory
    CHANGES[change](store)
    wanted = by_reading(store, FEW)
    assert answers(store, FEW) == wanted
    with Store(store.root) as fresh:
        assert answers(fresh, FEW) == wanted
    made(store)
    assert answers(store, FEW) == wanted


def test_an_open_writer_is_believed_before_its_file(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is committed stands in the WAL alone; the day's file says nothing of it."""
    made(store)
    conn = connect.open_writer(layout.db_path(store.root, DAY))
    conn.execute("pragma wal_autocheckpoint = 0")
    assert opened(store, "zzyzzyva", monkeypatch) == 0
    conn.execute('update hooks set data = \'{"prompt": "zzyzzyva"}\' where id = (select min(id) from hooks)')
    assert store.count(Filter(text="zzyzzyva")).count == 1
    conn.close()
    assert store.count(Filter(text="zzyzzyva")).count == 1


def test_a_day_changed_while_it_is_asked_is_asked_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    made(store)
    asked = text_search.Text.rows_whole

    def slow(*given: Any) -> Any:
        rows = asked(*given)
        assert rows is not None
        add(store, DAYS[0], "push", (11,))
        return rows

    monkeypatch.setattr(text_search.Text, "rows_whole", slow)
    assert len(store.search(Filter(text="push")).rows) == 6


def test_one_statement_answers_a_day_that_is_known(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    made(store)

    def never(*_: object) -> None:
        raise AssertionError("the day was looked at the long way")

    monkeypatch.setattr(text_search.Text, "_tried", never)
    assert len(store.search(Filter(text="push")).rows) == 5
    assert len(store.search(Filter(text="git"), limit=3).rows) == 3
    assert store.count(Filter(text="git")).count == 10


def test_a_filter_tells_no_word_and_is_nobody_elses(store: Store) -> None:
    made(store)
    for name in files(store):
        path = Path(store.root, name)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert not any(word in path.read_bytes() for word in (b"push", b"rebase", b"git", b"check"))


def test_a_filter_goes_with_what_its_day_had(store: Store) -> None:
    made(store)
    store.redact(Pattern("rebase"))
    assert not path_of(store).exists()
    made(store)
    assert path_of(store).exists()
    store.delete(Filter(since_us=DAY.bounds_us[0], until_us=DAY.bounds_us[1]))
    assert not path_of(store).exists()
    path_of(store).write_bytes(b"left by another version")
    store.index_text(60_000)
    assert len(files(store)) == 2


def test_a_day_that_changed_a_moment_ago_has_no_filter_yet(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_blooms, "SETTLED_NS", 3_600_000_000_000)
    made(store)
    assert files(store) == []
    monkeypatch.setattr(text_blooms, "SETTLED_NS", 10_000_000)
    made(store)
    assert len(files(store)) == 3


def test_a_round_goes_on_where_the_last_one_ran_out_of_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_blooms, "TERMS_AT_ONCE", 1)
    for key in DAYS:
        text_index.catch_up(store.root, key, 60_000)
    time.sleep(0.02)
    making = text_blooms.Making(store.root)
    calls = 0
    while not making.make(DAY, 0.0):
        calls += 1
        assert calls < 50
    assert calls == 3  # git, pull, rebase
    assert path_of(store).exists()
    made(store)
    assert answers(store) == by_reading(store)


def test_a_round_looks_at_no_day_that_has_its_filter(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    made(store)
    monkeypatch.setattr(text_index, "catch_up", lambda *_: pytest.fail("a day was opened"))
    with Store(store.root) as fresh:
        assert fresh.index_text(60_000).left == 0


def test_a_root_that_nobody_may_write_to_is_searched(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.EROFS, "read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr(text_blooms, "_put", refused)
        made(store)
    assert files(store) == []
    assert answers(store, FEW) == by_reading(store, FEW)


def test_memory_of_filters_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_blooms, "KEPT_BYTES", 100)
    made(store)
    assert opened(store, "push", monkeypatch) == 1
    assert opened(store, "push", monkeypatch) == 1
    assert store.roots.blooms[0]._bytes <= 100


def test_several_roots_have_each_their_own(store: Store, tmp_path_factory: pytest.TempPathFactory) -> None:
    with Store(str(tmp_path_factory.mktemp("other"))) as other:
        add(other, DAY, "zzyzzyva", range(3))
        made(other)
    made(store)
    with Store(store.root, also=[other.root]) as both, Search(both.roots, Filter(text="zzyzzyva")) as question:
        assert question.lacks is not None
        assert [question.lacks(part) for part in question.parts] == [True, True, False, True]
        assert both.count(Filter(text="zzyzzyva")).count == 3
        assert both.count(Filter(text="push")).count == 5


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("git push", AllOf((AllOf(("git",)), AllOf(("push",))))),
        ("Git-Push", AllOf(("git", "push"))),
        ("pus*", None),
        ('"git pus"*', AllOf(("git",))),
        ("café", None),
        ('"café au lait"', AllOf(("au", "lait"))),
        ("naïve_bar", AllOf(("bar",))),
        ("-git", None),
        ("git -push", AllOf((AllOf(("git",)),))),
        ("git OR pus*", None),
        ("git OR push", OneOf((AllOf(("git",)), AllOf(("push",))))),
        ("NEAR(git pus*, 3)", AllOf(("git",))),
        ("検索", None),
        ("=>", None),
    ],
)
def test_what_a_query_needs(query: str, wanted: object) -> None:
    assert needed(parse(query)) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("push", None),
        (" push ", AllOf(("push",))),
        ("git push", None),
        ("x git push y", AllOf(("git", "push"))),
        ("é git ", AllOf(("git",))),
        ("ég it ", AllOf(("it",))),
    ],
)
def test_what_exact_text_needs(text: str, wanted: object) -> None:
    assert needed(exactly(text)) == wanted
