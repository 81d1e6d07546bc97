"""The launcher of an installed hook; `bundle.py` writes this file, but for its comments, to `~/.eyelet/bin/`.

It is compiled at every event, so there is little of it, and no `os` (`system.py`): it takes the code out of the bundle
beside it and runs it (`boot.py`). Where that cannot be (another Python than the one that installed it, a damaged file),
`again.py`, written beside it too, makes the code anew from its source. It prints nothing and exits 0 whatever happens.
"""

import gc
import posix
import sys
from marshal import loads

gc.disable()  # the process ends before there is anything to be collected
beside = __file__[:-3]
try:
    if sys.stdin is None:  # it was closed: the code would be opened in its place, and be read as a payload
        posix.open("/dev/null", 0)
    handle = posix.open("%s-%x.code" % (beside, sys.hexversion), 0)  # noqa: UP031  f-strings are dear to compile
    code, parts = loads(posix.read(handle, int(posix.read(handle, 8))))
    exec(code)
except BaseException as bad:  # noqa: BLE001  the agent must never fail because we could not log
    why = type(bad).__name__ + ": " + str(bad)
    with open(beside + "-again.py", encoding="utf-8") as file:
        exec(file.read())
finally:
    posix._exit(0)
