"""What is to be known of an agent to record it: where its settings are, which events it has, how a hook is written."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from eyelet_ingest.install.launch import Launch

SCOPES = ("user", "project", "local")


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent. `events` are those to record, each with the seconds it may take; `handler` writes the hook of one.

    `grouped`: an event's array holds groups of handlers, as Claude Code has it, else the handlers themselves.
    `never` are events that are left alone, with the reason. `files` are its settings by scope: below the folder of its
    own (user) or of the project.
    """

    name: str
    title: str
    folder: str  # of the user's settings, below the home folder
    folder_variable: str  # of the environment, which moves that folder; "" for none
    programs: tuple[str, ...]
    files: dict[str, str]
    events: dict[str, int]
    never: dict[str, str]
    handler: Callable[[Launch, str, int], dict[str, Any]]
    grouped: bool = True
    beside: dict[str, Any] = field(default_factory=dict)  # what the file must say besides
    hint: str = ""  # what the user has to do then

    def home(self) -> str:
        """The folder of the user's settings, absolute."""
        moved = os.environ.get(self.folder_variable, "") if self.folder_variable else ""
        return os.path.abspath(os.path.expanduser(moved or os.path.join("~", self.folder)))

    def path(self, scope: str, project: str) -> str:
        """The settings file of this scope, or "" where the agent has none."""
        if scope not in self.files:
            return ""
        return os.path.join(self.home() if scope == "user" else project, self.files[scope])

    def is_here(self) -> bool:
        """Whether this machine has the agent: its folder, or its program."""
        from shutil import which

        return os.path.isdir(self.home()) or any(map(which, self.programs))

    def wanted(self, launch: Launch, events: dict[str, int] | None = None) -> dict[str, Any]:
        """The entry for each event."""
        entries = {}
        for event, seconds in (self.events if events is None else events).items():
            handler = self.handler(launch, event, seconds)
            entries[event] = {"hooks": [handler]} if self.grouped else handler
        return entries
