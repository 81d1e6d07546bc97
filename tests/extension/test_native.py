"""The extension in a process of C: under sanitizers and valgrind, in many threads, and with allocations that fail."""

import os
from pathlib import Path

import pytest

from eyelet_ingest.store import layout
from tests.extension import days, texts
from tests.extension.compare import as_an_ordinary_table_understands
from tests.extension.native import ADDRESS, THREAD, Driver, driver, lines, valgrind
from tests.extension.selects import Select, Selects, samples_of, seeded

SOAK = bool(os.environ.get("EYELET_SOAK"))
STEP = int(os.environ.get("EYELET_OOM_STEP", 1 if SOAK else 257))  # of so many allocations one fails
OWN_STEP = int(os.environ.get("EYELET_OWN_STEP", 1 if SOAK else 199))  # and of those of the extension itself
# One question of every kind: what is pushed down, merged, counted, sorted outside, and refused.
CHOSEN = [
    Select("select * from hooks", "rows"),
    Select("select count(*) from hooks", "rows"),
    Select("select * from hooks order by id desc, context_name limit 5", "order"),
    Select("select id, src from hooks where src like 'claude%' order by context_name, id limit 9 offset 2", "order"),
    Select("select context_name, id from hooks where context_name in ('beta', 'x', 'alpha') and error = 1", "rows"),
    Select(
        "select id from hooks where session_id in ('s1', 's2', null) order by timestamp desc, context_name", "order"
    ),
    Select(
        "select id, data from hooks where tool_name is null and src glob 'a.b*' order by src, id, context_name", "order"
    ),
    Select("select a.id, b.id from hooks a join hooks b on b.session_id = a.session_id and b.error = 1", "rows"),
    Select("select context_name, count(*), max(timestamp) from hooks group by 1", "rows"),
    Select("select distinct tool_name from hooks where timestamp >= 1767139200.5", "rows"),
    Select("select * from hooks where rowid in (select rowid from hooks where error = 1)", "rows"),
    Select("select * from hooks where id = 9e999 or id < 'x' or session_id > 5", "rows"),
]
# Of an ordinary table rowids are others.
COMPARABLE = [one for one in CHOSEN if "select rowid" not in one.sql]


# The text index over all days: found by a day's index, by reading, in one column, and not at all.
WORDS = [
    Select(f"select count(*) from texts where {what}", "rows")
    for what in (
        "texts match 'git push'",
        "texts match 'pu* NOT git'",
        "command match 'zebra'",
        "texts match 'nowhere'",
    )
]
NOTHING = Select("select count(*) from texts where texts match null", "rows")  # FTS5 calls it a mistake


@pytest.fixture(scope="module")
def questions(made: days.Days) -> list[Select]:
    samples = samples_of(made.plain)
    made_up = [Selects(seeded(10**6 + at), samples).select() for at in range(20_000 if SOAK else 90)]
    return COMPARABLE + [one for one in made_up if one.sql == as_an_ordinary_table_understands(one.sql)]


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> days.Days:
    """Three small days of two contexts: each question is asked as often as memory is asked for."""
    return days_of(tmp_path_factory, "few")


def days_of(folders: pytest.TempPathFactory, name: str) -> days.Days:
    made = days.Days(str(folders.mktemp(name) / "root"), seed=5)
    for context, day in (("alpha", 79), ("alpha", 80), ("beta", 79)):
        made.make(days.PartitionKey(context, 2026, day), 12)
    made.take()
    return made


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Driver:
    return driver(tmp_path_factory.mktemp("address"), "address", *ADDRESS)


@pytest.fixture(scope="module")
def plainly(tmp_path_factory: pytest.TempPathFactory) -> Driver:
    return driver(tmp_path_factory.mktemp("plainly"), "plainly", "-g", "-O1")


def test_no_address_and_no_value_is_out_of_bounds(address: Driver, made: days.Days, questions: list[Select]) -> None:
    """AddressSanitizer with its search for leaks, and UBSan; in a host of the system's SQLite, not this Python's."""
    assert address.run("compare", 0, lines(made, questions)) == (len(questions), 0)


def test_nor_in_the_text_index_over_all_days(address: Driver, plainly: Driver, tmp_path: Path) -> None:
    root = str(tmp_path / "root")
    texts.fill(root)
    setup = [
        f"virtual {texts.table(root, 'texts')}",
        """plain create virtual table texts using fts5 (command, other, tokenize="unicode61 remove_diacritics 2")""",
    ]
    for key in texts.KEYS:
        setup += [
            f"plain attach '{layout.db_path(root, key)}' as day",
            f"plain insert into texts select command, other from ({texts.TEXT})".replace("''", "'").replace(
                "from hooks", "from day.hooks"
            ),
            "plain detach day",
        ]
    asked = [*setup, *(f"{one.compared} {one.sql}" for one in WORDS)]
    assert address.run("compare", 0, asked) == (len(WORDS), 0)
    assert plainly.run("compare", 0, asked, under=valgrind()) == (len(WORDS), 0)


def test_threads_that_share_nothing_race_for_nothing(
    tmp_path_factory: pytest.TempPathFactory, made: days.Days, questions: list[Select]
) -> None:
    """ThreadSanitizer over connections of eight threads on the same days."""
    racing = driver(tmp_path_factory.mktemp("thread"), "thread", *THREAD)
    some = questions[: 2_000 if SOAK else 5]
    assert racing.run("threads", 8, lines(made, some)) == (8 * len(some), 0)


def test_a_hundred_threads_answer_alike(plainly: Driver, made: days.Days, questions: list[Select]) -> None:
    some = questions[: 200 if SOAK else 6]
    assert plainly.run("threads", 100, lines(made, some)) == (100 * len(some), 0)


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The same with a day that is none, tables of other kinds, and what is wrong: all that there is to be allocated."""
    few = days_of(tmp_path_factory, "spoilt")
    setup = lines(few, [])
    path = few.make(days.PartitionKey("beta", 2026, 80), 0)
    with open(path, "wb") as file:
        file.write(b"no database " * 1_000)
    roots = f"root='{few.root}', root='{few.root}/none'"
    values = "sql='select id, count(*) as n from hooks group by src', columns='id integer, n integer'"
    return [
        *setup,
        f"virtual create virtual table counted using eyelet_partitions({values}, {roots}, context='alpha')",
        "virtual select count(*) from hooks",
        *(f"{one.compared} {one.sql}" for one in CHOSEN),
        "rows select id, n from counted where n > 1 and id > 5",
        "rows select n, count(*) from counted group by n",
        "rows select context_name, date, table_name, path from eyelet_trouble",
        "rows select root, day_us from hooks where context_name = 'beta'",
    ]


@pytest.fixture(scope="module")
def worded(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The text index over a few small days of every kind, one of which is none."""
    root = str(tmp_path_factory.mktemp("worded") / "root")
    texts.fill(root, part=6)
    with open(layout.db_path(root, texts.KEYS[-1]), "wb") as file:
        file.write(b"no database " * 1_000)
    asked = (WORDS[0], WORDS[2], NOTHING)
    return [f"virtual {texts.table(root, 'texts')}", *(f"{one.compared} {one.sql}" for one in asked)]


def test_where_memory_is_refused_the_answer_is_right_or_out_of_memory(
    plainly: Driver, spoilt: list[str], worded: list[str]
) -> None:
    """Each allocation of SQLite and of the extension fails, once and from there on; in the short form some of them."""
    for asked in (spoilt, worded):
        looked_at, _ = plainly.run("oom", STEP, asked)
        assert looked_at > 20


def test_where_the_extension_itself_gets_no_memory_it_says_so(
    plainly: Driver, spoilt: list[str], worded: list[str]
) -> None:
    """Those of the allocations that it asked for itself are few enough to try each of them."""
    for asked in (spoilt, worded):
        looked_at, _ = plainly.run("own", OWN_STEP, asked)
        assert looked_at > 20


def test_a_load_that_memory_was_refused_to_leaves_nothing_that_sqlite_would_call(
    plainly: Driver, few: days.Days
) -> None:
    """It unloads the library then, and once crashed when the connection was closed. Each of the few is tried."""
    setup = [f"virtual {few.create()}", "rows select 1"]
    looked_at, _ = plainly.run("oom", 1, setup)
    assert looked_at > 100


def test_and_nothing_is_read_that_was_never_given(address: Driver, spoilt: list[str], worded: list[str]) -> None:
    for asked in (spoilt, worded):
        looked_at, _ = address.run("oom", 7 * STEP, asked)
        assert looked_at > 5


def test_valgrind_finds_nothing_uninitialised(plainly: Driver, few: days.Days) -> None:
    asked = COMPARABLE if SOAK else COMPARABLE[:6]
    assert plainly.run("compare", 0, lines(few, asked), under=valgrind()) == (len(asked), 0)
