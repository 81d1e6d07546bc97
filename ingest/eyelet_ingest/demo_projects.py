"""What the invented people of the demonstration work on: three small projects, their files, wishes and mishaps.

All of it is our own writing; no recording of anybody went into it.
"""

from typing import NamedTuple


class Change(NamedTuple):
    """A wish, the file it touches, what stands there, what takes its place, and how the agent reports it."""

    prompt: str
    path: str
    before: str
    after: str
    report: str


class Command(NamedTuple):
    """A shell command, what it prints, and the exit code it fails with now and then (0: it never does)."""

    line: str
    description: str
    prints: str
    exit_code: int = 0
    complaint: str = ""


class Project(NamedTuple):
    folder: str
    branches: tuple[str, ...]
    files: tuple[str, ...]
    patterns: tuple[str, ...]
    changes: tuple[Change, ...]
    commands: tuple[Command, ...]
    pages: tuple[str, ...]
    server: str
    server_tools: tuple[tuple[str, str, str], ...]  # tool, its one argument, its answer


TIDEPOOL = Project(
    folder="/home/robin/code/tidepool",
    branches=("main", "feature/moon-phases", "fix/harbour-time-zones"),
    files=(
        "tidepool/harmonics.py",
        "tidepool/stations.py",
        "tidepool/web/views.py",
        "tests/test_harmonics.py",
        "README.md",
    ),
    patterns=("def predict_", "ZoneInfo\\(", "TideTable", "raise StationUnknown"),
    changes=(
        Change(
            "The tide table of Saint-Malo is an hour off in summer. Find out why and fix it.",
            "tidepool/stations.py",
            "    return naive.replace(tzinfo=timezone.utc)\n",
            "    return naive.replace(tzinfo=ZoneInfo(station.zone))\n",
            "The station's local times were taken for UTC. They are now read in the station's own zone, "
            "and a test holds the 29 March change of clocks.",
        ),
        Change(
            "Add the moon's phase to the daily page, with a test.",
            "tidepool/web/views.py",
            "    return render(day, tides)\n",
            "    return render(day, tides, phase=moon_phase(day))\n",
            "The daily page shows the phase in words and as a small picture. Two tests cover new and full moon.",
        ),
        Change(
            "predict_heights is slow for a whole year. Can we do the year in one go?",
            "tidepool/harmonics.py",
            "    return [height_at(t) for t in times]\n",
            "    return (amplitudes * np.cos(speeds * times[:, None] + phases)).sum(axis=1)\n",
            "A year takes 0.2 s instead of 9 s: the constituents are summed as one array.",
        ),
    ),
    commands=(
        Command(
            "pytest -q",
            "Run the tests",
            "........................................ [100%]\n40 passed in 2.31s",
            1,
            "FAILED tests/test_harmonics.py::test_spring_tide - assert 11.84 == 11.92 ± 0.01\n1 failed, 39 passed",
        ),
        Command("git status --short", "See what changed", " M tidepool/stations.py\n?? tests/test_zones.py"),
        Command("git diff --stat", "See how much changed", " tidepool/stations.py | 6 ++++--\n 1 file changed"),
        Command(
            "ruff check .",
            "Lint",
            "All checks passed!",
            1,
            "tidepool/stations.py:4:8: F401 `datetime` imported but unused",
        ),
        Command(
            "git push origin HEAD",
            "Push the branch",
            "To git.example.org:robin/tidepool.git\n   3f1c2aa..9d02b7e  HEAD -> main",
            128,
            "fatal: unable to access 'https://git.example.org/robin/tidepool.git/': could not resolve host",
        ),
    ),
    pages=("https://docs.python.org/3/library/zoneinfo.html", "https://example.org/tides/constituents"),
    server="calendar",
    server_tools=(
        ("list_events", "week", "3 events"),
        ("create_event", "title", "created"),
    ),
)

LETTERBOX = Project(
    folder="/home/robin/code/letterbox",
    branches=("main", "feature/threads", "chore/upgrade-router"),
    files=(
        "src/inbox/list.tsx",
        "src/inbox/thread.tsx",
        "src/api/client.ts",
        "src/api/retry.ts",
        "package.json",
    ),
    patterns=("useThread\\(", "fetchPage", "className=", "aria-label"),
    changes=(
        Change(
            "Group the inbox by conversation instead of single messages.",
            "src/inbox/list.tsx",
            "  return messages.map((m) => <Row key={m.id} message={m} />);\n",
            "  return threads.map((t) => <Thread key={t.id} thread={t} />);\n",
            "The inbox lists conversations, the newest first. Opening one shows its messages in order.",
        ),
        Change(
            "Requests that time out should be tried again, at most three times.",
            "src/api/retry.ts",
            "export const attempts = 1;\n",
            "export const attempts = 3;\n",
            "Time-outs are tried again after 200, 400 and 800 ms; answers such as 404 are not.",
        ),
        Change(
            "The screen reader says 'button' for every icon. Give them names.",
            "src/inbox/thread.tsx",
            "<button onClick={archive}>\n",
            '<button onClick={archive} aria-label="Archive the conversation">\n',
            "All eleven icon buttons have names now, and a test fails for the next one without.",
        ),
    ),
    commands=(
        Command(
            "npm test -- --run",
            "Run the tests",
            " Test Files  14 passed (14)\n      Tests  92 passed (92)",
            1,
            " FAIL  src/inbox/list.test.tsx > groups replies\nAssertionError: expected 3 to be 2",
        ),
        Command("npm run build", "Build the site", "dist/index.js  212.40 kB\nbuilt in 3.1s", 2, "error TS2345"),
        Command("npm install", "Install what is missing", "added 3 packages in 2s"),
        Command("git log --oneline -5", "See the last commits", "a1f0c3d Name the icon buttons\n77be210 Retry"),
        Command("git commit -am 'Group the inbox by conversation'", "Commit", "[feature/threads 77be210] Group"),
    ),
    pages=("https://developer.mozilla.org/en-US/docs/Web/API/AbortSignal", "https://example.org/router/upgrade"),
    server="tracker",
    server_tools=(
        ("get_issue", "number", "Inbox: group by conversation (open)"),
        ("add_comment", "body", "comment added"),
        ("search_issues", "query", "4 issues found"),
    ),
)

QUARRY = Project(
    folder="/home/robin/code/quarry",
    branches=("main", "perf/zero-copy", "fix/utf16-input"),
    files=("src/lexer.rs", "src/parser.rs", "src/main.rs", "tests/grammar.rs", "Cargo.toml"),
    patterns=("fn next_token", "unwrap\\(\\)", "impl .* for Token", "#\\[bench\\]"),
    changes=(
        Change(
            "Parsing a 200 MB file copies every token. Make the lexer borrow from the input.",
            "src/lexer.rs",
            "pub struct Token { text: String }\n",
            "pub struct Token<'a> { text: &'a str }\n",
            "Tokens borrow from the input. The 200 MB file takes 1.9 s instead of 5.2 s.",
        ),
        Change(
            "A file in UTF-16 makes quarry panic. It should say what is wrong instead.",
            "src/main.rs",
            "    let text = std::str::from_utf8(&bytes).unwrap();\n",
            "    let text = decode(&bytes).map_err(Error::Encoding)?;\n",
            "UTF-16 with a byte order mark is read; anything else that is not UTF-8 is a clear error.",
        ),
    ),
    commands=(
        Command(
            "cargo test",
            "Run the tests",
            "test result: ok. 61 passed; 0 failed; finished in 0.84s",
            101,
            "error[E0597]: `input` does not live long enough\n  --> src/lexer.rs:88:18",
        ),
        Command("cargo clippy -- -D warnings", "Lint", "    Finished dev profile", 101, "error: redundant clone"),
        Command("cargo bench lexer", "Measure the lexer", "lexer/200mb  time: [1.88 s 1.91 s 1.95 s]"),
        Command("rg -n 'unwrap\\(\\)' src", "Find the unwraps", "src/main.rs:31:    let text = ….unwrap();"),
        Command("git stash list", "See what is stashed", ""),
    ),
    pages=("https://doc.rust-lang.org/std/borrow/enum.Cow.html",),
    server="database",
    server_tools=(
        ("execute_sql", "query", "12 rows"),
        ("list_tables", "schema", "samples, runs, timings"),
    ),
)

PROJECTS = (TIDEPOOL, LETTERBOX, QUARRY)
MODELS = ("claude-opus-4-6", "claude-sonnet-4-6", "claude-haiku-4-5")
FOLLOW_UPS = (
    "Good. Please run the tests once more and tell me what changed.",
    "Can you explain the change in two sentences?",
    "Commit it with a short message.",
    "One more thing: mention it in the README.",
    "Show me the part of the file you changed.",
    "Are there other places with the same mistake?",
)
SUBAGENTS = (
    ("Explore", "Find every caller", "Look for every caller of the function and list file and line."),
    ("general-purpose", "Review the change", "Read the change as a careful reviewer and name what may break."),
)
NOTIFICATIONS = (
    ("Claude is waiting for your input", "idle_prompt"),
    ("Claude needs your permission to use Bash", "permission_prompt"),
)
FORBIDDEN = Command("rm -rf build dist", "Remove what was built", "")
