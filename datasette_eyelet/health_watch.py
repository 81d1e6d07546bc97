"""What a server knows of its root's health: the last look, the open alerts, the figures of days. Each remembered for a
while, so that many pages cost one look."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from eyelet_ingest.errors import EyeletError
from eyelet_ingest.health import alerts, looking
from eyelet_ingest.health.looking import Look
from eyelet_ingest.store.alert_rows import Alert
from eyelet_ingest.store.day_figures import DayFigures
from eyelet_ingest.store.store import Store

if TYPE_CHECKING:
    from eyelet_ingest.plugins import Plugins

FRESH_S = 10.0  # for a page that shows a look
ALERTS_S = 15.0  # for the banner of every page
FIGURES_MS = 3_000  # for the figures of days, in each round: pages find them then
COSTLY_S = 20.0  # for costly checks of which an alert is open
WAIT_S = 3.0  # of a page for a look; then it shows the one before


class HealthWatch:
    """Of one Instance. `_looking` lets one thread look at a time; `_look` and `_alerts` are each set in one step."""

    def __init__(self, root: str, store: Callable[[], Store], plugins: "Callable[[], Plugins]") -> None:
        self.days = DayFigures(root)
        self._root, self._store, self._plugins = root, store, plugins
        self._looking = threading.Lock()
        self._look: tuple[float, Look] | None = None  # monotonic seconds
        self._begun: asyncio.Future[Look] | None = None  # of the event loop: pages share it, and take one thread
        self._refreshing: asyncio.Future[Look | None] | None = None
        self._alerts: tuple[float, tuple[Alert, ...]] = (float("-inf"), ())

    def look(self, fresh_s: float = FRESH_S) -> Look:
        """A look that is no older than `fresh_s`; not for the event loop. EyeletError where there is no root to look
        at."""
        with self._looking:
            held = self._look
            if held is not None and time.monotonic() - held[0] < fresh_s:
                return held[1]
            found = looking.quick(self._store(), self._plugins())
            self._look = (time.monotonic(), found)
            return found

    @property
    def last(self) -> Look | None:
        """The last look there was, however old."""
        return self._look[1] if self._look is not None else None

    @property
    def is_old(self) -> bool:
        """Whether something was done since the last look, or it was long ago."""
        return self._look is None or time.monotonic() - self._look[0] > FRESH_S + WAIT_S

    async def shown(self) -> Look | None:
        """A look for a page, which waits WAIT_S for it and then takes the last one; None where there is none yet."""
        begun = self._begun
        if begun is None or begun.done():
            begun = self._begun = asyncio.ensure_future(asyncio.to_thread(self.look))
            begun.add_done_callback(lambda task: task.cancelled() or task.exception())  # nobody may be left who asks
        done, _ = await asyncio.wait([begun], timeout=WAIT_S)
        return begun.result() if done else self.last

    def refresh(self) -> None:
        """Have a look taken that nobody waits for; on the event loop."""
        self._refreshing = asyncio.ensure_future(self.shown())
        self._refreshing.add_done_callback(lambda task: task.cancelled() or task.exception())

    def evaluate(self) -> None:
        """A look of a round: kept for trends, and alerts told of. Not for the event loop."""
        with contextlib.suppress(EyeletError):  # a root that cannot be used: every page says so
            found = self.look(0)
            store, plugins = self._store(), self._plugins()
            patient = looking.patient_of(store, seconds=COSTLY_S)
            more = looking.again(patient, plugins)
            looking.kept(patient, (*found.findings, *more), found.score, "server", plugins)
            self.days.of(reversed(store.catalog.partitions()), FIGURES_MS)
        self.forget()

    def forget(self) -> None:
        """What is remembered is no longer so: something was put right, or acknowledged. The last look stays to be shown
        where a page cannot wait for the next."""
        if self._look is not None:
            self._look = (float("-inf"), self._look[1])
        self._alerts = (float("-inf"), ())

    async def alerts(self) -> tuple[Alert, ...]:
        """The open alerts, as far as they can be read; not older than ALERTS_S."""
        at, found = self._alerts
        if time.monotonic() - at >= ALERTS_S:
            self._alerts = (time.monotonic(), found)  # others need not ask meanwhile
            found = await asyncio.to_thread(self._current)
            self._alerts = (time.monotonic(), found)
        return found

    def _current(self) -> tuple[Alert, ...]:
        try:
            return tuple(alerts.current(self._root))
        except EyeletError:
            return ()
