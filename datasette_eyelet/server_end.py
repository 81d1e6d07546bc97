"""Whether the server is about to end: it waits for open answers first, so one that never ends has to know by itself.

uvicorn tells nobody before that: ASGI's lifespan ends after the last answer. But the handler of its signals is a method
of the server (`uvicorn.server.Server.capture_signals`), which says there that it should exit; sse-starlette
(github.com/sysid/sse-starlette, `sse.py`) finds it the same way. Under another server nothing is known here.
"""

import signal


def is_ending() -> bool:
    """From any thread; False where nobody knows."""
    servers = [getattr(signal.getsignal(one), "__self__", None) for one in (signal.SIGINT, signal.SIGTERM)]
    return any(getattr(server, "should_exit", False) is True for server in servers)
