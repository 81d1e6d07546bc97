"""Where each agent keeps what it did: the one table that `eyelet import-history` looks into.

| agent | source |
|---|---|
| claude | code.claude.com/docs/en/claude-directory (CLAUDE_CONFIG_DIR; kept for `cleanupPeriodDays`, 30); newer versions under XDG's folder: ryoppippi/ccusage, docs/guide/environment-variables.md |
| codex | openai/codex, codex-rs/rollout/src/lib.rs and recorder.rs (`sessions`, `archived_sessions`), docs/config.md (CODEX_HOME) |
| gemini | google-gemini/gemini-cli, packages/core/src/utils/paths.ts (GEMINI_CLI_HOME), config/storage.ts and projectRegistry.ts (`.project_root`) |
| copilot | github/copilot-sdk, docs/features/session-persistence.md |
| opencode | anomalyco/opencode, packages/opencode/src/global/index.ts and storage/db.ts (a database for each channel) |
| cursor | getagentseal/codeburn, docs/providers/cursor-agent.md |

What Cursor's editor keeps in its own databases no source here reads.
"""  # noqa: E501  a table's line is a line

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

LINES = ("*.jsonl",)


@dataclass(frozen=True, slots=True)
class Files:
    """What is taken: files of these `names` in `folders`, whose parts are names, `*` for any folder, and at the end
    `**` for all below, too. `at_depth`: how deep below the agent's folder a file is a session of its own (0: at any);
    deeper ones are of its subagents. No session at all: -1."""

    folders: str
    names: tuple[str, ...]
    at_depth: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """An agent's folder: one of `homes` (in the home folder), or where the `variable` says, with `inside` behind it."""

    agent: str
    title: str
    homes: tuple[str, ...]
    variable: str
    files: tuple[Files, ...]
    inside: str = ""
    project_file: str = ""  # in a folder above a file: it says which project that is of

    def folders(self, environ: Mapping[str, str]) -> Iterator[str]:
        """Where it is on this machine, absolute; whether it is there or not."""
        said = environ.get(self.variable, "").strip() if self.variable else ""
        found = [os.path.join(said, self.inside)] if said else [os.path.join("~", home) for home in self.homes]
        for folder in found:
            expanded = os.path.expanduser(folder)
            if not expanded.startswith("~"):  # somebody without a home folder
                yield os.path.abspath(expanded)


PLACES = {
    place.agent: place
    for place in (
        Place(
            agent="claude",
            title="Claude Code",
            homes=(".claude", os.path.join(".config", "claude")),
            variable="CLAUDE_CONFIG_DIR",
            files=(Files("projects/**", LINES, at_depth=2),),
        ),
        Place(
            agent="codex",
            title="Codex",
            homes=(".codex",),
            variable="CODEX_HOME",
            files=(
                Files("sessions/**", LINES),
                Files("archived_sessions/**", LINES),
                Files("", ("history.jsonl",), at_depth=-1),
            ),
        ),
        Place(
            agent="gemini",
            title="Gemini CLI",
            homes=(".gemini",),
            variable="GEMINI_CLI_HOME",
            inside=".gemini",
            files=(
                Files("tmp/*/chats/**", ("*.json", "*.jsonl"), at_depth=3),
                Files("tmp/*", ("logs.json",), at_depth=-1),
            ),
            project_file=".project_root",
        ),
        Place(
            agent="copilot",
            title="Copilot CLI",
            homes=(".copilot",),
            variable="COPILOT_HOME",
            files=(
                Files("session-state/*", ("events.jsonl",)),
                Files("session-state", LINES),
                Files("history-session-state", ("*.json",)),
            ),
        ),
        Place(
            agent="cursor",
            title="Cursor",
            homes=(".cursor",),
            variable="",
            files=(Files("projects/*/agent-transcripts/**", LINES, at_depth=4),),
        ),
        Place(
            agent="opencode",
            title="OpenCode",
            homes=(os.path.join(".local", "share", "opencode"),),
            variable="XDG_DATA_HOME",
            inside="opencode",
            files=(Files("", ("opencode*.db", "storage"), at_depth=-1),),
        ),
    )
}
