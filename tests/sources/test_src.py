"""The dotted name of where an event comes from, and what never gets into it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyelet_ingest.sources.src import MAX_CHARS, MAX_PARTS, command_parts, src, tool_parts

WELL_FORMED = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")

COMMANDS = {
    "git push": ["git", "push"],
    "git": ["git"],
    "cd x && git push origin main": ["git", "push"],
    "cd '/a b' && cd c; npm test": ["npm", "test"],
    'cd "/a \\"b" && \\\n  git   stash': ["git", "stash"],
    "sudo -u root docker compose up": ["docker", "compose"],
    "sudo env A=1 B=2 kubectl -n prod get pods": ["kubectl", "get"],
    "FOO=1 BAR='a b' cargo +nightly test": ["cargo", "test"],
    "/usr/bin/git -C /x -c k=v status": ["git", "status"],
    "(cd a; uv run pytest)": ["uv", "run"],
    "{ go build; }": ["go", "build"],
    "time make -j 4 test": ["make", "test"],
    "timeout -s KILL 30s pytest -x": ["pytest"],
    "nohup python3.11 -m http.server &": ["python3.11"],
    "# why\n\n  gh pr create": ["gh", "pr"],
    "for x in a b; do pip install $x; done": ["pip", "install"],
    "if ! grep -q x y; then echo hi; fi": ["grep"],
    "2>/dev/null ls -la": ["ls"],
    "> out.txt git log": ["git", "log"],
    "cat <<'EOF' > f\ngit push\nEOF": ["cat"],
    "export A=1; source venv/bin/activate && pytest": ["pytest"],
    "git commit -m \"$(cat <<'EOF'\nit's here\nEOF\n)\"": ["git", "commit"],
    "cd x": ["cd"],
    "echo git push": ["echo"],
    "$EDITOR x; git diff": ["git", "diff"],
    "$(which git) push": [],
    "": [],
    "  \n\t ": [],
    "# only a comment": [],
    "A=1": [],
    "'": [],
    "\\": [],
    "git 'unfinished": ["git", "unfinished"],
    "sudo": ["sudo"],
}


@pytest.mark.parametrize(("command", "parts"), COMMANDS.items())
def test_a_command_is_named_by_its_first_real_program_and_subcommand(command: str, parts: list[str]) -> None:
    assert command_parts(command) == parts


@pytest.mark.parametrize(
    "command",
    [
        "git -c http.extraHeader=hunter2 push",
        "PASSWORD=hunter2 npm test",
        "mysql -phunter2 shop",
        "docker login -u me -p hunter2",
        "curl https://me:hunter2@example.org/hunter2",
        "git push https://hunter2@example.org",
        "./hunter2=/x y",
        "make SECRET=hunter2",
        "npm --token=hunter2 publish",
        "aws --profile hunter2 s3 ls",
        "$hunter2 x",
        "`hunter2`",
        "git Hunter2!",
    ],
)
def test_an_arguments_value_never_gets_into_src(command: str) -> None:
    assert "hunter2" not in src("claude", "PreToolUse", *tool_parts("Bash", command)).lower()


def test_an_mcp_tool_is_named_by_server_and_tool() -> None:
    assert (
        src("claude", "PreToolUse", *tool_parts("mcp__my-db__run__query")) == "claude.pretooluse.mcp.my-db.run__query"
    )
    assert tool_parts("mcp__alone") == ["mcp", "alone"]


def test_without_a_tool_src_stops_after_the_event() -> None:
    assert src("claude", "UserPromptSubmit", *tool_parts(None)) == "claude.userpromptsubmit"


def test_other_characters_become_underscores() -> None:
    assert src("claude", "Prä/Use", "a.b c") == "claude.pr__use.a_b_c"


@given(st.lists(st.text(max_size=100), max_size=20))
def test_src_is_always_well_formed(parts: list[str]) -> None:
    made = src(*parts)
    assert made == "" or WELL_FORMED.fullmatch(made)
    assert len(made) <= MAX_CHARS
    assert made.count(".") < MAX_PARTS


@given(st.text(max_size=300))
def test_no_text_of_a_command_raises(command: str) -> None:
    made = src("claude", "PreToolUse", *tool_parts("Bash", command))
    assert WELL_FORMED.fullmatch(made)


SHELL = st.text(alphabet="git psudo=&|;()<>'\"\\`$#\n{}-x/", max_size=60)


@given(SHELL)
def test_no_shell_syntax_raises(command: str) -> None:
    assert len(command_parts(command)) <= 2


def test_a_huge_command_costs_no_more_than_its_beginning() -> None:
    assert command_parts("git log " + "'x' " * 2_000_000) == ["git", "log"]
