"""The load generator: both layouts answer the same, the same seed gives the same rows, and nothing is left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from eyelet_ingest.bench import generator, measure, predecessor, results, run, scenario, scratch, writing
from eyelet_ingest.bench.generator import Generator
from eyelet_ingest.bench.questions import Asking, Question, plain
from eyelet_ingest.bench.results import Result
from eyelet_ingest.bench.scenario import Scenario
from eyelet_ingest.bench.single_file import SingleFile
from eyelet_ingest.cli import cli
from eyelet_ingest.errors import BadInput
from eyelet_ingest.store import text_blooms
from eyelet_ingest.store.store import Store

NAMES = {
    *("text index", "day", "week", "prefix", "rare prefix", "errors", "text", "session", "count", "count all"),
    *("by tool", "summary", "open", "memory", "memory added", "single writes", "single write", "mixed", "checkpoint"),
    *("readers", "writer"),
}
TINY = Scenario("own", contexts=2, days=3, rows_a_day=60, session_rows=10, readers=3)


@pytest.fixture
def home(tmp_path: Path) -> str:
    return str(tmp_path / "home" / ".eyelet")


def asked(home: str, about: Scenario = TINY, **changed: object) -> run.Asked:
    folder = scratch.place_beside(home)
    return replace(run.Asked(about, 1.0, 1, folder, is_kept=False), **changed)  # type: ignore[arg-type]


def left_in(home: str) -> list[str]:
    """Folders of runs beside the root."""
    return [name for name in os.listdir(os.path.dirname(home)) if name.startswith(scratch.PREFIX)]


@pytest.fixture
def few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "ROUNDS", (1, 2))
    monkeypatch.setattr(run, "OPENINGS", 2)
    monkeypatch.setattr(text_blooms, "SETTLED_NS", 0)
    few = {"ROUNDS": 1, "SINGLES": 5, "MIXED": 10, "CHECKPOINTED": 5, "ASKED_EACH": 2, "BETWEEN_S": 0.01, "WRITES": 5}
    for name, number in few.items():
        monkeypatch.setattr(writing, name, number)


def test_the_same_seed_gives_the_same_rows_and_another_one_others() -> None:
    def drawn(seed: int) -> list[tuple[str, int, bytes, str, str]]:
        made = Generator(TINY, seed)
        rows = [*made.rows(), *made.more(5)]
        return [(context, one.time_us, one.uid, one.src, one.data) for context, one in rows]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    assert len({row[1] for row in drawn(1)}) == len({row[2] for row in drawn(1)}) == TINY.rows + 5


def test_rows_are_as_the_scenario_says() -> None:
    about = scenario.with_own(
        TINY, {"contexts": 1, "rows_a_day": 4_000, "src_depth": 7, "payload_bytes": 3_000, "error_percent": 50.0}
    )
    rows = [event for _, event in Generator(about, 1).day(0)]
    assert {one.src.count(".") for one in rows} == {6}
    assert 2_500 < sum(len(one.data) for one in rows) / len(rows) < 3_500
    calls = [one for one in rows if one.hook_type in ("PostToolUse", "PostToolUseFailure")]
    assert 0.4 < sum(one.error for one in calls) / len(calls) < 0.6
    assert all(isinstance(json.loads(one.data), dict) for one in rows)
    first, end = generator.span_us(about)
    assert all(first <= one.time_us < end for one in rows)


@pytest.mark.usefixtures("few_rounds")
@pytest.mark.parametrize("is_conversation", [False, True], ids=["batches", "conversations"])
def test_a_run_measures_everything_keeps_it_and_leaves_nothing(home: str, is_conversation: bool) -> None:
    about = replace(TINY, is_conversation=is_conversation, contexts=1 if is_conversation else 2)
    told: list[float] = []
    done = run.run(home, asked(home, about), lambda stage, part: told.append(part))
    assert told == sorted(told)
    assert (done.state, done.number) == (results.WHOLE, 1)
    first = "conversation" if is_conversation else "batch"
    names = {one.name for one in done.measures}
    assert names == {first, *NAMES} | (set() if is_conversation else {"all contexts"})
    assert names.issuperset(predecessor.STATED.keys() - {"batch"})
    assert all(one.days.p50 > 0 and one.single.p50 > 0 for one in done.measures if one.name != "memory added")
    assert results.known(home) == [done]
    assert left_in(home) == [] and scratch.running(home) is None
    assert os.stat(os.path.join(home, results.FILE_NAME)).st_mode & 0o777 == 0o600


@pytest.mark.parametrize("contexts", [1, 2])
def test_every_question_finds_something(tmp_path: Path, contexts: int) -> None:
    about = replace(TINY, contexts=contexts, days=9)
    made = Generator(about, 1)
    with Store(str(tmp_path / "root")) as store:
        single = SingleFile(str(tmp_path), about, generator.span_us(about))
        writing.Writing(store, single, made).fill(lambda part: None)
        single.begin_text()
        assert single.index_text(-1) is not None and single.index_text(2**62) is None
        for question in Asking(store, single, made).all():
            answers = plain(question.days(1)), plain(question.single(1))
            assert answers[0] == answers[1] and answers[0], question.name
        single.close()


@pytest.mark.usefixtures("few_rounds")
def test_a_layout_that_loses_a_row_ends_the_run_and_nothing_is_kept(home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = SingleFile.write
    monkeypatch.setattr(SingleFile, "write", lambda single, rows: whole(single, rows[1:]))
    with pytest.raises(measure.Differs, match="the days say"):
        run.run(home, asked(home))
    assert results.known(home) == [] and left_in(home) == []


def test_answers_that_differ_are_no_figure() -> None:
    with pytest.raises(measure.Differs, match=r"2 rows .* 1 rows"):
        measure.asked(Question("x", "x", lambda _: [2, 1], lambda _: [2]), lambda: None)


def test_a_limit_keeps_what_was_measured_by_then(home: str) -> None:
    done = run.run(home, asked(home, limit_s=1e-9))
    assert (done.state, done.measures) == (results.LIMIT, ())
    assert left_in(home) == []


def test_without_room_nothing_begins_and_both_figures_are_said(home: str) -> None:
    about = replace(TINY, contexts=200, days=1_000, rows_a_day=100, payload_bytes=200_000)
    with pytest.raises(BadInput, match=r"take about [\d,.]+ GB, [\d,.]+ GB are free"):
        run.run(home, asked(home, about))
    assert left_in(home) == []


def test_one_run_at_a_time(home: str) -> None:
    about = scratch.Running(os.getpid(), "", "A", 10, 0, 0.0)
    with scratch.turn(home, about) as turn:
        turn.tell("asking", 0.5)
        told = scratch.running(home)
        assert told is not None and (told.stage, told.part) == ("asking", 0.5)
        with pytest.raises(BadInput, match="is at A"):
            run.run(home, asked(home))
    assert scratch.running(home) is None


def test_what_could_not_be_removed_at_the_end_is_remembered_for_the_next_run(
    home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as stuck:
        stuck.setattr(scratch, "remove", lambda folder: False)
        run.run(home, asked(home, limit_s=1e-9))
    assert len(left_in(home)) == 1
    run.run(home, asked(home, limit_s=1e-9))
    assert left_in(home) == []


def test_a_folder_that_is_not_of_a_run_is_never_removed(home: str, tmp_path: Path) -> None:
    mine = tmp_path / (scratch.PREFIX + "mine")
    (mine / "work").mkdir(parents=True)
    other = tmp_path / "other"
    other.mkdir()
    (other / scratch.MARK).touch()
    for folder in (mine, other):
        assert not scratch.remove(str(folder)) and folder.exists()
    link = tmp_path / (scratch.PREFIX + "link")
    link.symlink_to(other)
    assert not scratch.remove(str(link)) and (other / scratch.MARK).exists()


def test_a_folder_to_be_kept_is_new_or_empty_and_stays(home: str, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    run.run(home, asked(home, folder=str(kept), is_kept=True, limit_s=1e-9))
    assert (kept / scratch.MARK).exists()
    with pytest.raises(BadInput, match="new or empty"):
        run.run(home, asked(home, folder=str(kept), is_kept=True))


def a_result(number: int, seed: int = 1) -> Result:
    machine = results.Machine("Linux", 2, "3", "3", "0")
    side = measure.Side(1.0, 2.0, 3.0)
    one = measure.Measure("day", "latest 100 of a day", "ms", side, side, 1.0 + number, 0.5, 5)
    return Result(number, TINY, 1.0, seed, results.WHOLE, 1.0, (0.5, 1.0), (1, 2), (1, 2, 3), machine, (one,), number)


def test_results_are_bounded_and_what_somebody_spoilt_is_left_out(home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "MOST", 3)
    for _ in range(5):
        results.keep(home, a_result(0))
    assert [one.number for one in results.known(home)] == [3, 4, 5]
    path = os.path.join(home, results.FILE_NAME)
    whole = json.dumps(a_result(9).as_json())
    with open(path, "a", encoding="utf-8") as file:
        for bad in ('"number": "9"', '"number": NaN', '"number": [9]'):
            file.write(whole.replace('"number": 9', bad) + "\n")
        file.write("{\n[]\n" + whole.replace('"p50": 1.0', '"p50": "<b>"') + "\n" + "[" * 5_000 + "\n")
    assert [one.number for one in results.known(home)] == [3, 4, 5]
    assert results.like(results.known(home), a_result(5)) == replace(a_result(0), number=4)
    assert results.like(results.known(home), a_result(5, seed=2)) is None


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([], "say what"),
        (["--scenario", "E"], "A, B, C, D, W9"),
        (["--scenario", "A", "--scale", "2"], "0.0001 to 1"),
        (["--contexts", "1000"], "contexts 1000"),
        (["--depth", "9"], "src_depth 9"),
        (["--errors", "101"], "error_percent"),
        (["--rows", "2000000", "--days", "1000"], "are the most"),
        (["--rows", "x"], "not a whole number"),
        (["--scenario", "A", "--limit", "-1"], "--limit"),
        (["--compare", "1", "2"], "there is no result 1"),
    ],
)
def test_what_cannot_be_measured_is_named(flags: list[str], said: str) -> None:
    done = CliRunner().invoke(cli, ["bench", *flags])
    assert done.exit_code == 2 and said in done.output, done.output
    assert "Traceback" not in done.output


def test_results_are_listed_and_compared(home: str) -> None:
    for number in (1, 2):
        results.keep(home, a_result(number))
    listed = CliRunner().invoke(cli, ["bench", "--list"]).output
    assert listed.count("2 contexts × 3 days × 60 rows = 360") == 2
    compared = CliRunner().invoke(cli, ["bench", "--compare", "1", "2"]).output
    assert compared.split("latest 100 of a day")[1].split() == ["1.00", "ms", "2.00", "1.00", "ms", "3.00", "1.50"]
    both = json.loads(CliRunner().invoke(cli, ["bench", "--compare", "1", "2", "--json"]).output)
    assert [one["number"] for one in both["results"]] == [1, 2]


def begun(home: str, *flags: str) -> "subprocess.Popen[str]":
    """A run that writes for minutes, once it is in the middle of that."""
    flags = ("--days", "50", "--rows", "20000", *flags)
    command = [sys.executable, "-m", "eyelet_ingest.cli", "bench", *flags]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stderr
    for line in child.stderr:
        if "writing rows" in line:
            break
    until = time.monotonic() + 30
    while not left_in(home) and time.monotonic() < until:
        time.sleep(0.02)
    assert left_in(home)
    return child


@pytest.mark.parametrize("how", ["ctrl-c", "asked to end", "who began it died"])
def test_a_run_that_is_ended_leaves_nothing(home: str, how: str) -> None:
    child = begun(home, *(["--until-input-ends"] if how.startswith("who") else []))
    if how.startswith("who"):
        assert child.stdin
        child.stdin.close()
    else:
        child.send_signal(signal.SIGINT if how == "ctrl-c" else signal.SIGTERM)
    assert child.wait(30) == 130
    assert left_in(home) == [] and results.known(home) == []


def test_what_a_killed_run_left_the_next_one_removes(home: str) -> None:
    child = begun(home)
    told = scratch.running(home)
    assert told is not None and told.pid == child.pid
    child.kill()
    child.wait(30)
    assert len(left_in(home)) == 1 and scratch.running(home) is None
    run.run(home, asked(home, limit_s=1e-9))
    assert left_in(home) == []
