"""The launcher of an installed hook; `bundle.py` writes this file, but for its comments, to `~/.eyelet/bin/`.

It is compiled at every event, so there is little of it: it takes the code out of the bundle beside it and runs it
(`boot.py`). Where that cannot be (another Python than the one that installed it, a damaged file), `again.py`, written
beside it too, makes the code anew from its source. It prints nothing and exits 0 whatever happens.
"""

import os
import sys
from marshal import loads

beside = __file__[:-3]
try:
    handle = os.open("%s-%x.code" % (beside, sys.hexversion), os.O_RDONLY)  # noqa: UP031  f-strings are dear to compile
    code, parts = loads(os.read(handle, int(os.read(handle, 8))))
    exec(code)
except BaseException as bad:  # noqa: BLE001  the agent must never fail because we could not log
    why = type(bad).__name__ + ": " + str(bad)
    with open(beside + "-again.py", encoding="utf-8") as file:
        exec(file.read())
finally:
    os._exit(0)
