"""Reads files of settings for hooks: `python -I compile_settings.py HOME GLOBAL PROJECT`, each "" where there is none.

The answer is kept where `surroundings.py` looks for it: what holds; or what held last, and why the files do not count.
"""

import marshal
import os
import sys
import tempfile
import time
from contextlib import suppress

if not __package__:  # run by path: the package's folder is the one above this file's
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from eyelet_ingest import settings, surroundings
from eyelet_ingest.errors import BadInput

MOST_ANSWERS = 300  # a worktree that is gone has no use for its own
PART_S = 60  # what is so old is nobody's who is still at it


def main() -> None:
    home, *paths = sys.argv[1:4]
    path = surroundings.cache_path(home, *paths)
    files = [surroundings._looked_at(one) if one else None for one in paths]
    problem = ""
    try:
        held = settings.compiled(settings.of_files(*paths))
    except BadInput as bad:
        problem, held = str(bad), _last(path, files[0], paths[0])
    handle, name = tempfile.mkstemp(dir=os.path.dirname(path))
    with open(handle, "wb") as file:
        file.write(marshal.dumps((files, held, problem)))
    os.replace(name, path)
    with suppress(OSError):
        os.unlink(path + ".making")
    _tidy(os.path.dirname(path))


def _last(path: str, config: "tuple[str, int, int, int] | None", config_path: str) -> "dict[str, object]":
    """What holds where a file is wrong: what both said last, unless the global one has changed since; else the global
    one alone, which a project's file must not put out of force; else nothing but the defaults."""
    known = surroundings.read_cache(path)
    if known is not None and known[0][0] == config:
        return known[1]
    with suppress(BadInput):
        return settings.compiled(settings.of_files(config_path, ""))
    return known[1] if known is not None else {}


def _tidy(folder: str) -> None:
    """Leave the newest answers there, and no part of one whose writer was killed."""
    with suppress(OSError):
        found = [(os.stat(one.path).st_mtime, one) for one in os.scandir(folder) if one.name != "address"]
        found.sort(key=lambda pair: pair[0], reverse=True)
        for at, (then_s, one) in enumerate(found):
            is_part = len(one.name) != surroundings.CACHE_NAME_CHARS
            if at >= MOST_ANSWERS or (is_part and time.time() - then_s > PART_S):
                with suppress(OSError):
                    os.unlink(one.path)


if __name__ == "__main__":
    main()
