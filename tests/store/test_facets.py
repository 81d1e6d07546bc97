"""Facets: which values there are under the other conditions, the tree of src, the cap, the truth about partitions."""

from collections.abc import Callable
from pathlib import Path

import pytest

from eyelet_ingest.errors import BadInput
from eyelet_ingest.events import Event
from eyelet_ingest.store import layout
from eyelet_ingest.store.facets import FIELDS
from eyelet_ingest.store.maintenance import Maintenance
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

DAY_US = layout.DAY_US
START = layout.PartitionKey("default", 2024, 79).bounds_us[0]

MakeEvent = Callable[..., Event]


@pytest.fixture(params=["read", "statistics"])
def filled(request: pytest.FixtureRequest, store: Store, make_event: MakeEvent) -> Store:
    store.append(
        [
            make_event(START + n, src=src, tool_name=tool, status=status)
            for n, (src, tool, status) in enumerate(
                [
                    ("claude", "Bash", "ok"),
                    ("claude.bash", "Bash", "ok"),
                    ("claude.bash.git", "Bash", "error"),
                    ("claude.bash.git.push", "Read", "ok"),
                    ("claude.read", "Read", "ok"),
                    ("claudette", None, "ok"),
                    ("hero.proc", None, "denied"),
                ]
            )
        ]
    )
    store.append([make_event(START + DAY_US, src="hero", tool_name="Bash")], "other")
    if request.param == "statistics":
        assert Maintenance(store.root, least_events=1).run(store.catalog.partitions(), 60_000).days == 2
    return store


def shown(store: Store, where: Filter, name: str, src_below: str = "") -> dict[str, int]:
    return dict(store.facets(where, [name], src_below=src_below).fields[name].values)


def test_src_opens_at_its_dots(filled: Store) -> None:
    assert shown(filled, Filter(), "src") == {"claude": 5, "hero": 2, "claudette": 1}
    below = {"claude": 1, "claude.bash": 3, "claude.read": 1}
    assert shown(filled, Filter(), "src", "claude") == below
    assert shown(filled, Filter(src=("hero",)), "src", "claude") == below, "a choice shows what else there is"
    assert shown(filled, Filter(), "src", "claude.bash") == {"claude.bash": 1, "claude.bash.git": 2}
    assert shown(filled, Filter(status=("error",)), "src", "claude.bash") == {"claude.bash.git": 1}
    assert shown(filled, Filter(), "src", "nothing") == {}


def test_a_field_obeys_the_others_conditions_and_not_its_own(filled: Store) -> None:
    where = Filter(tool_name=("Bash",), status=("ok",))
    assert shown(filled, where, "tool_name") == {"Bash": 3, "Read": 2}
    assert shown(filled, where, "status") == {"ok": 3, "error": 1}
    assert shown(filled, where, "context") == {"default": 2, "other": 1}
    assert shown(filled, Filter(contexts=("other",)), "context") == {"default": 7, "other": 1}
    assert shown(filled, Filter(contexts=("other",)), "status") == {"ok": 1}


def test_the_largest_come_first_and_the_rest_is_said_to_be(filled: Store) -> None:
    facet = filled.facets(Filter(), ["tool_name"], limit=1).fields["tool_name"]
    assert (facet.values, facet.more) == ([("Bash", 4)], True)
    facet = filled.facets(Filter(), ["tool_name"], limit=2).fields["tool_name"]
    assert (facet.values, facet.more) == ([("Bash", 4), ("Read", 2)], False)


def test_a_store_limited_to_contexts_says_nothing_of_others(filled: Store) -> None:
    limited = filled.limited_to(frozenset({"other"}))
    assert shown(limited, Filter(), "context") == {"other": 1}
    assert shown(limited, Filter(contexts=("default",)), "src") == {}


def test_partitions_are_counted_once_however_many_fields_there_are(filled: Store) -> None:
    found = filled.facets(Filter(status=("ok",), since_us=START, until_us=START + DAY_US), FIELDS)
    assert list(found.fields) == list(FIELDS)
    assert (found.partitions.scanned, found.partitions.skipped) == (1, 1)
    late = filled.facets(Filter(), FIELDS, deadline_ms=-1)
    assert (late.partitions.unasked, late.fields["status"].values) == (2, [])


def test_a_broken_day_is_named_and_the_others_are_counted(filled: Store) -> None:
    Path(layout.db_path(filled.root, layout.key_for("default", START))).write_bytes(b"this is no database" * 500)
    found = filled.facets(Filter(), ["src"])
    assert found.fields["src"].values == [("hero", 1)]
    assert [bad.day for bad in found.partitions.unreadable] == ["2024-03-19"]


def test_what_has_no_facet_is_refused_with_those_there_are(store: Store) -> None:
    with pytest.raises(BadInput, match=r"no facet hostname.*hook_type"):
        store.facets(Filter(), ["status", "hostname"])
    with pytest.raises(BadInput, match="1 is the least"):
        store.facets(Filter(), ["status"], limit=0)
    assert store.facets(Filter(), []).fields == {}
