"""Fields in the language of texts: what they say is what the fields of a Filter say, and mistakes have their place."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyelet_ingest.errors import BadInput
from eyelet_ingest.store import text_filters, text_query
from eyelet_ingest.store.select import NAMES, VALUES_MAX, WITHOUT, Filter
from eyelet_ingest.store.store import Store
from eyelet_ingest.store.text_filters import split
from eyelet_ingest.store.text_query import BadQuery
from tests.store.words import QUESTIONS

START_US = 1_773_792_000_000_000


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("tool:Bash", Filter(tool_name=("Bash",))),
        ("tool:(Bash OR Edit)", Filter(tool_name=("Bash", "Edit"))),
        ('tool:("a b" OR "OR")', Filter(tool_name=("a b", "OR"))),
        ("tool:Bash OR tool:Edit", Filter(tool_name=("Bash", "Edit"))),
        ("tool:main()", Filter(tool_name=("main()",))),
        ('branch:"my ""own"" one"', Filter(git_branch=('my "own" one',))),
        ("-type:Notification", Filter(without=(("hook_type", "Notification"),))),
        ("NOT type:Notification", Filter(without=(("hook_type", "Notification"),))),
        ("-(type:Stop OR tool:Bash)", Filter(without=(("hook_type", "Stop"), ("tool_name", "Bash")))),
        ("NOT -type:Stop", Filter(hook_type=("Stop",))),
        ("src:claude.bash.* -src:*", Filter(src=("claude.bash.*",), without=(("src", "*"),))),
        ("project:/home/me/x", Filter(project_dir=("/home/me/x",))),
        ("context:a session:b status:ok error_code:exit:1", Filter(
            contexts=("a",), session_id=("b",), status=("ok",), error_code=("exit:1",)
        )),
        ("agent:a model:b level:warn", Filter(agent=("a",), model=("b",), loglevel=("warn",))),
        ("is:error", Filter(errors=True)),
        ("-is:error", Filter(without=(("errors", "1"),))),
        ("git (tool:Bash push)", Filter(tool_name=("Bash",), text='"git" "push"')),
        ("(git OR push) AND tool:Bash", Filter(tool_name=("Bash",), text='"git" OR "push"')),
        ("git OR push", Filter(text="git OR push")),
        ("tool: x", Filter(text="tool: x")),
        ("https://type:80/ std::tool", Filter(text="https://type:80/ std::tool")),
        ('"tool:Bash"', Filter(text='"tool:Bash"')),
    ],
)  # fmt: skip
def test_a_field_says_what_a_filter_says(text: str, means: Filter) -> None:
    assert split(Filter(text=text)) == means


@pytest.mark.parametrize(
    ("text", "at", "length", "says"),
    [
        ("git tol:Bash", 4, 4, "did you mean tool?"),
        ("tool_name:Bash", 0, 10, "did you mean tool?"),
        ("speed:fast", 0, 6, "there is no field speed"),
        ("tool:(Bash Edit)", 11, 0, "two values of tool stand side by side"),
        ("tool:(Bash OR )", 14, 0, "there is no value of tool"),
        ("tool:()", 6, 0, "there is no value of tool"),
        ("tool:(Bash", 5, 1, "the bracket is not closed"),
        ('tool:"Bash', 5, 1, "the quote is not closed"),
        ("tool:Bash OR push", 0, 9, "cannot be one of several alternatives"),
        ("tool:Bash OR type:Stop", 0, 9, "cannot be one of several alternatives"),
        ("git -(tool:Bash push)", 6, 9, "negate it by itself"),
        ("tool:Bash git tool:Edit", 14, 9, "an event has one tool"),
        ("status:eror", 0, 11, "did you mean status:error?"),
        ("-status:x", 1, 8, "there is no status x"),
        ("is:denied", 0, 9, "write status:denied"),
        ("is:x", 0, 4, "write one of error"),
        ("error:(tool:Bash)", 7, 5, "tool is no part of the text in error"),
    ],
)
def test_a_mistake_in_a_field_is_named_where_it_is(text: str, at: int, length: int, says: str) -> None:
    with pytest.raises(BadQuery) as caught:
        split(Filter(text=text))
    bad = caught.value
    assert (bad.at, bad.length, bad.text) == (at, length, text) and says in str(bad)


@given(st.text(max_size=30) | st.lists(
    st.sampled_from(["tool:", "-", "(", ")", '"', " OR ", "a", "src:", "is:error", " ", "NOT ", "project:/", "NEAR("])
).map("".join))  # fmt: skip
def test_whatever_is_typed_is_a_filter_or_a_place(text: str) -> None:
    try:
        found = split(Filter(text=text))
    except BadQuery as bad:
        assert 0 <= bad.at <= len(bad.text) and bad.at + bad.length <= len(bad.text)
        return
    assert split(found) == found
    if found.text:
        text_query.parse(found.text)


@settings(max_examples=200, deadline=None)
@given(QUESTIONS)
def test_a_tree_is_read_as_it_was_written(question: tuple[str, Any]) -> None:
    try:
        tree = text_query.parse(question[0])
    except BadQuery:
        return
    assert text_query.parse(text_query.written(tree)) == tree


VALUES = ["Bash", "a b", 'q"t', "OR", "x*", "(", "-y", "/w/a"]
FIELDS = st.dictionaries(
    st.sampled_from([name for name in NAMES if name != "status"]),
    st.tuples(st.booleans(), st.lists(st.sampled_from(VALUES), min_size=1, max_size=3, unique=True)),
    max_size=4,
)


@given(
    FIELDS,
    st.lists(st.sampled_from(["git", '"git push"', "-force", "command:x", "(a OR b)"]), max_size=3),
    st.randoms(),
)
def test_fields_and_text_in_any_order_are_the_same_question(
    fields: dict[str, tuple[bool, list[str]]], words: list[str], chance: Any
) -> None:
    parts, means = list(words), Filter()
    for name, (is_out, values) in fields.items():
        quoted = " OR ".join('"' + value.replace('"', '""') + '"' for value in values)
        parts.append(f"{'-' if is_out else ''}{name}:({quoted})")
        if is_out:
            means = replace(means, without=(*means.without, *((NAMES[name], value) for value in values)))
        else:
            changed: dict[str, Any] = {NAMES[name]: tuple(values)}
            means = replace(means, **changed)
    if not parts:
        return
    order = sorted(range(len(parts)), key=lambda _: chance.random())
    found = split(Filter(text=" ".join(parts[at] for at in order)))
    assert {*found.without} == {*means.without}
    assert replace(found, without=(), text="") == replace(means, without=())
    left = [parts[at] for at in order if at < len(words)]
    assert (text_query.parse(found.text) if found.text else None) == (
        text_query.parse(" ".join(left)) if left else None
    )


@pytest.mark.parametrize(
    ("where", "found"),
    [
        (Filter(text="tool:Bash", tool_name=("Bash", "Edit")), ("Bash",)),
        (Filter(text="tool:(Bash OR Edit)", tool_name=("Edit", "Read")), ("Edit",)),
    ],
)
def test_what_the_text_and_the_filter_ask_must_both_hold(where: Filter, found: tuple[str, ...]) -> None:
    assert split(where).tool_name == found


@pytest.mark.parametrize(
    ("text", "asked", "left"),
    [
        ("src:a.b", "a", "a.b"),
        ("src:a", "a.b.c", "a.b.c"),
        ("src:a*", "ab.c", "ab.c"),
        ("src:a", "ab", None),
        ("project:/w/a", "/w", "/w/a"),
        ("project:/w/ab", "/w/a", None),
    ],
)
def test_of_two_trees_the_narrower_one_counts(text: str, asked: str, left: str | None) -> None:
    name = NAMES[text.partition(":")[0]]
    given_before: dict[str, Any] = {name: (asked,)}
    where = Filter(text=text, **given_before)
    if left is None:
        with pytest.raises(BadQuery, match="beside the text"):
            split(where)
    else:
        assert getattr(split(where), name) == (left,)


def test_too_many_values_are_refused_and_no_page_breaks(store: Store) -> None:
    many = tuple(("tool_name", str(n)) for n in range(VALUES_MAX + 1))
    with pytest.raises(BadInput, match=f"more than {VALUES_MAX} values"):
        store.search(Filter(without=many))
    assert store.search(Filter(without=many[:VALUES_MAX])).rows == []
    srcs = tuple(("src", f"a.{n}") for n in range(VALUES_MAX))
    assert store.search(Filter(without=srcs)).rows == [] and store.count(Filter(without=srcs)).count == 0
    with pytest.raises(BadInput, match="no field to leave out"):
        store.search(Filter(without=(("data", "x"),)))


@pytest.fixture
def filled(store: Store, make_event: Any) -> Store:
    for n, (tool, said) in enumerate([("Bash", "push"), ("Edit", "push"), ("Bash", "pull"), (None, "push")]):
        store.append(
            [make_event(START_US + n, tool_name=tool, tool_use_id=tool and f"t{n}", data=json.dumps({"prompt": said}))]
        )
    return store


def test_every_question_understands_fields_in_its_text(filled: Store) -> None:
    where = Filter(text="tool:Bash push")
    ids = [START_US]
    assert [row["id"] for row in filled.search(where).rows] == ids
    assert filled.count(where).count == filled.summary(where).events == sum(filled.histogram(where).counts) == 1
    assert [row["id"] for row in filled.export(where)] == ids
    assert len([*filled.export_lines(where)]) == 3  # the head, the event, the end
    assert [call.tool_use_id for call in filled.calls(where).rows] == ["t0"]
    assert filled.text_places(where, 9) == [("default", 0, START_US)]
    assert filled.text_places(Filter(text="-tool:Bash"), 9) == [
        ("default", 0, START_US + 1),
        ("default", 0, START_US + 3),
    ]
    # what else could be chosen
    assert dict(filled.facets(where, ["tool_name"]).fields["tool_name"].values) == {"Bash": 1, "Edit": 1}
    assert dict(filled.facets(Filter(text="-tool:Bash"), ["tool_name"]).fields["tool_name"].values) == {
        "Bash": 2,
        "Edit": 1,
    }


def test_what_arrives_is_told_by_fields_too(filled: Store, make_event: Any) -> None:
    tail = filled.tail(Filter(text="-tool:Bash new"))
    for n, tool in enumerate(["Bash", "Edit", None]):
        filled.append([make_event(START_US + 100 + n, tool_name=tool, data='{"prompt": "new"}')])
    assert [row["tool_name"] for row in tail.more()] == ["Edit", None]


def test_a_deletion_reads_nothing_into_its_text(filled: Store) -> None:
    assert filled.delete(Filter(text="tool:Bash"), dry_run=True).events == 0
    with pytest.raises(BadInput, match="contexts cannot be left out"):
        filled.delete(Filter(without=(("contexts", "other"),)))
    assert filled.delete(Filter(without=(("tool_name", "Bash"),))).events == 2
    assert [row["tool_name"] for row in filled.search(Filter()).rows] == ["Bash", "Bash"]


def test_every_field_that_has_a_name_can_be_left_out() -> None:
    assert {*NAMES.values(), "errors"} == {*WITHOUT} and text_filters.IS in text_query.FIELDS
