"""Where the package, its interpreter and its SQLite are. In the bundle that an installed hook runs (`bundle.py`), the
same names say where they were when it was written: they may be gone since. Light: the hook imports it.
"""

import sys

from eyelet_ingest.system import os

PACKAGE = os.path.dirname(os.path.abspath(__file__))
PYTHON = sys.executable
EXTENSION = ""  # pysqlite3's C module, as a file; "" where it is looked for
IS_BUNDLE = False
# The plugins that run in the hook (`hot.py`): name, file, text, for which version of Python the code is, the code.
# None: nothing is bundled, so they are looked for.
HOT: "tuple[tuple[str, str, str, int, bytes], ...] | None" = None
