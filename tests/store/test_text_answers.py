"""A text in every question there is; the index in whatever state; pieces that show why, and the best ones first."""

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyelet_ingest.errors import BadInput, PartitionBusy
from eyelet_ingest.events import Event
from eyelet_ingest.snippets import BEGIN, END, parts
from eyelet_ingest.store import connect, fanout, layout, text_index, text_match, text_proof, text_schema, text_search
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
from eyelet_ingest.store.text_query import BadQuery, parse
from eyelet_ingest.store.text_schema import INDEX, TEXT_COLUMNS, TRIGGERS, VIEW
from eyelet_ingest.store.text_snippets import MOST_CHARS, snippets

DAY = layout.PartitionKey("default", 2026, 79)
NEXT = layout.PartitionKey("default", 2026, 80)
START = DAY.bounds_us[0]
QUERIES = (
    "push",
    "pu*",
    '="ush o"',
    '="git push"',
    "-push",
    "検索",
    "git -push",
    "command:git",
    "output:git",
    "push OR 検索",
)


def add(store: Store, said: list[dict[str, Any]], first: int = 0, start: int = START, **more: Any) -> None:
    events = [
        Event(
            time_us=start + at, uid=b"%16d" % (start % 1_000_003 + at), data=json.dumps(one), hook_type="Note", **more
        )
        for at, one in enumerate(said, first)
    ]
    store.append(events, "default")


def command(text: str, output: str = "") -> dict[str, Any]:
    return {"tool_input": {"command": text}, "tool_response": {"stdout": output}}


@pytest.fixture
def store(tmp_path: Any) -> Iterator[Store]:
    with Store(str(tmp_path)) as made:
        said = [
            command("git push origin"),
            command("git pull", "up to date"),
            command("echo 検索"),
            command("ls", "git"),
        ]
        add(made, said * 20)
        yield made


def answers(store: Store) -> list[Any]:
    return [(store.text_ids(DAY, asked), store.count(Filter(text=asked)).count) for asked in QUERIES]


def by_hand(store: Store, *statements: str) -> None:
    conn = connect.open_writer(layout.db_path(store.root, DAY))
    for statement in statements:
        conn.execute(statement)
    conn.close()


@pytest.mark.parametrize(
    "statement",
    [
        f"update {INDEX}_data set block = x'00ff00ff00ff00ff' where id > 1",
        f"delete from {INDEX}_data where id > 10",
        f"delete from {INDEX}_idx",
        "update eyelet_partition set value = 0 where key = 'text:version'",
        "update eyelet_partition set value = 'x' where key = 'text:arrived'",
        "update eyelet_partition set value = -9 where key = 'text:arrived'",
        "delete from eyelet_partition where key glob 'text:*'",
        f"drop view {VIEW}",
        f"drop trigger {TRIGGERS[1]}",
        "drop table eyelet_text_gone",
        "drop table eyelet_text_wide",
        "drop table if exists eyelet_text_terms",
        f"drop table {INDEX}",
        f"drop table {INDEX}; create virtual table {INDEX} using fts5(data, content='hooks', content_rowid='id')",
        "drop table eyelet_text_keys",
    ],
)
def test_an_index_that_is_damaged_or_gone_costs_no_answer(store: Store, statement: str) -> None:
    wanted = answers(store)
    assert text_index.catch_up(store.root, DAY, 60_000).is_current
    assert answers(store) == wanted
    by_hand(store, *statement.split("; "))
    with Store(store.root) as again:
        assert answers(again) == wanted
        assert again.search(Filter(text="push"), by_rank=True).partitions.unreadable == ()


@pytest.mark.parametrize("oldest_first", [False, True])
def test_an_index_whose_rows_are_out_of_order_is_no_damage_of_its_day(
    store: Store, monkeypatch: pytest.MonkeyPatch, oldest_first: bool
) -> None:
    """As flipped bits make it: FTS5 takes what stands there for the next row."""
    wanted = [row["id"] for row in store.search(Filter(text="push"), oldest_first=oldest_first).rows]
    assert text_index.catch_up(store.root, DAY, 60_000).is_current
    by_index = text_search.Text._by_index

    def shuffled(*asked: Any) -> Iterator[int]:
        ids = list(by_index(*asked))
        yield from (*ids[1:3], *ids[:1], *ids[3:])

    monkeypatch.setattr(text_search.Text, "_by_index", shuffled)
    found = store.search(Filter(text="push"), oldest_first=oldest_first)
    assert ([row["id"] for row in found.rows], found.partitions.unreadable) == (wanted, ())


def test_an_index_that_is_begun_anew_meanwhile_costs_no_answer(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """By another process, between the look at the index and the question."""
    wanted = answers(store)
    assert text_index.catch_up(store.root, DAY, 60_000).is_current
    look = text_search.Text._known

    def look_and_lose(text: text_search.Text, conn: Any) -> Any:
        known = look(text, conn)
        other = connect.open_writer(layout.db_path(store.root, DAY))
        with connect.transaction(other):
            text_schema.create(other)
        other.close()
        return known

    monkeypatch.setattr(text_search.Text, "_known", look_and_lose)
    for asked, (ids, count) in zip(QUERIES, wanted, strict=True):
        for _ in range(2):
            assert store.text_ids(DAY, asked) == ids
            assert len(store.search(Filter(text=asked), limit=100).rows) == count
            assert len(store.search(Filter(text=asked), limit=100, by_rank=True).rows) == count
            assert store.count(Filter(text=asked)).count == count
        monkeypatch.setattr(text_search.Text, "_known", look)
        assert text_index.catch_up(store.root, DAY, 60_000).is_current
        monkeypatch.setattr(text_search.Text, "_known", look_and_lose)


@pytest.mark.parametrize("indexed", [False, True])
def test_a_text_is_asked_in_every_question(store: Store, indexed: bool) -> None:
    tail = store.tail(Filter(text="push OR 検索"))
    add(store, [command("git push again"), command("git pull")], 100)
    if indexed:
        assert text_index.catch_up(store.root, DAY, 60_000).is_current
    where = Filter(text='"git push"')
    assert [row["id"] for row in tail.more()] == [START + 100] and tail.more() == []
    assert store.count(where).count == 21
    assert (store.summary(where).events, store.summary(where).by_type) == (21, {"Note": 21})
    assert sum(store.histogram(where).counts) == sum(store.histogram(where, by="status").counts) == 21
    assert store.facets(where, ["hook_type"]).fields["hook_type"].values == [("Note", 21)]
    assert len(list(store.export(where))) == 21
    lines = [json.loads(line) for line in store.export_lines(where)]
    assert lines[-1]["end"]["events"] == len(lines) - 2 == 21
    assert store.error_codes(where) == {}
    assert store.error_codes(Filter(text='"git push"', errors=True)) == {}


def test_calls_are_found_by_what_any_of_their_events_says(store: Store) -> None:
    for at, (asks, says) in enumerate((("git push", "done"), ("git pull", "pushed back"), ("ls", "nothing"))):
        more = {"tool_name": "Bash", "tool_use_id": f"t{at}", "session_id": "s"}
        add(store, [command(asks)], 200 + 2 * at, status="pending", **more)
        add(store, [command(asks, says)], 201 + 2 * at, status="ok", **more)
    for _ in range(2):
        found = store.calls(Filter(text="push*", session_id=("s",)))
        assert [call.tool_use_id for call in found.rows] == ["t1", "t0"]
        (only,) = store.calls(Filter(text="pushed")).rows
        assert (only.tool_use_id, only.status, only.events) == ("t1", "ok", 2)
        text_index.catch_up(store.root, DAY, 60_000)


def test_the_deadline_ends_a_search_that_has_to_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    add(store, [command("needle", "x " * 2_000)] * 400, 1_000)
    monkeypatch.setattr(fanout, "STEPS", 20)
    wanted = len(store.text_ids(DAY, "needle"))
    found = store.search(Filter(text="needle"), limit=1_000, deadline_ms=2)
    assert not found.partitions.complete and found.next
    seen, after = len(found.rows), found.next
    while after:
        page = store.search(Filter(text="needle"), limit=150, after=after)
        seen, after = seen + len(page.rows), page.next
    assert seen == wanted == 400
    with pytest.raises(PartitionBusy, match="ran out"):
        store.text_ids(DAY, "needle", deadline_ms=0.01)


def test_a_sqlite_without_fts5_finds_exact_text_and_says_what_it_cannot(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_match, "MODULE", "fts_of_another_build")
    assert store.count(Filter(text="git push", exact=True)).count == 20
    assert "push" in str(store.search(Filter(text='="push"'), limit=1, snippets=True).rows[0]["snippet"])
    for by_rank in (False, True):
        with pytest.raises(BadInput, match=r"this SQLite cannot tell words.*install pysqlite3"):
            store.search(Filter(text="push"), by_rank=by_rank)


def test_that_a_text_is_exact_is_no_condition_of_a_deletion(store: Store) -> None:
    with pytest.raises(BadInput, match="no condition was given"):
        store.delete(Filter(exact=True), dry_run=True)
    assert store.delete(Filter(text="GIT PUSH", exact=True), dry_run=True).events == 20


def test_a_mistake_is_told_before_any_day_is_asked(tmp_path: Any) -> None:
    with Store(str(tmp_path)) as empty:
        for ask in (
            empty.search,
            empty.count,
            empty.calls,
            empty.tail,
            empty.export,
            empty.export_lines,
            empty.summary,
        ):
            with pytest.raises(BadQuery, match="the quote is not closed at character 5"):
                ask(Filter(text='git "push'))
        with pytest.raises(BadQuery):
            empty.text_ids(DAY, "(")
        with pytest.raises(BadInput, match="no text"):
            empty.search(Filter(), by_rank=True)
        assert empty.search(Filter(text="a"), by_rank=True).rows == []


def test_a_substring_is_found_as_it_stands_and_a_word_in_any_case(store: Store) -> None:
    add(store, [command("Frontend BUILD"), command("frontend build")], 300)
    assert store.text_ids(DAY, "rontend B", exact=True) == [START + 300]
    assert store.text_ids(DAY, '="rontend B"') == [START + 300]
    assert store.text_ids(DAY, "FRONTEND") == [START + 300, START + 301]
    assert store.count(Filter(text='"', exact=True)).count == 0
    assert store.count(Filter(text="git push", exact=True)).count == 20


KEYS = st.sampled_from(
    [*text_proof.PROVEN_KEYS, "content", "newString", "id", "cwd", "originalFile", "tool_input", "x"]
)
VALUES = st.recursive(
    st.sampled_from(["a b", "[a b", "{a b}", "data:;base64,a b" + "A" * 300, "A" * 300, "/a b", "a\\n b"]),
    lambda inner: st.one_of(st.dictionaries(KEYS, inner, max_size=4), st.lists(inner, max_size=3)),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(KEYS, VALUES, min_size=1, max_size=5), min_size=1, max_size=6))
@settings(deadline=None, max_examples=30, derandomize=True)
def test_what_proves_a_substring_at_a_glance_is_in_the_text(said: list[dict[str, Any]]) -> None:
    with Store.in_memory() as store:
        add(store, said)
        for asked in ("a b", "A", "/a", "\\n", "base64,a"):
            where = Filter(text=asked, exact=True)
            glanced = [row["id"] for row in store.search(where).rows]
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(text_proof, "_OF_VALUE", "0 and ?")
                patch.setattr(text_proof, "of_hit", lambda _: None)
                assert [row["id"] for row in store.search(where).rows] == glanced


@pytest.mark.parametrize("indexed", [False, True])
def test_the_best_rows_come_first_and_their_order_is_the_same_each_time(store: Store, indexed: bool) -> None:
    said = [command("ls", "deploy " + "and more " * 200), command("deploy deploy now"), command("echo", "deploy")]
    add(store, said, 400)
    add(store, [command("deploy deploy now")], 0, NEXT.bounds_us[0])
    if indexed:
        for key in (DAY, NEXT):
            assert text_index.catch_up(store.root, key, 60_000).is_current
    found = store.search(Filter(text="deploy"), by_rank=True, snippets=True)
    ids = [row["id"] for row in found.rows]
    assert ids == [NEXT.bounds_us[0], START + 401, START + 402, START + 400], "a command first, the newer of equals"
    ranks = [float(str(row["rank"])) for row in found.rows]
    assert ranks == sorted(ranks) and ranks[0] == ranks[1] < ranks[2] < 0
    assert found.next is None and all(BEGIN in str(row["snippet"]) for row in found.rows)
    assert [row["id"] for row in store.search(Filter(text="deploy"), by_rank=True, limit=2).rows] == ids[:2]
    assert {row["rank"] for row in store.search(Filter(text='="deploy now"'), by_rank=True).rows} == {0.0}


def test_a_snippet_shows_why_a_row_was_found(store: Store) -> None:
    def shown(asked: str) -> object:
        return store.search(Filter(text=asked), limit=1, oldest_first=True, snippets=True).rows[0]["snippet"]

    assert shown("PUSH") == f"git {BEGIN}push{END} origin"
    assert shown('"git push"') == f"{BEGIN}git push{END} origin"
    assert shown('="ush o"') == f"git p{BEGIN}ush o{END}rigin"
    assert shown("検索") == f"echo {BEGIN}検索{END}"
    assert shown("output:git") == f"{BEGIN}git{END}"
    assert shown("-push") is None
    assert "snippet" not in store.search(Filter(text="push")).rows[0]
    assert store.search(Filter(), limit=1, snippets=True).rows[0]["snippet"] is None


@given(
    st.lists(
        st.sampled_from(["git", "push", "検索", BEGIN, END, " ", "x" * 500, "=>", "\0", "<b>", "\n"]), max_size=60
    ),
    st.sampled_from(["git", "git push", '"git push"', "gi*", "検索", '="it"', "=>", 'NEAR(git push) OR "x"', '="<b>"']),
)
def test_in_a_snippet_the_marks_are_marks_and_nothing_is_made_up(pieces: list[str], asked: str) -> None:
    text = "".join(pieces)
    row = (1, *(text if name == "output" else None for name in TEXT_COLUMNS))
    shown = snippets(parse(asked), [row]).get(1)
    with text_match.Matcher(parse(asked)) as matcher:
        if shown is None:
            assert not matcher.of([row]) or BEGIN in text or END in text
            return
    plain = text.replace(BEGIN, "").replace(END, "").replace("\0", " ")
    said = "".join(piece for _, piece in parts(shown))
    assert said.strip("…") in plain
    assert any(hit for hit, _ in parts(shown))
    assert shown.count(BEGIN) == shown.count(END) and len(shown) <= MOST_CHARS + 3


def test_a_line_of_a_megabyte_is_searched_and_shown(store: Store) -> None:
    add(store, [command("cat", "x" * 1_000_000 + " zephyr " + "y" * 1_000_000)], 500)
    for asked in ("zephyr", '="ephyr y"', "zeph*"):
        (row,) = store.search(Filter(text=asked), snippets=True, cut_chars=10).rows
        assert "ephyr" in str(row["snippet"]) and len(str(row["snippet"])) < 500


def test_a_root_of_several_tells_the_snippets_of_each(tmp_path: Any) -> None:
    roots = [str(tmp_path / name) for name in "ab"]
    for root in roots:
        with Store(root) as one:
            add(one, [command(f"git push {os.path.basename(root)}")])
    with Store(roots[0], also=[roots[1]]) as both:
        rows = both.search(Filter(text="push"), snippets=True).rows
        assert sorted(str(row["snippet"]) for row in rows) == [f"git {BEGIN}push{END} {name}" for name in "ab"]
        assert len({row["root"] for row in both.search(Filter(text="push"), by_rank=True).rows}) == 2
