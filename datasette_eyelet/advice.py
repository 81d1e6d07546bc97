"""The commands that our pages tell people to type: such as work in their shell, for the root that is served."""

import json
import os
import shlex
import shutil
import sys

from datasette_eyelet.instance import DEFAULT_ROOT
from datasette_eyelet.visible import visible

HOOK_EVENTS = ("PreToolUse", "PostToolUse", "UserPromptSubmit", "Stop")


def ingest_command(root: str) -> str:
    """Imports what Claude Code keeps. `~` is left to the shell."""
    return visible(f"{_program()} ingest ~/.claude/projects{_root_option(root)}")


def install_command() -> str:
    """Has the agents on this machine record into the root that commands take by themselves."""
    return visible(f"{_program()} install")


def _program() -> str:
    return shlex.quote("eyelet" if shutil.which("eyelet") else _beside("eyelet"))


def hook_settings(root: str) -> str:
    """What goes into Claude Code's settings, as JSON. An agent has a PATH of its own: the program's is whole."""
    command = f"{shlex.quote(_beside('eyelet-hook'))}{_root_option(root)}"
    text = json.dumps(command, ensure_ascii=command != visible(command))
    handler = f'[{{"hooks": [{{"type": "command", "command": {text}}}]}}]'
    lines = [f"  {json.dumps(event)}: {handler}" for event in HOOK_EVENTS]
    return visible('{"hooks": {\n' + ",\n".join(lines) + "\n}}")


def has_own_root(root: str) -> bool:
    """Whether commands must name the root: it is not the one they take by themselves."""
    return root != os.path.abspath(os.path.expanduser(DEFAULT_ROOT))


def _root_option(root: str) -> str:
    return f" --root {shlex.quote(root)}" if has_own_root(root) else ""


def _beside(name: str) -> str:
    """The program that was installed with this Python; its bare name where none was."""
    path = os.path.join(os.path.dirname(sys.executable), name)
    return path if os.path.exists(path) else name
