"""JSON laid out for people: whatever it holds, wherever it is cut."""

import json

from hypothesis import given
from hypothesis import strategies as st

from datasette_eyelet.json_text import pretty

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_the_layout_says_the_same_value(value: object) -> None:
    assert json.loads(pretty(json.dumps(value))) == value


@given(values, st.integers(min_value=0, max_value=200))
def test_a_cut_text_is_laid_out_without_adding_or_losing_anything(value: object, length: int) -> None:
    text = json.dumps(value, separators=(",", ":"))[:length]
    outside = "".join(pretty(text).split())
    assert outside == "".join(text.split())


def test_members_stand_on_lines_of_their_own() -> None:
    assert pretty('{"a":[1,{}],"b":"x, {y}"}') == '{\n  "a": [\n    1,\n    {}\n  ],\n  "b": "x, {y}"\n}'


def test_numbers_are_shown_as_they_were_recorded() -> None:
    assert pretty('{"big":123456789012345678901234567890,"tiny":1e999}').count("123456789012345678901234567890") == 1


def test_nine_hundred_levels_take_no_more_room_than_they_deserve() -> None:
    text = "[" * 900 + "]" * 900
    assert len(pretty(text)) < 900 * 2 * 90
