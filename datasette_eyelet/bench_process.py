"""The run of the load generator that this server began: a process of its own that gives way to all others.

It ends with the server: told so at the server's end, and by itself when its standard input ends, which is when the
server died. Its results and how far it is stand in the settings' folder (`bench.results`, `bench.scratch`).
"""

import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

import eyelet_ingest
from eyelet_ingest.errors import BadInput, EyeletError

NICE = 10
END_S = 10.0  # for it to remove its folder
SAID_LINES, SAID_CHARS = 3, 500
LIMITED = 3  # its exit status where the time limit came first: nothing is wrong then


class BenchProcess:
    """At most one at a time. `_lock` guards all of it; from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: subprocess.Popen[str] | None = None
        self._said: deque[str] = deque(maxlen=SAID_LINES)
        self._is_cancelled = False
        self._is_closed = False

    def begin(self, home: str, flags: Sequence[str]) -> None:
        """`eyelet bench` with these flags. BadInput where one goes on, EyeletError where it cannot be begun."""
        package = os.path.dirname(os.path.dirname(os.path.abspath(eyelet_ingest.__file__)))
        path = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH", ""))))
        always = ["--nice", str(NICE), "--until-input-ends"]
        command = [sys.executable, "-m", "eyelet_ingest.cli", "bench", *flags, *always]
        with self._lock:
            if self._is_closed:
                raise EyeletError("begin the run", reason="the server is about to end")
            if self._runs():
                raise BadInput("begin the run", reason="one goes on", hint="wait for it, or cancel it")
            self._said.clear()
            self._is_cancelled = False
            try:
                self._child = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    text=True,
                    errors="replace",
                    cwd=home,  # nothing is imported from where the server stands
                    env={**os.environ, "PYTHONPATH": path},
                    start_new_session=True,  # Ctrl-C is for the server, which ends it
                )
            except OSError as bad:
                raise EyeletError("begin the run", reason=bad.strerror or str(bad)) from bad
            threading.Thread(target=self._listen, args=(self._child,), name="eyelet-bench", daemon=True).start()

    @property
    def pid(self) -> int | None:
        """Of the run that goes on; None where there is none."""
        with self._lock:
            return self._child.pid if self._child is not None and self._runs() else None

    @property
    def trouble(self) -> str:
        """Why the last run failed, in its own words; "" where it did not, or goes on."""
        with self._lock:
            child = self._child
            if child is None or child.poll() in (None, 0, LIMITED) or self._is_cancelled:
                return ""
            return ("\n".join(self._said) or f"it ended with the status {child.returncode}")[-SAID_CHARS:]

    def cancel(self) -> bool:
        """Ask it to end, and wait for that a while; whether there was one. Not for the event loop."""
        with self._lock:
            child = self._child
            if child is None or not self._runs():
                return False
            self._is_cancelled = True
        child.terminate()
        with suppress(subprocess.TimeoutExpired):
            child.wait(END_S)
            return True
        child.kill()  # what it leaves the next run removes
        child.wait()
        return True

    def close(self) -> None:
        """The server's end: no further run begins. Not for the event loop where one goes on."""
        with self._lock:
            self._is_closed = True
        self.cancel()

    def _runs(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def _listen(self, child: "subprocess.Popen[str]") -> None:
        """To what it says on standard error: the last lines are kept, and its pipe never fills."""
        assert child.stderr is not None
        for line in child.stderr:
            if line.startswith("Error"):
                self._said.append(line.strip())
        child.stderr.close()
        child.wait()
        if child.stdin is not None:
            with suppress(OSError):
                child.stdin.close()
