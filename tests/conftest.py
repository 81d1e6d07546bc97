"""What several rooms' tests share: a root of one's own, events made by hand, the real recordings, the browser."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eyelet_ingest.events import Event
from eyelet_ingest.store.store import Store

REPOSITORY = Path(__file__).resolve().parent.parent
STORE_ROOMS = ("store", "extension", "sources", "ingest", "cli", "health")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        room = Path(item.path).relative_to(REPOSITORY / "tests").parts[0]
        if room in STORE_ROOMS:
            item.add_marker(pytest.mark.store)


@pytest.fixture(autouse=True)
def private_surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees or touches the user's own history, settings or temporary folders."""
    home = tmp_path / "home"
    home.mkdir()
    for name in [name for name in os.environ if name.startswith(("EYELET", "CLAUDE"))]:
        if name not in (
            "EYELET_REQUIRE_BROWSER",
            "EYELET_REQUIRE_EXTENSION",
            "EYELET_TEST_EXTENSION",
            "EYELET_REAL",
            "EYELET_SOAK",
        ):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)


@pytest.fixture
def root(tmp_path: Path) -> str:
    return str(tmp_path / "root")


@pytest.fixture
def store(root: str) -> Iterator[Store]:
    with Store(root) as opened:
        yield opened


@pytest.fixture
def make_event() -> Callable[..., Event]:
    """An event with a uid of its own; keywords as for Event."""

    def make(time_us: int, **fields: object) -> Event:
        fields.setdefault("hook_type", "PreToolUse")
        fields.setdefault("uid", os.urandom(16))
        return Event(time_us=time_us, **fields)  # type: ignore[arg-type]

    return make


@pytest.fixture
def python_light() -> list[str]:
    """The command of an interpreter as the hook's hot path is run."""
    return [sys.executable, "-I", "-S"]


@pytest.fixture
def real() -> Path:
    """The folder of real recordings, where it is there."""
    folder = Path(os.environ.get("EYELET_REAL", REPOSITORY.parent / "shared" / "real"))
    if not folder.is_dir():
        pytest.skip("no real recordings here (EYELET_REAL names their folder)")
    return folder
