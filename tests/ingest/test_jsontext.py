"""JSON text in and out without the json package: the same as with it."""

import json

from hypothesis import given
from hypothesis import strategies as st

from eyelet_ingest.jsontext import canonical, dumps, parse

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
VALUES = st.recursive(SCALARS, lambda some: st.lists(some) | st.dictionaries(TEXTS, some), max_leaves=20)


@given(VALUES)
def test_canonical_text_is_that_of_the_json_package(value: object) -> None:
    """Identities are made from it: were it another, what was stored before would be stored once more."""
    assert canonical(value) == json.dumps(value, sort_keys=True, separators=(",", ":"))


@given(VALUES)
def test_what_is_written_is_read_as_it_was(value: object) -> None:
    assert parse(dumps(value)) == value
    assert parse(canonical(value)) == value


@given(st.dictionaries(TEXTS, VALUES))
def test_the_same_value_is_the_same_text_however_it_is_spelt(value: dict[str, object]) -> None:
    spelt = json.dumps(dict(reversed(value.items())), indent=1, ensure_ascii=False)
    assert canonical(parse(spelt)) == canonical(value)
