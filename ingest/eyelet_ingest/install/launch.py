"""What an agent is told to run: the one file `bin/eyelet-hook` under `~/.eyelet`, which finds the recorder.

A file that needs no argument, as Cursor runs the hooks it finds in Claude Code's settings without theirs: an
interpreter named there would get the payload as its program. And Cursor takes silence for a refusal of the tool, so the
file answers it, whatever becomes of the recording.
"""

import os
import shlex
from dataclasses import dataclass

from eyelet_ingest import bundle, faults
from eyelet_ingest.errors import BadInput, RootError
from eyelet_ingest.posting import ADDRESS

NAME = "eyelet-hook"
PORTABLE = "$HOME/.eyelet/bin/" + NAME
MODES = ("direct", "spool", "http")
CURSORS_ANSWER = '{"continue":true,"permission":"allow"}'  # no opinion: what Cursor does without a hook

SCRIPT = """#!/bin/sh
# Written by `eyelet install`: agents run it as their hook. It always exits 0.
python={python}
[ -x "$python" ] || python=$(command -v python3)
hook={hook}
[ -n "$python" ] && [ -r "$hook" ] && there=1
case ${{LC_ALL:-${{LC_CTYPE:-${{LANG-}}}}}} in
  *.UTF-8 | *.utf8) utf8=-Xutf8 ;; # what it is all the same, and Python need not look the locale up
  *) utf8= ;;
esac
lost() {{
  [ "$(wc -c <{faults} || echo 0)" -lt {most_bytes} ] || return 0
  said="Python or $hook does not run: eyelet install"
  (umask 77 && printf '%s000000\\tlauncher\\t%s\\n' "$(date +%s)" "$said" >>{faults})
}} 2>/dev/null
case " $* " in
  *" --agent cursor "*) cursor=own ;;
  *) cursor=${{CURSOR_VERSION-}} ;;
esac
if [ -z "$cursor" ]; then
  # Not exec: an interpreter that breaks off before it runs anything would be the agent's error, with status 2 its veto.
  [ "${{there-}}" ] && "$python" $utf8 -I -S "$hook" "$@" >/dev/null 2>&1 || lost
  exit 0
fi
# Cursor, which runs Claude Code's hooks, too: where it has its own, these have nothing to add.
if [ "$cursor" = own ] || ! grep -qs 'bin/eyelet-hook.* --agent cursor' \\
  "$HOME/.cursor/hooks.json" "${{CURSOR_PROJECT_DIR:-.}}/.cursor/hooks.json"
then
  [ "${{there-}}" ] && "$python" $utf8 -I -S "$hook" "$@" --agent cursor >/dev/null 2>&1 || lost
fi
echo '{answer}'
exit 0
"""


@dataclass(frozen=True, slots=True)
class Launch:
    """How the hook is run: `home` is the folder of the global settings; `url` the server's, for the mode http.

    `portable`: settings that are shared name no folder of this machine.
    """

    home: str
    mode: str = "direct"
    url: str = ""
    portable: bool = False
    native_http: bool = False

    @property
    def path(self) -> str:
        """The launcher."""
        return path_of(self.home)

    def flags(self, agent: str) -> list[str]:
        """What the launcher is told."""
        flags = ["--agent", agent]
        if self.mode != "direct":
            flags += ["--mode", self.mode]
        return [*flags, "--url", self.url] if self.mode == "http" and self.url else flags

    def line(self, agent: str) -> str:
        """One line of shell; where the launcher is gone it does nothing, and exits 0."""
        flags = shlex.join(self.flags(agent))
        path = f'"{PORTABLE}"' if self.portable else shlex.quote(self.path)
        return f"[ -x {path} ] && exec {path} {flags}; exit 0"


def path_of(home: str) -> str:
    """The launcher's path under the folder of the global settings."""
    return os.path.join(os.path.abspath(os.path.expanduser(home)), bundle.FOLDER, NAME)


def write(home: str) -> str:
    """Make or renew the recorder and its launcher under `home`; the launcher's path."""
    path = path_of(home)
    try:
        path.encode()
    except UnicodeEncodeError:
        raise BadInput("install", repr(home), "agents' settings cannot name it: it is not UTF-8", "move it") from None
    script = _script(bundle.write(home))
    mine = f"{path}.{os.getpid()}"
    try:
        handle = os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o700)
        with open(handle, "w", encoding="utf-8") as file:
            file.write(script)
        os.replace(mine, path)
    except OSError as bad:
        raise RootError("write", path, bad.strerror or str(bad), "may you write in this folder?") from bad
    return path


def refresh(home: str) -> bool:
    """Renew what is installed under `home` where the package has changed since; whether it did."""
    path = path_of(home)
    try:
        with open(path, encoding="utf-8") as file:
            said = file.read()
    except (OSError, UnicodeError):
        return False
    if said == _script(os.path.join(os.path.dirname(path), bundle.LAUNCHER)):
        return bundle.refresh(home)
    write(home)
    return True


def _script(hook: str) -> str:
    home = os.path.dirname(os.path.dirname(hook))
    return SCRIPT.format(
        python=shlex.quote(bundle.interpreter()),
        hook=shlex.quote(hook),
        faults=shlex.quote(os.path.join(home, faults.FILE_NAME)),
        most_bytes=faults.MOST_BYTES,
        answer=CURSORS_ANSWER,
    )


def is_ours(handler: object, launchers: "frozenset[str]") -> bool:
    """Whether this handler of an agent's settings runs one of these launchers, or posts to our address."""
    if not isinstance(handler, dict):
        return False
    said = [handler.get(name) for name in ("command", "bash", "exec")]
    if any(isinstance(text, str) and any(_names(text, one) for one in launchers) for text in said):
        return True
    url = handler.get("url")
    return isinstance(url, str) and url.split("?")[0].endswith(ADDRESS)


def _names(text: str, launcher: str) -> bool:
    """Whether the text names this file, and not another whose path only begins so."""
    at = text.find(launcher)
    while at >= 0:
        after = text[at + len(launcher) :][:1]
        if not (after.isalnum() or (after and after in "._-/")):
            return True
        at = text.find(launcher, at + 1)
    return False


def launchers(*homes: str) -> "frozenset[str]":
    """What marks an entry as ours: the launcher of each of these homes, as settings write it."""
    paths = [path_of(home) for home in homes]
    return frozenset([*paths, *map(shlex.quote, paths), PORTABLE])
