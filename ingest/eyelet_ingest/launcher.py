"""The launcher of an installed hook; `bundle.py` writes this file, but for its comments, to `~/.eyelet/bin/`.

It is compiled at every event, so there is little of it: it takes the code out of the bundle beside it and runs it
(`boot.py`). Where that cannot be (another Python than the one that installed it, a damaged file), `again.py`, written
beside it too, makes the code anew from its source. It prints nothing and exits 0 whatever happens.
"""

import os
import sys
from marshal import loads

beside = __file__.rpartition(".")[0]
try:
    with open(f"{beside}-{sys.implementation.cache_tag}-{sys.hexversion:x}.code", "rb") as file:
        code, parts = loads(file.read())
    exec(code, {"__name__": "boot", "parts": parts})
except BaseException as bad:  # noqa: BLE001  the agent must never fail because we could not log
    why = f"{type(bad).__name__}: {bad}"
try:
    with open(f"{beside}-again.py", "rb") as file:
        exec(compile(file.read(), "again", "exec"), {"__name__": "again", "beside": beside, "why": why})
except BaseException:  # noqa: BLE001, S110
    pass
os._exit(0)
