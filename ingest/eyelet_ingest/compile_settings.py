"""Reads files of settings for hooks: `python -I compile_settings.py HOME GLOBAL PROJECT`, each "" where there is none.

The answer is kept where `surroundings.py` looks for it: what holds; or what held last, and why the files do not count.
"""

import marshal
import os
import sys
import tempfile
from contextlib import suppress

if not __package__:  # run by path: the package's folder is the one above this file's
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from eyelet_ingest import settings, surroundings
from eyelet_ingest.errors import BadInput


def main() -> None:
    home, *paths = sys.argv[1:4]
    path = surroundings.cache_path(home, *paths)
    files = [surroundings._looked_at(one) if one else None for one in paths]
    known = surroundings.read_cache(path)
    problem, held = "", known[1] if known else {}
    try:
        held = settings.compiled(settings.of_files(*paths))
    except BadInput as bad:
        problem = str(bad)
    handle, name = tempfile.mkstemp(dir=os.path.dirname(path))
    with open(handle, "wb") as file:
        file.write(marshal.dumps((files, held, problem)))
    os.replace(name, path)
    with suppress(OSError):
        os.unlink(path + ".making")


if __name__ == "__main__":
    main()
