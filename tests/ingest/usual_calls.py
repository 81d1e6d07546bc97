"""Which functions usual events call: `python -m tests.ingest.usual_calls` writes them down in `usual.py` anew."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from eyelet_ingest import again, bundle, usual

HOOK = {
    "session_id": "0c5d3a1e-5f5b-4a6e-9c0e-3f6a1b2c3d4e",
    "transcript_path": "/home/someone/.claude/projects/-home-someone-work/0c5d3a1e.jsonl",
    "cwd": "/home/someone/work",
    "permission_mode": "default",
}
BASH = {"tool_name": "Bash", "tool_input": {"command": "cd src && git status --short", "description": "Look"}}
READ = {"tool_name": "Read", "tool_input": {"file_path": "/home/someone/work/a.py", "limit": 20}}
EDIT = {
    "tool_name": "Edit",
    "tool_input": {"file_path": "/home/someone/work/a.py", "old_string": "a", "new_string": "é"},
}
DONE = {"tool_use_id": "toolu_01ABC", "tool_response": {"stdout": "M a.py\n", "stderr": "", "interrupted": False}}
PAYLOADS: tuple[dict[str, object], ...] = (
    {**HOOK, "hook_event_name": "SessionStart", "source": "startup"},
    {**HOOK, "hook_event_name": "UserPromptSubmit", "prompt": "Say what is in this folder, please. " * 40},
    *({**HOOK, "hook_event_name": "PreToolUse", "tool_use_id": "toolu_01ABC", **one} for one in (BASH, READ, EDIT)),
    *({**HOOK, "hook_event_name": "PostToolUse", **DONE, **one} for one in (BASH, READ, EDIT)),
    {**HOOK, "hook_event_name": "PostToolUse", **READ, "tool_response": {"file": {"content": "x = 1\n" * 500}}},
    {**HOOK, "hook_event_name": "Stop", "stop_hook_active": False},
    {**HOOK, "hook_event_name": "SessionEnd", "reason": "clear"},
)
TOLD = """
import marshal, posix, sys
asked, read, end = [], posix.pread, posix._exit
assert "os" not in sys.modules
def noted(handle, size, at):
    content = read(handle, size, at)
    if content != {end!r}:
        asked.append(getattr(marshal.loads(content), "co_filename", "a group"))
    return content
def told(status):
    assert "os" not in sys.modules, "it was made anew, or needs more of os than there is"
    posix.write(1, repr(asked).encode())
    end(status)
posix.pread, posix._exit = noted, told
__file__ = {launcher!r}
exec(open(__file__).read())
"""


def asked_for(home: str, root: str, payload: object, *flags: str) -> list[str]:
    """The functions, as `usual.py` names them, that this event fetches from the file of the bundle under `home`."""
    code = TOLD.format(launcher=os.path.join(home, "bin", "eyelet-hook.py"), end=again.END)
    env = {name: value for name, value in os.environ.items() if not name.startswith("EYELET")}  # such as _DISABLED
    env |= {"EYELET_ROOT": root, "EYELET_CONFIG": os.path.join(home, "eyelet.yaml")}
    env["CLAUDE_PROJECT_DIR"] = str(Path(__file__).resolve().parent)
    command = [bundle.interpreter(), "-I", "-S", "-c", code, *flags]
    done = subprocess.run(command, input=json.dumps(payload).encode(), env=env, capture_output=True, check=True)
    return [name.strip("<>") for name in eval(done.stdout) if name != "a group"]


def main() -> None:
    """Nothing is usual at first; then what such events ask for is."""
    found: set[str] = set()
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            bundle, "_text_of", lambda name, home: "FUNCTIONS = ()" if name == again.USUAL else text(name, home)
        )
        bundle.write(folder)
        for number in range(8):
            for payload in PAYLOADS:
                for flags in ((), ("--mode", "spool")):
                    root = os.path.join(folder, str(len(flags)))
                    asked = asked_for(folder, root, payload, *flags)
                    found.update(asked if number else ())  # the first of a day makes it
    lines = "".join(f'        "{name}",\n' for name in sorted(found))
    content = Path(usual.__file__).read_text(encoding="utf-8").split("FUNCTIONS")[0]
    Path(usual.__file__).write_text(f"{content}FUNCTIONS = frozenset(\n    (\n{lines}    )\n)\n", encoding="utf-8")


text = bundle._text_of

if __name__ == "__main__":
    sys.exit(main())
