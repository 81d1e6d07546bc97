"""What one Datasette instance holds for us: the one Store, the days it has mounted, when its spool was last drained.

It hangs on the instance, so that two Datasettes in one process share nothing.
"""

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from datasette_eyelet import mounts, queries, settings
from datasette_eyelet.bench_process import BenchProcess
from datasette_eyelet.handed_over import HandedOver
from datasette_eyelet.health_watch import HealthWatch
from datasette_eyelet.stories import Stories
from datasette_eyelet.writing import Writing
from eyelet_ingest import metering, surroundings
from eyelet_ingest.errors import BadInput, EyeletError
from eyelet_ingest.grouped import Grouped
from eyelet_ingest.health import checkpointing, otel
from eyelet_ingest.redaction import Redactor
from eyelet_ingest.store import alongside
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.store import Store
from eyelet_ingest.surroundings import Surroundings, key_of

if TYPE_CHECKING:
    from datasette_eyelet.live import Live
    from eyelet_ingest.plugins import Plugins
    from eyelet_ingest.store.metrics import Checkpointing

DEFAULT_ROOT = "~/.eyelet"
DRAIN_INTERVAL_S = 30.0
MAINTENANCE_MS = 200  # of finished days, in each round
RETENTION_MS = 200  # of days that are retired, likewise
TEXT_MS = 300  # of text that is indexed, in each round of its own
CHECKPOINT_MS = 200  # of WALs that are due, likewise
RELEASE_WAIT_S = 5.0  # for requests that read a day at the moment it is to be removed
APART_THREADS = 10  # as many as may change or copy days at once: api.door.ROOM["POST"], download.COPIES

T = TypeVar("T")


class Instance:
    """The Store of one root. `trouble` is why the spool could not be drained, empty where it could.

    `_opening` guards `_store`. `_draining` guards `_drained_at_s`, `_maintenance` and `trouble`: whoever comes
    while another drains does without.
    """

    def __init__(self, datasette: Any) -> None:
        self.settings = settings.read(datasette)
        self.root = _root(self.settings)
        self.days = mounts.Days(datasette, self.root, self.settings, queries.add_to, queries.remove_from)
        self._store: Store | None = None
        self._opening = threading.Lock()
        self.writing = Writing()
        self.overlays: dict[Any, Any] = {}
        self.bench = BenchProcess()
        self.stories = Stories()
        self._grouped: Grouped | None = None  # guarded by _opening
        self._plugins: Plugins | None = None  # guarded by _opening
        self._handed_over: HandedOver | None = None  # of the event loop
        self._live: Live | None = None  # of the event loop
        self._apart = ThreadPoolExecutor(APART_THREADS, thread_name_prefix="eyelet")
        self.health = HealthWatch(self.root, lambda: self.store, self.plugins)
        self.alive: asyncio.Future[bool] | None = None  # of the event loop: the look whether the root answers
        self.trouble = ""
        self._meter: metering.Meter | None = None  # of the rounds
        self._sender: otel.Sender | None = None  # likewise
        self._draining = threading.Lock()
        self._drained_at_s: float | None = None
        self._maintenance: threading.Thread | None = None

    @property
    def store(self) -> Store:
        """Opened by the first who asks: a refusal opens nothing. RootError where the root cannot be one."""
        with self._opening:
            if self._store is None:
                self._store = Store(self.root, also=alongside.roots_of(self.root))
            return self._store

    def key(self) -> bytes:
        """The root's key for markers; none where it cannot be read."""
        return key_of(self.root)

    def redactor(self) -> Redactor:
        """That of the root, with what the global settings add. It looks at files: not for the event loop."""
        return Surroundings(os.sep).redactor_with(self.key)

    @property
    def grouped(self) -> Grouped:
        """Who stores the events of many requests together; made by the first. RootError as for `store`."""
        store = self.store
        with self._opening:
            if self._grouped is None:
                self._grouped = Grouped(store, self.drain_when_due)
            return self._grouped

    def handed_over(self) -> HandedOver:
        """The threads of the running event loop for what requests hand over; made by the first."""
        found = self._handed_over
        if found is None or found.loop is not asyncio.get_running_loop():
            if found is not None:
                found.close()
            found = self._handed_over = HandedOver()
        return found

    def live(self, make: "Callable[[], Live]") -> "Live":
        """The watcher of the running event loop for pages that follow what arrives; made by the first of them."""
        found = self._live
        if found is None or found.loop is not asyncio.get_running_loop():
            if found is not None:
                found.close()
            found = self._live = make()
        return found

    def plugins(self) -> "Plugins":
        """Eyelet's own plugins, loaded by the first event that is recorded here. Not for the event loop."""
        with self._opening:
            if self._plugins is None:
                from eyelet_ingest.plugins import Plugins

                self._plugins = Plugins.load()
            return self._plugins

    def store_for(self, visible: frozenset[str] | None) -> Store:
        """The Store as far as these contexts go: what `permissions.contexts_for` answered."""
        return self.store.limited_to(visible)

    async def apart(self, work: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """`work(…)` in a thread of its own kind: for what may wait long for the lock of a day, or write much. The few
        threads that asyncio and Datasette have stay free for everybody else's pages."""
        whole = partial(copy_context().run, work, *arguments, **named)
        return await asyncio.get_running_loop().run_in_executor(self._apart, whole)

    def close(self) -> None:
        self.bench.close()
        if self._live is not None:
            self._live.close()
        if self._handed_over is not None:
            self._handed_over.close()
        if self._grouped is not None:
            self._grouped.close()
        if self._plugins is not None:
            self._plugins.close()
        self._apart.shutdown(wait=False)
        self.days.close()
        if self._maintenance is not None:
            self._maintenance.join()  # its time is short
        self.writing.close()
        if self._sender is not None:
            self._sender.close()
        if self._meter is not None:  # its rounds have ended
            self._meter.keep()
        with self._opening:
            if self._store is not None:
                self._store.close()
                self._store = None

    def drain_when_due(self) -> None:
        """Takes in what captures spooled, at most once in DRAIN_INTERVAL_S, and lets finished days be maintained for a
        moment, which nobody waits for. Not for the event loop."""
        if not self._draining.acquire(blocking=False):
            return
        try:
            now_s = time.monotonic()
            if self._drained_at_s is not None and now_s - self._drained_at_s < DRAIN_INTERVAL_S:
                return
            if self._drained_at_s is not None:  # at the start there is enough to do
                self._maintain()
            self._drained_at_s = now_s
            drained = self.store.drain_spool()
            self.trouble = f"{drained.left} waiting: {'; '.join(drained.reasons)}" if drained.left else ""
        except EyeletError as error:
            self.trouble = str(error)
        finally:
            self._draining.release()

    def round(self) -> None:
        """What a server does by itself (`background`): drain, maintain, and retire what retention says, each for a
        moment. Not for the event loop."""
        self.drain_when_due()
        try:
            self.store.retain(deadline_ms=RETENTION_MS, before_removal=self._release)
        except EyeletError as error:  # a retention.json that says no rules: nothing is retired
            self.trouble = self.trouble or str(error)
        self._look_after()

    def _look_after(self) -> None:
        """A moment for WALs, and for what was measured."""
        done: list[Checkpointing] = []
        try:
            store = self.store
            done = checkpointing.run(store, CHECKPOINT_MS, self.plugins)
        except BadInput as error:  # a strategy that is not there
            self.trouble = self.trouble or str(error)
        except EyeletError as error:  # a root that is none
            self.trouble = self.trouble or str(error)
            return
        if self._meter is None:
            self._meter = metering.Meter(store, surroundings.home(), "server")
        self._meter.keep(metering.gauges(store, process=True), done)
        if otel.is_wanted():
            if self._sender is None:
                self._sender = otel.Sender(self.root, self._meter.say)
            self._sender.start()

    def index_text(self) -> None:
        """A moment for the text indexes of the days that were written to. Not for the event loop."""
        with contextlib.suppress(EyeletError):  # what is wrong with the root, every question says
            self.store.index_text(TEXT_MS, before=self.let_go)

    def let_go(self, key: PartitionKey) -> None:
        """Close what is open on a day and not used at this moment; from any thread. Whoever needs it opens it again."""
        self.days.release(key)
        self.store.release(key)

    def _release(self, key: PartitionKey) -> None:
        self.days.release(key, RELEASE_WAIT_S)

    def _maintain(self) -> None:
        """Under `_draining`: a round of maintenance, unless the last one is still running."""
        if self._maintenance is None or not self._maintenance.is_alive():
            self._maintenance = threading.Thread(target=self._maintain_now, name="eyelet-maintenance")
            self._maintenance.start()

    def _maintain_now(self) -> None:
        with contextlib.suppress(EyeletError):  # what is wrong with the root, every question says
            self.store.maintain(MAINTENANCE_MS)


def of(datasette: Any) -> Instance:
    """The Instance of this Datasette, made on first use. Called on the event loop only, so never made twice."""
    found: Instance | None = getattr(datasette, "_eyelet", None)
    if found is None:
        found = datasette._eyelet = Instance(datasette)
    return found


def _root(given: dict[str, Any]) -> str:
    """The plugin's setting `root`, else EYELET_ROOT, else that of the settings, else ~/.eyelet; an absolute path."""
    root = given.get("root") or next(iter(Surroundings(os.sep).global_roots()), DEFAULT_ROOT)
    return os.path.abspath(os.path.expanduser(root))


async def start(datasette: Any) -> None:
    """Reads the settings, and takes in what was spooled while no server ran.

    A root that cannot be used does not stop the server: our pages say what is wrong with it.
    """
    held = of(datasette)
    mounts.serve_days(datasette, held.days)
    await asyncio.to_thread(held.drain_when_due)


def stop(datasette: Any) -> None:
    """Closes the Store, where it was opened; stopping twice is stopping once."""
    found: Instance | None = getattr(datasette, "_eyelet", None)
    if found is not None:
        found.close()


def stopping_at_the_end(datasette: Any) -> Callable[[Any], Any]:
    """ASGI: Datasette 0.65 tells plugins that it starts, and not that it ends."""

    def wrap(app: Any) -> Any:
        async def wrapped(scope: Any, receive: Any, send: Any) -> None:
            await app(scope, receive, send)
            if scope["type"] == "lifespan":
                stop(datasette)

        return wrapped

    return wrap
