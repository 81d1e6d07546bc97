"""Which index each partition is asked by: the rare one, whatever SQLite's statistics say."""

from collections.abc import Callable

import pytest

from eyelet_ingest.events import Event
from eyelet_ingest.store import choice, connect, layout, select
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

KEY = layout.PartitionKey("default", 2026, 79)
START = KEY.bounds_us[0]
INDEXES = (
    "hooks_src",
    "hooks_session",
    "hooks_type",
    "hooks_tool",
    "hooks_error",
    "hooks_error_code",
    "hooks_status",
    "hooks_branch",
)
MakeEvent = Callable[..., Event]

# What is asked for; how the first page is found; how all of it is. `None`: by time.
SKEWED = {
    "a common src": (Filter(src=("many",)), None, None),
    "a rare src": (Filter(src=("few",)), "hooks_src", "hooks_src"),
    "a src prefix of both": (Filter(src=("m*", "few")), None, None),
    "a session and the type of all": (Filter(session_id=("s-7",), hook_type=("PostToolUse",)), *["hooks_session"] * 2),
    "a rare type and a common tool": (Filter(hook_type=("Stop",), tool_name=("Bash",)), "hooks_type", "hooks_type"),
    "a rare tool and a common src": (Filter(tool_name=("Task",), src=("many",)), "hooks_tool", "hooks_tool"),
    "errors and a common tool": (Filter(errors=True, tool_name=("Bash",)), "hooks_error", "hooks_error"),
    "two common ones": (Filter(hook_type=("PostToolUse",), tool_name=("Bash", "Read")), "hooks_type", None),
    "a branch and a common type": (Filter(git_branch=("side",), hook_type=("PostToolUse",)), *["hooks_branch"] * 2),
    "a code of failures": (Filter(error_code=("timeout",)), "hooks_error_code", "hooks_error_code"),
    "two codes and a tool": (Filter(error_code=("timeout", "x"), tool_name=("Bash",)), *["hooks_error_code"] * 2),
    "a rare status": (Filter(status=("denied",)), "hooks_status", "hooks_status"),
    "two rare statuses": (Filter(status=("denied", "interrupted")), "hooks_status", "hooks_status"),
    "a rare status and the common one": (Filter(status=("denied", "ok")), None, None),
    "a rare status and a common type": (Filter(status=("denied",), hook_type=("PostToolUse",)), *["hooks_status"] * 2),
    "types, of which one is common": (Filter(hook_type=("PostToolUse", "Stop")), None, None),
    "nothing that has an index": (Filter(status=("ok",), agent=("claude",), model=("m",)), None, None),
}  # fmt: skip


@pytest.fixture(params=[False, True], ids=["fresh", "analysed"])
def skewed(request: pytest.FixtureRequest, store: Store, make_event: MakeEvent) -> Store:
    """4,000 events of one day: nearly all of one type, half of one tool, few of anything else."""
    store.append(
        make_event(
            START + at,
            uid=b"%16d" % at,
            src="few" if at % 500 == 3 else "many",
            session_id=f"s-{at // 100}",
            hook_type="Stop" if at % 800 == 5 else "PostToolUse",
            tool_name="Task" if at % 1_000 == 7 else "Bash" if at % 2 else "Read",
            error=int(at % 100 == 1),
            status="denied" if at % 600 == 1 else "ok",
            meta={"git": {"branch": "side" if at % 900 == 1 else "main"}}
            | ({"execution": {"error_code": "timeout"}} if at % 700 == 1 else {}),
            agent="claude",
        )
        for at in range(4_000)
    )
    if request.param:
        conn = connect.open_writer(layout.db_path(store.root, KEY))
        conn.execute("analyze")
        conn.close()
    return store


@pytest.mark.parametrize("what", SKEWED)
def test_a_page_is_found_by_the_rare_value_or_by_time(skewed: Store, what: str) -> None:
    where, of_page, of_all = SKEWED[what]
    conn = connect.open_reader(layout.db_path(skewed.root, KEY))
    for choose, wanted in ((choice.for_page, of_page), (choice.for_all, of_all)):
        source = choose(conn, select.ways(where), INDEXES)
        assert source == (f" indexed by {wanted}" if wanted else " not indexed")
        clauses, params = select.conditions(where)
        sql = f"select id from hooks{source}{select.where_sql(clauses)} order by id desc limit 100"
        plan = " ".join(row[3] for row in conn.execute("explain query plan " + sql, params))
        assert (wanted in plan) if wanted else plan.startswith("SCAN hooks")
    conn.close()


@pytest.mark.parametrize("what", SKEWED)
def test_the_choice_changes_no_answer(skewed: Store, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where = SKEWED[what][0]
    chosen = [row["id"] for row in skewed.search(where, limit=900).rows]
    counted = skewed.count(where).count, skewed.summary(where).by_tool, skewed.error_codes(where)
    monkeypatch.setattr(choice, "for_page", lambda *_: "")
    monkeypatch.setattr(choice, "for_all", lambda *_: "")
    monkeypatch.setattr(choice, "rare_src_ids", lambda *_: None)
    monkeypatch.setattr(choice, "BY_TIME", "")
    assert [row["id"] for row in skewed.search(where, limit=900).rows] == chosen
    assert (skewed.count(where).count, skewed.summary(where).by_tool, skewed.error_codes(where)) == counted


def test_what_a_day_knows_nothing_of_is_not_asked_for_twice(skewed: Store) -> None:
    conn = connect.open_reader(layout.db_path(skewed.root, KEY))
    where = Filter(session_id=("nobody",), hook_type=("PostToolUse",))
    assert choice.for_page(conn, select.ways(where), INDEXES) is None
    conn.close()
    assert skewed.search(where).rows == []


def test_a_day_that_lost_an_index_answers_all_the_same(skewed: Store) -> None:
    where = Filter(session_id=("s-7",))
    assert skewed.count(where).count == 100
    conn = connect.open_writer(layout.db_path(skewed.root, KEY))
    conn.execute("drop index hooks_session")
    conn.close()
    assert skewed.count(where).count == 100
    assert len(skewed.search(where, limit=200).rows) == 100
    assert skewed.search(where).partitions.unreadable == ()
