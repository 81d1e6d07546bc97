"""docs/commands.md names every command and every flag, and its examples are commands that exist."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from eyelet_ingest.cli import cli
from eyelet_ingest.cli.options import STATUSES
from eyelet_ingest.ranges import RANGES, parse_instant, zone

DOCS = (Path(__file__).resolve().parents[2] / "docs" / "commands.md").read_text("utf-8")


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if not isinstance(command, click.Group):
        yield path, command
        return
    with click.Context(command) as ctx:
        for name in command.list_commands(ctx):
            inner = command.get_command(ctx, name)
            assert inner is not None
            yield from commands(inner, (*path, name))


COMMANDS = dict(commands(cli))
FLAGS = sorted(
    {
        (" ".join(path), name)
        for path, command in COMMANDS.items()
        for option in command.params
        if isinstance(option, click.Option)
        for name in option.opts
    }
)
FILTERS = DOCS[DOCS.index("## The root and the context") : DOCS.index("## query search")]


def section(path: str) -> str:
    found = re.search(rf"^## {re.escape(path)}\n(.*?)(?=^## |\Z)", DOCS, re.DOTALL | re.MULTILINE)
    assert found, f"docs/commands.md has no section for `eyelet {path}`"
    return found[1]


@pytest.mark.parametrize("path", [" ".join(path) for path in COMMANDS])
def test_every_command_has_a_section_and_a_line_in_the_table(path: str) -> None:
    assert section(path)
    assert f"[`eyelet {path}" in DOCS


@pytest.mark.parametrize(("path", "flag"), FLAGS, ids=[" ".join(pair) for pair in FLAGS])
def test_every_flag_is_documented_with_its_command(path: str, flag: str) -> None:
    text = section(path) + (FILTERS if path.startswith(("query ", "tail", "calls")) else "")
    assert f"`{flag}" in text


@pytest.mark.parametrize("flag", sorted(set(re.findall(r"`(--[a-z-]+)", DOCS))))
def test_no_flag_is_documented_that_is_none(flag: str) -> None:
    assert flag in {name for _, name in FLAGS} | {"--version"} or flag == "--help"


@pytest.mark.parametrize("name", RANGES)
def test_every_named_range_is_documented(name: str) -> None:
    assert f"`{name}`" in FILTERS


def test_the_statuses_one_can_ask_for_are_those_that_events_have() -> None:
    events = (Path(__file__).resolve().parents[2] / "docs" / "events.md").read_text("utf-8")
    table = events[events.index("| status | means") : events.index("## Claude Code hooks")]
    assert sorted(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == sorted(STATUSES)
    said = re.search(r"^\| `--status NAME` \| (.*) \|$", FILTERS, re.MULTILINE)
    assert said and set(re.findall(r"`(\w+)`", said[1])) == set(STATUSES)


def test_every_documented_time_can_be_read() -> None:
    listed = DOCS[DOCS.index("A TIME is one of") : DOCS.index("A time without a zone")]
    times = [text for text in re.findall(r"`([^`]+)`", listed) if len(text) > 1]
    assert len(times) >= 10
    for text in times:
        parse_instant(text, now_us=1_774_015_402_123_456, tz=zone("UTC"))


BLOCKS = re.findall(r"```\n(.*?)```", DOCS, re.DOTALL)
EXAMPLES = [line for block in BLOCKS for line in block.splitlines() if "eyelet " in line]


@pytest.mark.parametrize("line", EXAMPLES)
def test_every_example_is_a_command_line_that_parses(line: str) -> None:
    words = shlex.split(line)
    words = words[words.index("eyelet") + 1 :]
    if "|" in words:
        words = words[: words.index("|")]
    path = tuple(words[:2]) if tuple(words[:2]) in COMMANDS else tuple(words[:1])
    command = COMMANDS[path]
    # With the group's settings: click keeps a command's help flags as they were first asked for.
    assert command.make_context("eyelet", words[len(path) :], **cli.context_settings)
