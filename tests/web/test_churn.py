"""Days are removed, replaced, broken, cut short, made and added to while 50 clients read them.

Every row carries its day's slot and generation. A request that begins after a change was complete never shows a row
from before it; where nothing changed meanwhile, it shows exactly what is there. Nothing is ever a 500.
"""

import contextlib
import json
import os
import random
import re
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from http.client import HTTPException
from pathlib import Path
from time import monotonic_ns
from typing import Any

import pytest
from datasette.app import Datasette

from eyelet_ingest.events import Event
from eyelet_ingest.store import connect, layout
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.store import Store

SOAK = bool(os.environ.get("EYELET_SOAK"))
CLIENTS = 50
CHANGES = 4_000 if SOAK else 90
ANSWERS_A_CHANGE = 12  # so that most requests meet days that hold still, and all meet some that do not
SLOTS = 12
CONTEXTS = ("default", "work")
NOON_US = layout.DAY_US // 2
MARK = re.compile(r"slot(\d{3})gen(\d{5})")
QUERY = "/-/query.json" if hasattr(Datasette, "allowed") else ".json"
BROKEN = ("malformed", "not a database", "disk I/O error", "unable to open")
RANGE = "from=2026-03-01&to=2026-03-31&_size=1000"

RunDatasette = Callable[..., Any]


@dataclass(frozen=True)
class State:
    """What a slot's day holds: `generations` of rows, none where it is gone; no row older than `floor` may be shown.

    Where it is `settled`, that is exactly what is shown; where it is `broken`, anything may be missing.
    """

    generations: tuple[int, ...] = ()
    floor: int = 0
    settled: bool = True
    broken: bool = False


@dataclass
class Slot:
    """One day that changes. `state` is replaced whole: as a change begins, and again when it is complete."""

    number: int
    key: PartitionKey
    state: State = field(default_factory=State)

    @property
    def noon_us(self) -> int:
        return self.key.bounds_us[0] + NOON_US

    def events(self, generation: int) -> list[Event]:
        """The first row of every generation has the same id, so that a stale row page would be found."""
        mark = f"slot{self.number:03d}gen{generation:05d}"
        return [
            Event(
                time_us=self.noon_us + at * (generation + 1), uid=os.urandom(16), hook_type="PreToolUse",
                tool_name="Bash", session_id=mark, src=f"churn.{mark}", data=f'{{"command":"{mark}"}}',
            )
            for at in range(3 + generation % 5)
        ]  # fmt: skip


def extra_table(generation: int) -> str:
    """An extension table of somebody's: a replaced day may differ in its tables too."""
    return f"notes_{generation % 3}"


class Changes:
    """The one thread that changes days, as an operator, a restore and a failing disk would."""

    def __init__(self, root: str, spare: Path, slots: list[Slot], chance: random.Random) -> None:
        self.root, self.spare, self.slots, self.chance = root, str(spare), slots, chance
        self.generation = 0
        self.made: dict[str, int] = {}
        for slot in slots:
            self.create(slot)

    def one(self) -> None:
        slot = self.chance.choice(self.slots)
        if not slot.state.generations:
            kinds = [self.create]
        elif slot.state.broken:
            kinds = [self.remove, self.swap]
        else:
            kinds = [self.remove, self.swap, self.swap, self.append, self.overwrite, self.cut]
        chosen = self.chance.choice(kinds)
        chosen(slot)
        self.made[chosen.__name__] = self.made.get(chosen.__name__, 0) + 1

    def create(self, slot: Slot) -> None:
        generation = self._begin(slot)
        self._store(slot, generation)
        slot.state = State((generation,), generation)

    def append(self, slot: Slot) -> None:
        before = slot.state
        generation = self._begin(slot)
        self._store(slot, generation)
        slot.state = replace(before, generations=(*before.generations, generation))

    def remove(self, slot: Slot) -> None:
        """The database first, its side files next, the lock last."""
        generation = self._begin(slot)
        folder = Path(layout.partition_dir(self.root, slot.key))
        with self._alone(slot):
            while folder.exists():  # a reader that was about to open it makes the side files anew
                for name in ("logs.sqlite", "logs.sqlite-wal", "logs.sqlite-shm", "logs.lock"):
                    (folder / name).unlink(missing_ok=True)
                with contextlib.suppress(OSError):
                    folder.rmdir()
        slot.state = State((), generation)

    def swap(self, slot: Slot) -> None:
        """Another file takes the day's place, as a restore does it: complete, beside it, then renamed over it."""
        generation = self._begin(slot)
        fresh = self._made_elsewhere(slot, generation)
        path = layout.db_path(self.root, slot.key)
        with self._alone(slot):
            shutil.copyfile(fresh, path + ".new")
            for side in ("-wal", "-shm"):
                Path(path + side).unlink(missing_ok=True)
            os.rename(path + ".new", path)
        slot.state = State((generation,), generation)

    def overwrite(self, slot: Slot) -> None:
        """Bytes of the file itself are lost: its header, or pages in its middle."""
        self._begin(slot)
        path = layout.db_path(self.root, slot.key)
        size = os.path.getsize(path)
        at = self.chance.choice([0, 0, 100, size // 2, max(size - 5_000, 0)])
        with open(path, "r+b") as file:
            file.seek(at)
            file.write(self.chance.randbytes(5_000))
        slot.state = replace(slot.state, settled=True, broken=True)

    def cut(self, slot: Slot) -> None:
        self._begin(slot)
        path = layout.db_path(self.root, slot.key)
        os.truncate(path, self.chance.choice([0, 50, 4_096, os.path.getsize(path) // 2]))
        slot.state = replace(slot.state, settled=True, broken=True)

    def _begin(self, slot: Slot) -> int:
        self.generation += 1
        slot.state = replace(slot.state, settled=False)
        return self.generation

    def _store(self, slot: Slot, generation: int) -> None:
        with Store(self.root) as store:
            made = slot.events(generation)
            done = store.append(made, slot.key.context)
            assert done.stored == len(made), done

    def _alone(self, slot: Slot) -> connect.FileLock:
        return connect.FileLock(layout.lock_path(self.root, slot.key), monotonic_ns() + 10_000_000_000)

    def _made_elsewhere(self, slot: Slot, generation: int) -> str:
        elsewhere = os.path.join(self.spare, str(generation))
        with Store(elsewhere) as store:
            store.append(slot.events(generation), slot.key.context)
        path = layout.db_path(elsewhere, slot.key)
        conn = connect.open_writer(path)
        conn.execute(f"create table {extra_table(generation)} (text)")
        conn.execute("pragma wal_checkpoint(truncate)")
        conn.close()
        return path


class Readers:
    """CLIENTS threads that ask until told to stop; `wrong` is what they saw that may not be."""

    def __init__(self, server: Any, slots: list[Slot]) -> None:
        self.server, self.slots = server, slots
        self.answers = self.exact = 0
        self.statuses: set[int] = set()
        self.wrong: list[str] = []
        self._counting = threading.Condition()  # guards all of the above
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._read, args=(number,)) for number in range(CLIENTS)]

    def __enter__(self) -> "Readers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, more: int) -> bool:
        """Until that many more requests were answered; False where one was answered wrongly."""
        with self._counting:
            enough = self.answers + more
            self._counting.wait_for(lambda: self.answers >= enough or bool(self.wrong))
            return not self.wrong

    def _read(self, number: int) -> None:
        chance = random.Random(number)
        client = self.server.client()
        while not self._ended.is_set():
            before = [slot.state for slot in self.slots]
            slot = chance.choice(self.slots)
            path, law = chance.choice(LAWS)
            asked = path.format(day=slot.key.mount_name, id=slot.noon_us, context=slot.key.context)
            try:
                status, text = client.get(asked)
            except (OSError, HTTPException) as error:
                with self._counting:
                    self.wrong.append(f"{asked}: {error!r}")
                    self._counting.notify_all()
                return
            still = [old if old is slot.state else None for old, slot in zip(before, self.slots, strict=True)]
            problem = stale(before, text) or law(slot, before[slot.number], still, status, text)
            with self._counting:
                self.answers += 1
                self.statuses.add(status)
                self.exact += still[slot.number] is not None
                if problem:
                    self.wrong.append(f"{asked}: {status}, {problem}; {before[slot.number]}; {gist(text)}")
                self._counting.notify_all()


def marks_in(text: str) -> set[tuple[int, int]]:
    """The (slot, generation) pairs of the rows that a body shows."""
    return {(int(slot), int(generation)) for slot, generation in MARK.findall(text)}


def gist(text: str) -> str:
    """What a page says, without its mark-up and scripts."""
    shown = re.sub(r"<(script|style|svg).*?</\1>|<[^>]*>", " ", text, flags=re.DOTALL)
    return " ".join(shown.split())[:400]


def stale(before: list[State], text: str) -> str:
    old = [mark for mark in marks_in(text) if mark[1] < before[mark[0]].floor]
    return f"stale rows {old}" if old else ""


Still = list["State | None"]


def of_a_day(slot: Slot, before: State, still: Still, status: int, text: str) -> str:
    """A page of one day: what is there exactly, where it held still and is whole."""
    now = still[slot.number]
    if now is None or not now.settled or now.broken:
        return "" if status in (200, 404, 503) else "neither shown nor a clear page"
    if not now.generations:
        return "" if status == 404 else "the day is gone"
    return "" if status == 200 else "the day is there"


def of_a_download(slot: Slot, before: State, still: Still, status: int, text: str) -> str:
    return "" if status == 429 else of_a_day(slot, before, still, status, text)  # 429: others download at the moment


def of_its_rows(slot: Slot, before: State, still: Still, status: int, text: str) -> str:
    problem = of_a_day(slot, before, still, status, text)
    now = still[slot.number]
    if problem or now is None or not now.settled or now.broken:
        return problem
    shown = {generation for _, generation in marks_in(text)}
    return "" if shown == set(now.generations) else f"shows {shown}, holds {now.generations}"


def of_a_query(slot: Slot, before: State, still: Still, status: int, text: str) -> str:
    """Datasette answers SQL that cannot be run with 400 and what SQLite says of it."""
    now = still[slot.number]
    if status == 400 and any(reason in text for reason in BROKEN) and (now is None or not now.settled or now.broken):
        return ""
    return of_its_rows(slot, before, still, status, text)


def of_its_first_row(slot: Slot, before: State, still: Still, status: int, text: str) -> str:
    problem = of_a_day(slot, before, still, status, text)
    now = still[slot.number]
    if problem or now is None or not now.settled or now.broken or not now.generations:
        return problem
    shown = {generation for _, generation in marks_in(text)}
    return "" if shown == {now.generations[0]} else f"shows {shown}, is {now.generations[0]}"


def of_its_event(slot: Slot, before: State, still: Still, status: int, text: str) -> str:
    """The page names the events before and after it too, of its day and of others; `stale` looks at all of them."""
    problem = of_a_day(slot, before, still, status, text)
    now = still[slot.number]
    if problem or now is None or not now.settled or now.broken or not now.generations:
        return problem
    shown = {generation for number, generation in marks_in(text) if number == slot.number}
    return "" if now.generations[0] in shown <= set(now.generations) else f"shows {shown}, is {now.generations[0]}"


def of_its_tables(slot: Slot, before: State, still: Still, status: int, text: str) -> str:
    problem = of_a_day(slot, before, still, status, text)
    now = still[slot.number]
    if problem or now is None or not now.settled or now.broken or not now.generations:
        return problem
    tables = {table["name"]: table["count"] for table in json.loads(text)["tables"]}
    if "hooks" not in tables:
        return f"lists {sorted(tables)}"
    rows = sum(len(slot.events(generation)) for generation in now.generations)
    if tables["hooks"] not in (rows, None):  # None: Datasette gives counting a few ms
        return f"counts {tables['hooks']} rows of {rows}"
    extra = {name for name in tables if name.startswith("notes_")}
    return "" if extra <= {extra_table(now.generations[0])} else f"lists {extra}, a table of another generation"


def of_the_server(slot: Slot, before: State, still: Still, status: int, text: str) -> str:
    return "" if status == 200 else "not answered"


def of_all_days(slot: Slot, before: State, still: Still, status: int, text: str) -> str:
    """A search over all days shows every row of those that held still and are whole."""
    if status != 200:
        return "not answered"
    whole = [(at, state) for at, state in enumerate(still) if state and state.settled and not state.broken]
    holds = {(at, generation) for at, state in whole for generation in state.generations}
    missing = holds - marks_in(text)
    return f"misses {missing}" if missing else ""


LAWS: list[tuple[str, Callable[[Slot, State, Still, int, str], str]]] = [
    ("/", of_the_server),
    ("/.json", of_the_server),
    ("/-/databases.json", of_the_server),
    ("/-/eyelet", of_the_server),
    ("/-/eyelet/days", of_the_server),
    (f"/-/eyelet?{RANGE}", of_all_days),
    (f"/-/eyelet.json?{RANGE}", of_all_days),
    ("/-/eyelet/event/{context}/{id}", of_its_event),
    ("/-/eyelet/event/{context}/{id}.json", of_its_first_row),
    ("/{day}", of_a_day),
    ("/{day}.json", of_its_tables),
    ("/{day}.db", of_a_download),
    ("/{day}/hooks", of_its_rows),
    ("/{day}/hooks?_facet=tool_name&_sort_desc=id", of_its_rows),
    ("/{day}/hooks.json", of_its_rows),
    ("/{day}/hooks.csv?_stream=on&_extra=primary_keys", of_its_rows),
    ("/{day}/hooks/{id}", of_its_first_row),
    ("/{day}/hooks/{id}.json", of_its_first_row),
    ("/{day}" + QUERY + "?sql=select+src+from+hooks", of_a_query),
]


@pytest.mark.parametrize("seed", range(3 if SOAK else 1))
def test_days_that_change_under_fifty_readers_are_never_a_500_nor_stale(
    run_datasette: RunDatasette, root: str, tmp_path: Path, seed: int
) -> None:
    first = PartitionKey("default", 2026, 60)
    slots = [
        Slot(number, layout.key_for(CONTEXTS[number % 2], first.bounds_us[0] + number * layout.DAY_US))
        for number in range(SLOTS)
    ]
    changes = Changes(root, tmp_path / "spare", slots, random.Random(seed))
    server = run_datasette()
    with Readers(server, slots) as readers:
        for _ in range(CHANGES):
            changes.one()
            if not readers.wait_for(ANSWERS_A_CHANGE):
                break
    assert server.process.poll() is None, f"the server died: {server.said[-3_000:]}"
    assert not readers.wrong, "\n".join([*readers.wrong[:3], tracebacks(server.said)])
    assert set(changes.made) == {"create", "append", "remove", "swap", "overwrite", "cut"}
    assert readers.exact > readers.answers // 4, "hardly a day held still: nothing was proved"
    assert {200, 404, 503} <= readers.statuses <= {200, 400, 404, 429, 503}


def tracebacks(said: str) -> str:
    """What the server said of errors, without its log of requests."""
    return "\n".join([line for line in said.splitlines() if not line.startswith("INFO:")][-60:])


async def test_a_day_that_was_replaced_lists_its_own_tables(site: Any, root: str, tmp_path: Path) -> None:
    """Even where both files took as many steps of schema, so that SQLite numbers them alike."""
    slot = Slot(0, PartitionKey("default", 2026, 60))
    changes = Changes(root, tmp_path / "spare", [slot], random.Random(0))
    for _ in range(3):
        changes.swap(slot)
        extra = extra_table(slot.state.floor)
        listed = (await site.json(f"/{slot.key.mount_name}.json"))["tables"]
        assert {table["name"] for table in listed if table["name"].startswith("notes_")} == {extra}
        assert (await site.get(f"/{slot.key.mount_name}/{extra}.json")).status_code == 200
