"""A lock that is free in a fork, whoever of the parent's threads held it at that moment."""

import os
import threading


class ForkLock:
    """`with lock:` as with `threading.Lock`. What it guards may have been half changed when the process forked: the
    holder must be able to go on from there."""

    __slots__ = ("_lock", "_pid")

    def __init__(self) -> None:
        self._lock, self._pid = threading.Lock(), os.getpid()

    def __enter__(self) -> None:
        if self._pid != os.getpid():
            self._lock, self._pid = threading.Lock(), os.getpid()
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()
