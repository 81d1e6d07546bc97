"""What leaves a root and comes into another is the same, column by column; a used one loses and doubles nothing."""

import gzip
import io
import json
import os
import random
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eyelet_ingest.events import Event
from eyelet_ingest.store import connect, export, importing, layout, lines, schema, transfer, writer
from eyelet_ingest.store.importing import Importing
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
from eyelet_ingest.store.tombstones import Tombstones
from tests.store.plain_list import CONTEXTS, events

SOAK = bool(os.environ.get("EYELET_SOAK"))
START_US = 1_773_792_000_000_000  # 2026-03-18T00:00:00Z
DAY = layout.key_for("default", START_US)
MakeEvent = Callable[..., Event]
Whole = dict[tuple[str, str], list[tuple[Any, ...]]]


def law(examples: int) -> settings:
    return settings(
        max_examples=examples * 40 if SOAK else examples,
        deadline=None,
        derandomize=not SOAK,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def whole(root: str) -> Whole:
    """Every column of every row with its type, by day; text as bytes, so that nothing is decoded."""
    found: Whole = {}
    with Store(root) as store:
        keys = list(store.catalog.partitions())
    for key in keys:
        conn = connect.open_reader(layout.db_path(root, key))
        conn.text_factory = bytes
        names = ", ".join(f"typeof({name}), {name}" for name in (*schema.COLUMNS, *schema.DERIVED))
        name = conn.execute("select value from eyelet_partition where key = 'given'").fetchone()[0]
        found[key.mount_name, name] = conn.execute(f"select {names} from hooks order by id").fetchall()
        conn.close()
    return found


def carried(root: str, target: str, where: Filter | None = None, **how: Any) -> importing.Imported:
    with Store(root) as store:
        packed = io.BytesIO()
        export.write_to(store.export_lines(where or Filter()), packed, True)
    return taken(target, packed.getvalue(), **how)


def taken(target: str, content: bytes, **how: Any) -> importing.Imported:
    importer = Importing(target, **how)
    importer.file("the file", io.BytesIO(content))
    return importer.done


def by_hand(root: str, key: PartitionKey, rows: Iterable[dict[str, Any]]) -> None:
    """Rows as any other program could leave them: first inserted well, then changed to what is wanted."""
    path = layout.db_path(root, key)
    conn = connect.open_writer(path)
    schema.bring_up(conn, path, key.context, key.context, key.bounds_us)
    for number, row in enumerate(rows):
        conn.execute(
            "insert into hooks (id, uid, arrived, timestamp, hook_type) values (?, ?, ?, ?, 'x')",
            (-number - 1, os.urandom(16), -number - 1, 1.0),
        )
        for name, value in row.items():
            mark = "cast(? as text)" if isinstance(value, bytearray) else "?"
            conn.execute(f"update or ignore hooks set {name} = {mark} where id = ?", (value, -number - 1))
    conn.close()


TEXTS = st.text(max_size=20) | st.sampled_from(["\x00", "\ud7ff\U0010ffff", "'; drop table hooks", "\u2028", '"\\'])
BROKEN = st.sampled_from([b"\xed\xa0\x80", b"\xff\xfe", b"a\x80b"]).map(bytearray)  # cast to text: no UTF-8
ODD = st.one_of(
    st.none(), TEXTS, BROKEN, st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.binary(max_size=8)
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
JSON_TEXTS = st.one_of(
    JSON.map(lambda value: json.dumps(value)),
    JSON.map(lambda value: json.dumps(value, ensure_ascii=False, indent=1)),
    st.sampled_from(["{}", "  {\n}\r\n", '"\\ud800"', "1" * 400, "-0.0", "[" * 900 + "]" * 900, '{"a":1,"a":2}']),
)
NOT_NULL = ("session_id", "hook_type", "src")
FREE = tuple(name for name in schema.COLUMNS[4:] if name not in ("data", "meta"))
HAND_MADE = st.fixed_dictionaries(
    {},
    optional={
        **{name: ODD.filter(lambda value: value is not None) if name in NOT_NULL else ODD for name in FREE},
        "timestamp": st.floats(allow_nan=False),
        "data": JSON_TEXTS,
        "meta": JSON_TEXTS,
        "arrived": ODD,
        "uid": st.none() | BROKEN | st.text("abc", max_size=4) | st.integers(0, 99) | st.binary(max_size=20),
    },
)


@law(40)
@given(st.lists(st.tuples(CONTEXTS, events()), max_size=30))
def test_import_of_an_export_is_the_same_root(pairs: list[tuple[str, Event]]) -> None:
    with TemporaryDirectory() as folder:
        with Store(f"{folder}/a") as store:
            store.append_many(pairs)
        done = carried(f"{folder}/a", f"{folder}/b")
        assert (done.failed, done.known, done.dead) == (0, 0, 0)
        assert whole(f"{folder}/b") == whole(f"{folder}/a")
        again = carried(f"{folder}/a", f"{folder}/b")
        assert (again.stored, again.known) == (0, done.stored)


@law(60)
@given(st.lists(HAND_MADE, min_size=1, max_size=8))
def test_rows_made_by_hand_come_as_they_are_whatever_is_in_them(rows: list[dict[str, Any]]) -> None:
    with TemporaryDirectory() as folder:
        by_hand(f"{folder}/a", DAY, rows)
        done = carried(f"{folder}/a", f"{folder}/b")
        assert done.troubles == []
        assert whole(f"{folder}/b") == whole(f"{folder}/a")
        again = carried(f"{folder}/a", f"{folder}/b")
        assert (again.stored, again.known) == (0, len(rows))
        assert whole(f"{folder}/b") == whole(f"{folder}/a")


@law(40)
@given(st.lists(events(), max_size=20, unique_by=lambda one: one.uid), st.lists(events(), max_size=20), st.integers())
def test_into_a_used_root_ids_are_unique_nothing_is_lost_and_arrived_rises(
    mine: list[Event], theirs: list[Event], seed: int
) -> None:
    shared = random.Random(seed).sample(mine, len(mine) // 2)
    with TemporaryDirectory() as folder:
        for name, some in (("a", theirs + shared), ("b", mine)):
            with Store(f"{folder}/{name}") as store:
                store.append(some)
        before, there = named(whole(f"{folder}/b")), named(whole(f"{folder}/a"))
        arrived = {day: max(row[5] for (at, _), row in before.items() if at == day) for day, _ in before}
        assert carried(f"{folder}/a", f"{folder}/b").failed == 0
        here = named(whole(f"{folder}/b"))
        assert here.keys() == before.keys() | there.keys()
        assert all(here[one] == row for one, row in before.items())
        assert all(here[one][8:] == row[8:] for one, row in there.items() if one not in before)
        assert all(row[5] > arrived.get(one[0], 0) for one, row in here.items() if one not in before)


def named(found: Whole) -> dict[tuple[str, bytes], tuple[Any, ...]]:
    """Each row under its day and uid, of which none may come twice."""
    rows = [((day, row[3]), row) for (day, _), some in found.items() for row in some]
    assert len(dict(rows)) == len(rows)
    return dict(rows)


@pytest.fixture
def filled(store: Store, make_event: MakeEvent) -> Store:
    store.append([make_event(START_US + n, session_id=f"s{n % 3}", data=f'{{"n": {n}}}') for n in range(30)], "My Shop")
    store.append([make_event(START_US + 86_400_000_000 + n) for n in range(10)])
    return store


def exported(store: Store, where: Filter | None = None) -> list[bytes]:
    return list(store.export_lines(where or Filter()))


def test_a_filter_chooses_what_leaves(filled: Store) -> None:
    assert len(exported(filled, Filter(session_id=("s1",)))) == 2 + 10
    assert len(exported(filled, Filter(contexts=("My Shop",), since_us=START_US + 20))) == 2 + 10
    assert json.loads(exported(filled, Filter(text="nowhere"))[-1])["end"]["events"] == 0


def test_all_may_go_into_another_context(filled: Store, tmp_path: Path) -> None:
    done = taken(str(tmp_path / "b"), b"".join(exported(filled)), context="Other One")
    assert done.stored == 40
    with Store(str(tmp_path / "b")) as store:
        assert store.contexts() == [layout.safe_context("Other One")]
    assert {given for _, given in whole(str(tmp_path / "b"))} == {b"Other One"}


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
def test_of_a_file_that_was_cut_what_stands_before_is_kept_and_the_line_is_named(
    filled: Store, tmp_path: Path, packed: bool, part: float
) -> None:
    content = b"".join(exported(filled))
    if packed:
        content = gzip.compress(content)
    done = taken(str(tmp_path / "b"), content[: int(len(content) * part)])
    assert done.failed >= 1 and "cut" in done.troubles[0].reason
    assert done.troubles[0].line >= done.read + 1
    assert taken(str(tmp_path / "b"), content).stored == 40 - done.stored
    assert whole(str(tmp_path / "b")).keys() == whole(filled.root).keys()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (b"\x00garbage", "not JSON"),
        (b'["a list"]', "not an object"),
        (b'{"context_name": "../../etc", "day": "2026-03-18"}', "it lacks"),
        (b"[" * 100_000, "not JSON"),
        (b'{"a":' + b"9" * 10_000 + b"}", ""),
        (b'{"a": NaN}', "NaN"),
    ],
)
def test_a_damaged_line_is_named_and_the_rest_is_kept(filled: Store, tmp_path: Path, damage: bytes, said: str) -> None:
    content = exported(filled)
    content[7] = damage + b"\n"
    done = taken(str(tmp_path / "b"), b"".join(content))
    assert [(one.line, said in one.reason) for one in done.troubles] == [(8, True)]
    assert done.stored == 39


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("context_name", "../../etc"),
        ("context_name", "Not Safe"),
        ("day", "2026-02-30"),
        ("day", "9999-12-31"),
        ("id", "7"),
        ("id", 2**63),
        ("id", True),
        ("uid", "no hexadecimal"),
        ("src", ["a", "list"]),
        ("src", {"blob": 7}),
        ("data", "{no JSON"),
        ("hook_type", None),
        ("timestamp", "no number"),
    ],
)
def test_a_line_with_a_wrong_value_is_refused_alone(filled: Store, tmp_path: Path, name: str, value: object) -> None:
    content = exported(filled)
    content[7] = json.dumps({**json.loads(content[7]), name: value}).encode() + b"\n"
    done = taken(str(tmp_path / "b"), b"".join(content))
    assert [one.line for one in done.troubles] == [8] and done.stored == 39
    assert os.listdir(tmp_path / "b") == ["logs"]


def test_an_export_of_a_newer_format_is_left_alone(filled: Store, tmp_path: Path) -> None:
    content = exported(filled)
    content[0] = b'{"eyelet_export": 2}\n'
    done = taken(str(tmp_path / "b"), b"".join(content))
    assert (done.read, [one.line for one in done.troubles]) == (0, [1]) and "update eyelet" in done.troubles[0].reason


def test_what_is_no_export_is_named(tmp_path: Path) -> None:
    assert "there is no export in it" in taken(str(tmp_path / "b"), b"").troubles[0].reason
    (tmp_path / "x").mkdir()
    done = importing.import_files(Importing(str(tmp_path / "b")), [str(tmp_path / "none"), str(tmp_path / "x")])
    assert [one.line for one in done.troubles] == [0, 0]


def test_what_was_deleted_stays_away_unless_it_is_forced(filled: Store, tmp_path: Path) -> None:
    target = str(tmp_path / "b")
    content = b"".join(exported(filled))
    dead = [bytes.fromhex(json.loads(line)["uid"]) for line in content.splitlines()[1:4]]
    Tombstones.of(target).remember(layout.safe_context("My Shop"), dead)
    Tombstones.of(target).retire("default", START_US + 86_400_000_000 + 5)
    plan = taken(target, content, dry_run=True)
    assert (plan.stored, plan.dead) == (32, 8) and whole(target) == {}
    assert (taken(target, content).stored, taken(target, content).dead) == (32, 8)
    assert taken(target, content, force=True).stored == 8
    assert taken(target, content).known == 40


def test_a_dry_run_changes_nothing_and_says_what_would_come(filled: Store, tmp_path: Path) -> None:
    content = exported(filled)
    target = str(tmp_path / "b")
    taken(target, b"".join(content[:11]))
    before = whole(target)
    plan = taken(target, b"".join(content), dry_run=True)
    assert (plan.stored, plan.known) == (30, 10) and whole(target) == before


def test_a_broken_day_is_named_in_the_last_line_and_the_rest_leaves(filled: Store, tmp_path: Path) -> None:
    key = layout.key_for("default", START_US + 86_400_000_000)
    Path(layout.db_path(filled.root, key)).write_bytes(b"this is no database" * 500)
    content = exported(filled)
    end = json.loads(content[-1])["end"]
    assert (end["events"], end["complete"], end["unreadable"][0]["day"]) == (30, False, "2026-03-19")
    done = taken(str(tmp_path / "b"), b"".join(content))
    assert done.stored == 30 and "not whole when it was made" in done.troubles[0].reason


def test_a_line_is_ascii_and_no_recorded_text_ends_it(filled: Store, make_event: MakeEvent) -> None:
    filled.append([make_event(START_US + 500, data='{"a":\n\r\n"\u2028\x1b[2J"}', src="\u202e")])
    for line in exported(filled):
        assert line.isascii() and line.endswith(b"\n") and line.count(b"\n") == 1 and b"\x1b" not in line
        lines.read(line)


def test_the_file_is_private_and_whole_or_not_there(filled: Store, tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl.gz"
    export.write_file(filled.export_lines(Filter()), str(path))
    assert path.stat().st_mode & 0o777 == 0o600
    was = path.read_bytes()

    def broken() -> Iterable[bytes]:
        yield b"{}\n"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export.write_file(broken(), str(path))
    assert path.read_bytes() == was and os.listdir(tmp_path).count("out.jsonl.gz") == 1
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".partial")]


def test_who_is_stopped_between_two_batches_begins_anew_and_ends_the_same(filled: Store, tmp_path: Path) -> None:
    content = exported(filled)
    target = str(tmp_path / "b")
    for end in range(0, len(content), 7):
        taken(target, b"".join(content[:end]))
    assert taken(target, b"".join(content)).failed == 0
    assert whole(target) == whole(filled.root)


def test_two_rows_of_one_id_and_an_id_outside_its_day_find_a_place(root: str, make_event: MakeEvent) -> None:
    row = list(writer.row_of(make_event(START_US)))
    values = tuple([None] * 2 + row[2:])
    outside = DAY.bounds_us[1] + 5

    def made(id_us: int, uid: bytes) -> tuple[Any, ...]:
        return (id_us, uid, 7, id_us / 1e6, *values[2:])

    first = transfer.store(root, DAY, "default", [made(outside, b"a" * 16)])
    rest = transfer.store(root, DAY, "default", [made(outside, b"b" * 16), made(outside, b"c" * 16)])
    assert (first.stored, rest.stored) == (1, 2)
    ids = [row[1] for row in whole(root)["default-2026-077", b"default"]]
    assert ids == [DAY.bounds_us[1] - 2, DAY.bounds_us[1] - 1, outside]
