"""What others made to be imported, synced or restored does no harm: it is refused by name, and the rest is kept."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from eyelet_ingest.errors import BadInput
from eyelet_ingest.events import Event
from eyelet_ingest.store import connect, layout, lines, sync, transfer, writer
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
from eyelet_ingest.store.sync import Synced
from tests.store.test_transfer import taken

START_US = 1_773_792_000_000_000  # 2026-03-18T00:00:00Z
DAY = layout.key_for("shop", START_US)
MakeEvent = Callable[..., Event]


@pytest.fixture
def filled(store: Store, make_event: MakeEvent) -> Store:
    store.append([make_event(START_US + n, data=f'{{"n": {n}}}') for n in range(20)], "shop")
    return store


def exported(store: Store) -> list[bytes]:
    return list(store.export_lines(Filter()))


def changed(line: bytes, **how: object) -> bytes:
    return json.dumps({**json.loads(line), **how}).encode() + b"\n"


@pytest.mark.parametrize("name", ["data", "src", "uid", "meta"])
def test_a_line_with_half_a_character_is_refused_alone(filled: Store, tmp_path: Path, name: str) -> None:
    content = exported(filled)
    content[7] = changed(content[7], **{name: {"text": "\ud800"} if name == "uid" else '"\ud800"'})
    done = taken(str(tmp_path / "b"), b"".join(content))
    assert [(one.line, one.reason) for one in done.troubles] == [(8, f"its {name} holds half of a character")]
    assert done.stored == 19


def test_a_uid_that_is_no_number_at_all_is_refused(filled: Store, tmp_path: Path) -> None:
    content = exported(filled)
    content[7] = changed(content[7], uid={"real": "nan"})
    assert [one.line for one in taken(str(tmp_path / "b"), b"".join(content)).troubles] == [8]


@pytest.mark.parametrize("given", ["Another Shop", "\ud800", "a\0b"])
def test_a_context_is_not_given_the_name_of_another(filled: Store, tmp_path: Path, given: str) -> None:
    content = [
        filled_line if at in (0, 21) else changed(filled_line, given=given)
        for at, filled_line in enumerate(exported(filled))
    ]
    assert taken(str(tmp_path / "b"), b"".join(content)).stored == 20
    with transfer.reading(layout.db_path(str(tmp_path / "b"), DAY)) as conn:
        assert transfer.given_name(conn, DAY) == "shop"


def test_lines_that_were_lost_from_the_middle_are_missed(filled: Store, tmp_path: Path) -> None:
    content = exported(filled)
    done = taken(str(tmp_path / "b"), b"".join(content[:5] + content[9:]))
    assert done.stored == 16 and "it holds 16, and was made with 20" in done.troubles[0].reason
    assert taken(str(tmp_path / "c"), b"".join(content * 2)).troubles == []


@pytest.mark.parametrize("arrived", [writer.ARRIVED_END - 1, writer.ARRIVED_END, 2**63 - 1])
def test_a_made_up_arrival_hinders_neither_recording_nor_sync(
    filled: Store, tmp_path: Path, make_event: MakeEvent, arrived: int
) -> None:
    target, third = str(tmp_path / "b"), str(tmp_path / "c")
    content = exported(filled)
    content[7] = changed(content[7], arrived=arrived)
    assert taken(target, b"".join(content)).stored == 20
    with Store(target) as store:
        for number in range(3):
            assert store.append([make_event(START_US + 100 + number)], "shop").stored == 1
            (done,) = sync.sync(third, [target])
            assert (done.stored, done.failed) == (21 if number == 0 else 1, [])
    filled.append([make_event(START_US + 500)], "shop")
    assert taken(target, b"".join(exported(filled))).stored == 1


def mark(**how: object) -> bytes:
    said = {"day": DAY.mount_name, "given": "shop", "cursor": [5, "aa", ""], "trouble": "", **how}
    return lines.line({"sync": said}) if how.get("deep") is None else b'{"sync": ' + b"[" * 200_000 + b"\n"


@pytest.mark.parametrize(
    "how",
    [
        {"deep": True},
        {"day": 5},
        {"day": "../../x-2026-077"},
        {"day": "other-2020-001"},
        {"cursor": [2**70, "aa", ""]},
        {"cursor": [1, "aa", "\ud800"]},
        {"cursor": [1, "aa", None]},
        {"cursor": {"a": 1}},
    ],
)
def test_an_answer_made_to_harm_is_refused_as_damaged(filled: Store, tmp_path: Path, how: dict[str, object]) -> None:
    here = str(tmp_path / "b")
    answer = lines.header() + exported(filled)[1] + mark(**how)
    with pytest.raises(BadInput, match="is damaged"):
        sync.receive(here, Synced("there", False), lambda *_: sync.received(io.BytesIO(answer)))
    assert not connect.is_there(layout.db_path(here, DAY))


@pytest.mark.parametrize("asked", [b'{"eyelet_sync": 1, "cursors": ' + b"[" * 200_000, b'{"a":' * 200_000])
def test_a_question_made_to_harm_is_refused(filled: Store, asked: bytes) -> None:
    with pytest.raises(BadInput, match="cannot be understood"):
        list(sync.sender(filled.root, asked))
