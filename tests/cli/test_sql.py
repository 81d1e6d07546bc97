"""`eyelet sql`: what it prints, what it refuses, and how it says so; over days, contexts and roots."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from eyelet_ingest import extension
from eyelet_ingest.cli import cli
from eyelet_ingest.events import Event
from eyelet_ingest.store import layout, ready
from eyelet_ingest.store.layout import DAY_US
from eyelet_ingest.store.store import Store

START_US = 1_773_792_000_000_000  # 2026-03-18T00:00:00Z
HOSTILE = "a\x1b[2Jb\u202ec\nd"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Three days of two contexts; the root, which nobody changes."""
    root = str(tmp_path_factory.mktemp("recorded"))
    with Store(root) as store:
        for at, context in enumerate(("alpha", "beta")):
            store.append([event_of(number) for number in range(30) if number % 2 == at], context)
    return root


def event_of(number: int) -> Event:
    return Event(
        time_us=START_US + number * DAY_US // 10,
        uid=os.urandom(16),
        hook_type="PostToolUse",
        tool_name=("Bash", "Read")[number % 3 == 0],
        src="claude.posttooluse.bash",
        session_id=f"s-{number % 4}",
        data=json.dumps({"n": number, "big": 12345678901234567890}),
        model="=cmd" if number == 7 else HOSTILE if number == 8 else None,
    )


def run(*args: str, root: str, **given: object) -> Result:
    return CliRunner().invoke(cli, ["sql", *args, "--root", root], **given)  # type: ignore[arg-type]


def test_one_statement_asks_every_day_and_context(recorded: str) -> None:
    done = run("select context_name, count(*) as n, min(id) as first from hooks group by 1", "--json", root=recorded)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == [
        {"context_name": "alpha", "n": 15, "first": START_US},
        {"context_name": "beta", "n": 15, "first": START_US + DAY_US // 10},
    ]
    assert "2 rows" in done.stderr


def test_context_narrows_every_table(recorded: str) -> None:
    for table in ("hooks", "partitions", "sessions", "sources", "counts"):
        text = f"select distinct context_name from {table}"
        assert run(text, "--nl", "--context", "beta", root=recorded).stdout == '{"context_name": "beta"}\n', table


def test_several_roots_are_asked_as_one(recorded: str, tmp_path: Path) -> None:
    other = str(tmp_path / "other")
    with Store(other) as store:
        store.append([event_of(99)], "gamma")
    done = run("select count(*) as n from hooks", "--nl", "--root", recorded, root=other)
    assert json.loads(done.stdout) == {"n": 31}


def test_parameters_are_bound_and_never_spliced(recorded: str) -> None:
    hostile = "s-1' or '1'='1"
    text = "select count(*) as n from hooks where session_id = :s"
    assert json.loads(run(text, "-p", "s", hostile, "--nl", root=recorded).stdout) == {"n": 0}
    assert json.loads(run(text, "--param", ":s", "s-1", "--nl", root=recorded).stdout)["n"] > 0
    limited = run("select id from hooks limit :n", "-p", "n", "3", "--nl", root=recorded)
    assert len(limited.stdout.splitlines()) == 3


@pytest.mark.parametrize("given", [("-",), ()], ids=["dash", "nothing"])
def test_the_statement_is_read_from_stdin(recorded: str, given: tuple[str, ...]) -> None:
    done = run(*given, "--nl", root=recorded, input="-- how many\nselect count(*) as n\nfrom hooks;\n")
    assert json.loads(done.stdout) == {"n": 30}


def test_json_keeps_payloads_number_for_number(recorded: str) -> None:
    done = run("select data, x'00ff' as bytes, 1e999 as much from hooks order by id limit 1", "--nl", root=recorded)
    assert '"big": 12345678901234567890' in done.stdout
    assert json.loads(done.stdout)["data"]["n"] == 0
    assert json.loads(done.stdout)["bytes"] == "00ff" and json.loads(done.stdout)["much"] is None


def test_columns_of_one_name_are_told_apart(recorded: str) -> None:
    done = run("select 1 as id, 2 as id, 3 as id_2", "--nl", root=recorded)
    assert json.loads(done.stdout) == {"id": 1, "id_2": 2, "id_2_2": 3}


def test_a_csv_cell_is_no_formula_and_one_line(recorded: str) -> None:
    done = run("select model from hooks where model is not null order by id", "--csv", root=recorded)
    assert [row[0] for row in csv.reader(io.StringIO(done.stdout))] == ["model", "'=cmd", "a\\x1b[2Jb\\u202ec\\nd"]


def test_nothing_recorded_moves_the_cursor(recorded: str) -> None:
    text = 'select model, model as "\x1b[31mred" from hooks where model is not null'
    for width in ("80", "10"):
        done = run(text, root=recorded, env={"COLUMNS": width})
        assert done.exit_code == 0
        assert "\x1b" not in done.output and "\u202e" not in done.output


def test_columns_that_do_not_fit_are_a_line_each(recorded: str) -> None:
    done = run("select * from hooks order by id limit 2", root=recorded, env={"COLUMNS": "80"})
    lines = done.stdout.splitlines()
    assert lines[0] == "context_name  alpha" and lines.count("") == 1
    assert max(map(len, lines)) <= 80


def test_no_row_is_no_line_and_json_is_an_array_all_the_same(recorded: str) -> None:
    assert run("select id from hooks where 0", root=recorded).stdout == ""
    assert json.loads(run("select id from hooks where 0", "--json", root=recorded).stdout) == []
    assert run("select id from hooks where 0", "--csv", root=recorded).stdout == "id\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("select tool_nam from hooks", "no such column: tool_nam at character 8 (did you mean tool_name?)"),
        ("select * from hoks", "no such table: hoks at character 15 (did you mean hooks?)"),
        ("select uper(src) from hooks", "no such function: uper at character 8 (did you mean upper?)"),
        ("select h.scr from hooks h", "no such column: h.scr at character 8 (did you mean src?)"),
        ("select * form hooks", 'near "form": syntax error at character 10'),
        ("select id\nfrom hooks\nwhere (id = 1 and) 'and)'", 'near ")": syntax error at line 3, character 18'),
        ('select \'a), "b(\', "c)" from hooks where )', 'near ")": syntax error at character 41'),
        ("select 1 /* ) */ , -- )\n )", 'near ")": syntax error at line 2, character 2'),
        ("select id from hooks where", "incomplete input (something is missing at its end"),
        ("select 'open", 'unrecognized token: "\'open" at character 8'),
        ("select 1; select 2", "one statement at a time"),
        ("delete from hooks", "it begins with 'delete' (write one that begins with select, with or values"),
        ("with x as (select 1) delete from partitions", "it may only read"),
        ("select load_extension('x')", "not authorized"),
        ("select * from pragma_journal_mode", "not authorized"),
        ("attach 'x' as y", "it begins with 'attach'"),
        ("", "there is no statement"),
        ("-- nothing", "there is no statement"),
        ("select ?", "name parameters, as :name"),
        ("select :a, :b", "no value for :a, :b (give it with -p a VALUE)"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_what_was_meant(recorded: str, text: str, said: str) -> None:
    done = run("-", root=recorded, input=text)
    assert done.exit_code in (1, 2) and done.stdout == ""
    assert said in done.stderr and done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("text", ["select 1; select 2", "select nothing from hooks", "delete from hooks"])
def test_what_is_asked_wrongly_exits_with_2(recorded: str, text: str) -> None:
    assert run(text, root=recorded).exit_code == 2


def test_a_value_without_its_parameter_is_a_mistake(recorded: str) -> None:
    done = run("select :session", "-p", "sesion", "x", "-p", "session", "y", root=recorded)
    assert done.exit_code == 2 and "no parameter :sesion (did you mean session?)" in done.stderr
    assert "two values" in run("select :a", "-p", "a", "1", "-p", "a", "2", root=recorded).stderr


def test_what_fails_on_its_way_exits_with_1_after_the_rows_before_it(recorded: str) -> None:
    text = "select json_extract(column1, '$') as v from (values ('1'), ('nonsense'))"
    done = run(text, root=recorded)
    assert done.exit_code == 1 and "malformed JSON" in done.stderr


def test_a_statement_that_takes_too_long_is_stopped(recorded: str) -> None:
    endless = "with recursive c(n) as (select 1 union all select n + 1 from c) select count(*) from c"
    began_s = time.monotonic()
    done = run(endless, "--timeout", "0.2", root=recorded)
    assert done.exit_code == 1 and "stopped after 0.2 s" in done.stderr
    assert time.monotonic() - began_s < 60


def test_ctrl_c_ends_it_with_130(recorded: str) -> None:
    endless = "with recursive c(n) as (select 1 union all select n + 1 from c) select count(*) from c"
    command = [sys.executable, "-c", "from eyelet_ingest.cli import main; main()", "sql", endless, "--root", recorded]
    # A shell that runs the tests in the background has them ignore Ctrl-C, and so whatever they start.
    heeding = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heeding
    ) as running:
        time.sleep(2)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=60)
    assert running.returncode == 130 and said == "interrupted\n"


def test_explain_runs_nothing(recorded: str) -> None:
    endless = "with recursive c(n) as (select 1 union all select n + 1 from c) select count(*) from c, hooks"
    done = run(endless, "--explain", root=recorded)
    assert done.exit_code == 0 and "hooks" in done.stdout


def test_a_day_that_cannot_be_read_hides_no_other_and_is_named(tmp_path: Path) -> None:
    root = str(tmp_path / "root")
    with Store(root) as store:
        store.append([event_of(1), event_of(11)])
    broken = Path(layout.db_path(root, layout.key_for("default", START_US + DAY_US)))
    broken.write_bytes(b"garbage" * 1000)
    done = run("select count(*) as n from hooks", "--nl", root=root)
    assert done.exit_code == 0 and json.loads(done.stdout) == {"n": 1}
    assert "default 2026-03-19" in done.stderr and "not a database" in done.stderr
    assert run("select count(*) as n from hooks", "--strict", root=root).exit_code == 1
    assert run("select 1", "--strict", root=str(tmp_path / "none")).exit_code == 0


def test_a_root_that_is_not_there_has_tables_and_no_rows(tmp_path: Path) -> None:
    done = run("select count(*) as n from hooks", "--nl", root=str(tmp_path / "none"))
    assert done.exit_code == 0 and json.loads(done.stdout) == {"n": 0}
    assert "no such folder" in done.stderr


def test_tables_and_queries_are_listed(recorded: str) -> None:
    tables = run("--tables", root=recorded).stdout
    for name in ("calls (", "counts (", "hooks (context_name, id, ", "partitions (", "sessions (", "sources ("):
        assert name in tables
    listed = run("--queries", root=recorded).stdout
    assert all(f"\n{query.name}" in f"\n{listed}" for query in ready.QUERIES)


@pytest.mark.parametrize("query", ready.QUERIES, ids=lambda query: query.name)
def test_every_ready_query_runs_without_a_parameter(recorded: str, query: ready.Query) -> None:
    done = run("--query", query.name, "--json", root=recorded)
    assert done.exit_code == 0, done.stderr
    assert isinstance(json.loads(done.stdout), list)


def test_a_ready_query_that_is_none_is_guessed_at(recorded: str) -> None:
    done = run("--query", "promts", root=recorded)
    assert done.exit_code == 2 and "did you mean prompts?" in done.stderr
    assert run("select 1", "--query", "tools", root=recorded).exit_code == 2


def test_without_the_extension_the_newest_ten_days_answer_and_the_rest_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = str(tmp_path / "root")
    with Store(root) as store:
        store.append([event_of(number * 10) for number in range(12)])
    monkeypatch.setattr(extension, "path_of_built", lambda: None)
    done = run("select count(*) as n, min(id) as first from hooks", "--nl", root=root)
    assert json.loads(done.stdout) == {"n": 10, "first": START_US + 2 * DAY_US}
    assert "of the newest 10 days: 2 older are not asked" in done.stderr and "it is not built" in done.stderr
    for query in ready.QUERIES:
        assert run("--query", query.name, root=root).exit_code == 0
    assert run("--script", root=root).exit_code == 1


def test_the_lines_of_a_wide_result_are_printed_as_they_come(recorded: str) -> None:
    endless = "with recursive c(n) as (select 1 union all select n + 1 from c) select n from c"
    command = [
        sys.executable,
        "-c",
        "from eyelet_ingest.cli import main; main()",
        "sql",
        endless,
        "--nl",
        "--root",
        recorded,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None and running.stderr is not None
        assert [running.stdout.readline() for _ in range(3)] == ['{"n": 1}\n', '{"n": 2}\n', '{"n": 3}\n']
        running.stdout.close()  # as `| head` does
        assert "Traceback" not in running.stderr.read()
    assert running.returncode == 1


def test_the_standard_librarys_sqlite_answers_too(recorded: str) -> None:
    code = (
        "import sys; sys.modules['pysqlite3'] = sys.modules['pysqlite3.dbapi2'] = None\n"
        "from eyelet_ingest.cli import main; main()"
    )
    for asked in (["select count(*) as n from hooks, json_each('[1, 2]')"], ["--query", "commands"]):
        command = [sys.executable, "-c", code, "sql", *asked, "--nl", "--root", recorded]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0 and "unreadable" not in done.stderr, done.stderr
        assert asked[0] == "--query" or json.loads(done.stdout) == {"n": 60}


@pytest.mark.parametrize("seconds", ["nan", "inf", "0", "-1"])
def test_a_time_limit_that_limits_nothing_is_refused(recorded: str, seconds: str) -> None:
    done = run("select 1", f"--timeout={seconds}", root=recorded)
    assert done.exit_code == 2
    assert "seconds above 0" in done.output


def test_a_context_without_days_is_named_with_the_one_that_was_meant(recorded: str) -> None:
    done = run("select count(*) from hooks", "--nl", "--context", "alpa", root=recorded)
    assert done.exit_code == 0
    assert "nothing is recorded in the context 'alpa': did you mean alpha?" in done.stderr
    assert "nothing is recorded" not in run("select 1", "--context", "alpha", root=recorded).stderr


def test_ready_queries_are_listed_for_programs_too(recorded: str) -> None:
    listed = json.loads(run("--queries", "--json", root=recorded).stdout)
    assert [row["name"] for row in listed] == [query.name for query in ready.QUERIES]
    assert listed[0]["parameters"] == ["src", "since", "until", "limit"]
    lines = run("--queries", "--nl", root=recorded).stdout.splitlines()
    assert [json.loads(line) for line in lines] == listed
    rows = list(csv.DictReader(io.StringIO(run("--queries", "--csv", root=recorded).stdout)))
    assert [row["title"] for row in rows] == [query.title for query in ready.QUERIES]


@pytest.mark.parametrize(
    ("query", "name", "value"),
    [("errors", "since", "bah"), ("errors", "until", "2026-99-99"), ("compare", "day", "7x"), ("errors", "limit", "0")],
)
def test_a_ready_query_refuses_what_it_would_take_for_its_default(
    recorded: str, query: str, name: str, value: str
) -> None:
    done = run("--query", query, "-p", name, value, root=recorded)
    assert done.exit_code == 2
    assert f"-p {name} {value!r}" in done.stderr
    assert run("--query", "errors", "-p", "since", "30d", "-p", "limit", "3", root=recorded).exit_code == 0


@pytest.mark.parametrize("text", ["select ?", "select ?1", "select ?1, :a"])
def test_a_parameter_without_a_name_is_told_how_to_get_one(recorded: str, text: str) -> None:
    done = run(text, "-p", "a", "1", root=recorded)
    assert done.exit_code == 2
    assert "name parameters, as :name" in done.stderr
