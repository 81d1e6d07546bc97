"""The built extension, or why it is not here. `EYELET_TEST_EXTENSION` names another build, which counts branches."""

import ctypes
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eyelet_ingest.extension import build
from eyelet_ingest.store import connect
from tests.extension import days


def compiled(folder: Path, name: str, *flags: str) -> str:
    """Another build of the extension, in a folder of the test; skipped where it cannot be compiled. SQLite takes the
    name of its entry point from the file's."""
    path = folder / name
    folder.mkdir(exist_ok=True)
    try:
        build.compile_to(str(path), flags)
    except build.NotBuilt as why:
        skip_or_fail(str(why))
    path.chmod(0o755)
    return str(path)


def skip_or_fail(reason: str) -> None:
    """Skips with the reason; where the extension is required, as on the machine that proves everything, fails."""
    if os.environ.get("EYELET_REQUIRE_EXTENSION"):
        pytest.fail(reason)
    pytest.skip(reason)


def end_child(status: int) -> None:
    """The end of a process that a test forked: without Python's, whose files are the parent's. Where branches are
    counted, its own are written down."""
    if os.environ.get("EYELET_TEST_EXTENSION"):
        ctypes.CDLL(None).exit(status)
    os._exit(status)


@pytest.fixture(scope="session")
def extension() -> str:
    """The path of the extension, built of the sources as they are."""
    if given := os.environ.get("EYELET_TEST_EXTENSION"):
        return given
    try:
        return os.path.join(build.FOLDER, build.NAME) if build.is_current() else build.build()
    except build.NotBuilt as why:
        skip_or_fail(str(why))
        raise AssertionError from why


@pytest.fixture(scope="session")
def loadable(extension: str) -> str:
    """The same, where this Python can load it."""
    conn = connect.driver().connect(":memory:")
    reason = connect.load_extension(conn, extension)
    conn.close()
    if reason:
        skip_or_fail(reason)
    return extension


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[days.Days]:
    """A root of several contexts and days, and the same rows in one ordinary table."""
    with days.Days(str(tmp_path_factory.mktemp("root") / "root")) as both:
        both.fill()
        yield both


@pytest.fixture
def both(made: days.Days, loadable: str) -> Iterator[tuple[Any, Any]]:
    """Two connections that have a table `hooks`: the virtual one, and the ordinary one."""
    virtual = made.virtual(loadable)
    yield virtual, made.plain
    virtual.close()
