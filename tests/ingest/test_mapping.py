"""JSON lines of any shape become log events, by a mapping or by a shape that is known."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyelet_ingest.errors import BadInput
from eyelet_ingest.ledger import Ledger
from eyelet_ingest.pipeline import Ingested, ingest
from eyelet_ingest.sources import mapped
from eyelet_ingest.sources.log import dotted
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
from eyelet_ingest.synopsis import synopsis

AT_S = 1_774_015_402
Row = dict[str, Any]


def take(root: str, tmp_path: Path, records: list[Any], *maps: str) -> Ingested:
    path = tmp_path / "app.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    done = ingest([str(path)], root, mapping=mapped.parse(maps) if maps else None)
    assert done.read == done.stored + done.duplicates + done.quarantined
    return done


def rows(root: str, **where: Any) -> list[Row]:
    with Store(root) as store:
        return store.search(Filter(**where), limit=1_000, oldest_first=True).rows


def test_each_field_is_taken_from_where_the_mapping_says(root: str, tmp_path: Path) -> None:
    record = {
        "ts": AT_S,
        "lg": {"name": "Shop.Orders"},
        "log.level": "WARNING",
        "ev": [{"msg": "order 17 is late"}],
        "ctx": "Shop One",
        "sid": "s1",
        "extra": {"n": 1.0},
    }
    maps = "time=ts,src=lg.name,level=log.level,message=ev.0.msg", "context=ctx,session=sid,host==box"
    assert take(root, tmp_path, [record], *maps).stored == 1
    (row,) = rows(root, contexts=("Shop One",), src=("shop",))
    told = {name: row[name] for name in ("id", "src", "loglevel", "session_id", "hostname", "origin", "hook_type")}
    assert told == {
        "id": AT_S * 1_000_000,
        "src": "shop.orders",
        "loglevel": "warn",
        "session_id": "s1",
        "hostname": "box",
        "origin": "log",
        "hook_type": "log",
    }
    assert json.loads(row["data"]) == record
    assert synopsis(row) == "order 17 is late"
    assert take(root, tmp_path, [record], *maps).duplicates == 1


@pytest.mark.parametrize(
    ("given", "level", "failed"),
    [
        ({"lv": "warn"}, "warn", 0),
        ({"lv": 50}, "error", 1),
        ({"lv": "3"}, "error", 1),
        ({"lv": "loud"}, "warn", 0),
        ({"lv": "odd"}, "info", 0),
        ({"lv": "info", "err": "ECONNREFUSED: no"}, "info", 1),
        ({"lv": "error", "err": False}, "error", 0),
        ({"err": {"message": "it broke"}}, "error", 1),
    ],
)
def test_levels_and_failures_are_what_the_record_means(
    root: str, tmp_path: Path, given: Row, level: str, failed: int
) -> None:
    take(root, tmp_path, [{"ts": AT_S, **given}], "time=ts,level=lv,error=err,level:loud=warn")
    (row,) = rows(root)
    assert (row["loglevel"], row["error"]) == (level, failed)


def test_levels_that_nobody_knows_are_named(root: str, tmp_path: Path) -> None:
    done = take(
        root, tmp_path, [{"ts": AT_S + n, "lv": "odd" if n else "strange"} for n in range(3)], "time=ts,level=lv"
    )
    assert done.notes[0].startswith("levels that are none of debug, info, warn and error: 'odd' (2), 'strange' (1)")
    assert [json.loads(row["meta"])["original_level"] for row in rows(root)] == ["strange", "odd", "odd"]


def test_a_record_with_none_of_the_fields_is_quarantined_one_with_some_is_taken(root: str, tmp_path: Path) -> None:
    done = take(root, tmp_path, [{"ts": AT_S}, {"msg": "no time"}, {"other": 1}], "time=ts,src==app,message=msg")
    assert (done.stored, done.quarantined) == (2, 1)
    first, second = rows(root)
    assert (first["src"], second["src"]) == ("app", "app")
    assert json.loads(second["meta"])["timestamp_from"] == "neighbour"
    with Ledger(root) as ledger:
        (entry,) = ledger.quarantined()
    assert (entry.line, entry.reason) == (3, "it has none of the fields that --map names: msg, ts")


def test_the_first_path_that_is_there_counts_and_then_the_constant(root: str, tmp_path: Path) -> None:
    records = [{"ts": AT_S, "a": "one", "b": "two"}, {"ts": AT_S + 1, "b": "two"}, {"ts": AT_S + 2, "a": ""}]
    take(root, tmp_path, records, "time=ts,src=a|b,src==three")
    assert [row["src"] for row in rows(root)] == ["one", "two", "three"]


@pytest.mark.parametrize("unit", [1, 1_000, 1_000_000, 1_000_000_000])
def test_epochs_of_every_unit_are_the_same_time(root: str, tmp_path: Path, unit: int) -> None:
    take(root, tmp_path, [{"ts": AT_S * unit}], "time=ts")
    assert rows(root)[0]["id"] == AT_S * 1_000_000


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("tmie=ts", "'tmie' (did you mean time?)"),
        ("levle=x", "'levle' (did you mean level?)"),
        ("zzz=x", "there are time"),
        ("time", "it says no field and where it stands"),
        ("time=", "it says no field"),
        ("level:loud=wran", "did you mean warn?"),
        ("level==loudest", "no level of ours"),
        ("time==soon", "it is no time"),
        (",", "it names no field"),
    ],
)
def test_a_mapping_that_cannot_be_is_named_with_what_would_be_right(given: str, said: str) -> None:
    with pytest.raises(BadInput) as bad:
        mapped.parse([given])
    assert said in str(bad.value)


PINO = {"level": 40, "time": AT_S * 1_000, "pid": 1, "hostname": "box", "name": "api", "msg": "slow", "ms": 900}
BUNYAN = {**PINO, "v": 0, "time": "2026-03-20T14:03:22.000Z"}
JOURNAL = {
    "__REALTIME_TIMESTAMP": str(AT_S * 1_000_000),
    "MESSAGE": "slow",
    "PRIORITY": "4",
    "SYSLOG_IDENTIFIER": "api",
    "_HOSTNAME": "box",
}
TABLE = {"logid": 1, "epoch": AT_S, "src": "api", "loglevel": "warn", "error": 0, "content": "slow"}


@pytest.mark.parametrize("record", [PINO, BUNYAN, JOURNAL, TABLE], ids=["pino", "bunyan", "journal", "table"])
def test_well_known_shapes_need_no_mapping(root: str, tmp_path: Path, record: Row) -> None:
    assert take(root, tmp_path, [record]).stored == 1
    (row,) = rows(root)
    assert (row["id"], row["src"], row["loglevel"], synopsis(row)) == (AT_S * 1_000_000, "api", "warn", "slow")


def test_secrets_in_mapped_records_never_reach_the_disk(root: str, tmp_path: Path) -> None:
    secret = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    records = [{"ts": AT_S, "m": f"token {secret}", "lg": secret}, {"x": secret}]
    assert take(root, tmp_path, records, "time=ts,message=m", "src=lg").quarantined == 1
    for folder, _, files in os.walk(root):
        for name in files:
            held = Path(folder, name).read_bytes()
            assert secret.encode() not in held and secret.lower().encode() not in held


numbers = st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False))
scalars = st.one_of(st.none(), st.booleans(), numbers, st.text(max_size=8))
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
records = st.dictionaries(st.sampled_from(["ts", "src", "lv", "msg", "err", "c", "s.t", "x"]), values, max_size=8)


@settings(max_examples=400 if os.environ.get("EYELET_SOAK") else 40, deadline=None)
@given(st.lists(records, max_size=8, unique_by=json.dumps))  # two that say the same time and all else are one
def test_no_record_is_lost_or_breaks_an_import(tmp_path_factory: pytest.TempPathFactory, given: list[Row]) -> None:
    folder = tmp_path_factory.mktemp("any")
    maps = "time=ts,src=src,level=lv,message=msg,error=err,session=s.t,duration_ms=x"
    done = take(str(folder / "root"), folder, given, maps)
    fits = [record for record in given if record.keys() - {"c"}]
    assert done.quarantined == len(given) - len(fits)
    again = take(str(folder / "root"), folder, given, maps)
    assert (again.stored, again.duplicates) == (0, done.stored)
    kept = [json.loads(row["data"]) for row in rows(str(folder / "root"))]
    assert sorted(map(json.dumps, kept)) == sorted(json.dumps(record) for record in fits)
    assert all(row["src"] == dotted(row["src"]) for row in rows(str(folder / "root")))
