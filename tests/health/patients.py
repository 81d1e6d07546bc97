"""A root with days, made the way the recorder makes it, and the patient that checks look at."""

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eyelet_ingest import settings
from eyelet_ingest.events import Event
from eyelet_ingest.health import doctor
from eyelet_ingest.health.finding import Finding, Patient
from eyelet_ingest.settings import Value
from eyelet_ingest.store import connect, layout
from eyelet_ingest.store.layout import DAY_US, PartitionKey
from eyelet_ingest.store.store import Store

FIXED = pytest.mark.skipif(
    not connect.may_checkpoint(connect.driver().sqlite_version), reason="this SQLite is one that is warned of"
)
NOW_US = PartitionKey("default", 2026, 100).bounds_us[0] + DAY_US // 2


def day(number: int, context: str = "default") -> PartitionKey:
    """The day so many days before the one in which the patient is looked at."""
    return PartitionKey(context, 2026, 100 - number)


def path_of(store: Store, key: PartitionKey) -> Path:
    return Path(layout.db_path(store.root, key))


def filled(store: Store, keys: Iterable[PartitionKey], events: int = 20, chars: int = 100) -> None:
    """Days of so many events each, whose payloads are so long."""
    for key in keys:
        text = '{"text": "' + "x" * chars + '"}'
        some = [
            Event(time_us=key.bounds_us[0] + n, uid=os.urandom(16), hook_type="Stop", src="claude.stop", data=text)
            for n in range(events)
        ]
        store.append(some, key.context)


def patient(store: Store, home: Path | None = None, **limits: int) -> Patient:
    """The store as checks see it; `limits` are settings `health.NAME`."""
    held = settings.of_files("", "")
    values = held.values | {f"health.{name}": Value(value, "test") for name, value in limits.items()}
    place = home or Path(store.root).parent / "home-of-eyelet"
    place.mkdir(mode=0o700, exist_ok=True)
    return Patient(store, str(place), replace(held, values=values), NOW_US)


def said(whose: Patient, *names: str, **more: Any) -> list[Finding]:
    """What these checks say, of all where none is named."""
    return doctor.examine(whose, names or None, **more)


def bad(whose: Patient, *names: str, **more: Any) -> list[Finding]:
    """What of it is not well."""
    return [one for one in said(whose, *names, **more) if one.status != "ok"]


def repaired(whose: Patient, *names: str) -> list[str]:
    return [what for _, what in doctor.repair(whose, said(whose, *names), "user:test")]


def execute(path: "str | Path", *statements: str) -> None:
    """As another program does it, behind our back."""
    conn = connect.open_writer(str(path))
    try:
        for statement in statements:
            conn.execute(statement)
    finally:
        conn.close()


def reading(path: "str | Path") -> Any:
    """A reader in the middle of its transaction, which needs what it sees."""
    conn = connect.open_reader(str(path))
    conn.execute("begin")
    conn.execute("select count(*) from hooks").fetchone()
    return conn


def aged(path: "str | Path", seconds: float) -> None:
    """Have a file not been written for so long, as the patient's clock has it."""
    at = NOW_US / 1e6 - seconds
    os.utime(path, (at, at))


def waited(until: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Whether it came to be so in time."""
    end = time.monotonic() + seconds
    while not until():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True
