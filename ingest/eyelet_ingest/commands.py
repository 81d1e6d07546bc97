"""The command lines that people are told to type: such as work in their shell, for this installation and root."""

import os
import shlex
import shutil
import sys

DEFAULT_ROOT = "~/.eyelet"


def runnable(arguments: str, *roots: str) -> str:
    """A command line for this installation's `eyelet` and these roots, to be typed into any folder's shell."""
    on_path, mine = shutil.which("eyelet"), shutil.which("eyelet", path=os.path.dirname(sys.executable))
    if on_path and (mine is None or os.path.samefile(on_path, mine)):
        program = "eyelet"
    else:
        program = shlex.quote(mine) if mine else f"{shlex.quote(sys.executable)} -m eyelet_ingest.cli"
    is_default = roots == (os.path.expanduser(DEFAULT_ROOT),)
    at = "" if is_default else "".join(f" --root {shlex.quote(root)}" for root in roots)
    return f"{program} {arguments}{at}"


def python(arguments: str) -> str:
    """A command line for the Python that runs this."""
    return f"{shlex.quote(sys.executable)} {arguments}"
