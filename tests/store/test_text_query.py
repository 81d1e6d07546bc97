"""What people type is understood as documented, or refused at the very place where it goes wrong."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyelet_ingest.errors import BadInput
from eyelet_ingest.store import text_plan, text_query
from eyelet_ingest.store.connect import driver
from eyelet_ingest.store.text_query import And, BadQuery, Near, Node, Not, Or, Phrase, Substring, parse
from eyelet_ingest.store.text_schema import TEXT_COLUMNS, TOKENIZE

A, B, C = Phrase("a"), Phrase("b"), Phrase("c")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a b", And((A, B))),
        ("a AND b", And((A, B))),
        ("a OR b c", Or((A, And((B, C))))),
        ("a b OR c", Or((And((A, B)), C))),
        ("(a OR b) c", And((Or((A, B)), C))),
        ("a NOT b", And((A, Not(B)))),
        ("-a b", And((Not(A), B))),
        ("NOT a OR b", Or((Not(A), B))),
        ("a -(b OR c)", And((A, Not(Or((B, C)))))),
        ("NOT NOT a", A),
        ('-"a b"', Not(Phrase("a b"))),
        ('"a ""b"""', Phrase('a "b"')),
        ('"a b"*', Phrase("a b", prefix=True)),
        ("a*", Phrase("a", prefix=True)),
        ("*.py", Phrase("*.py")),
        ("src/*", Phrase("src/*")),
        ('="a  B"', Substring("a  B")),
        ('command:="a b"', Substring("a b", columns=("command",))),
        ("error:a b", And((Phrase("a", columns=("error",)), B))),
        ("error:(a OR error:b)", Or((Phrase("a", columns=("error",)), Phrase("b", columns=("error",))))),
        ("-error:a", Not(Phrase("a", columns=("error",)))),
        ("NEAR(a b)", Near((A, B), 10)),
        ('NEAR("a c" b*, 3)', Near((Phrase("a c"), Phrase("b", prefix=True)), 3)),
        ("path:NEAR(a b, 0)", Near((Phrase("a", columns=("path",)), Phrase("b", columns=("path",))), 0, ("path",))),
        ("検索 a", And((Substring("検索", folded=True), A))),
        ("=>", Substring("=>", folded=True)),
        # What is pasted is text.
        *((text, Phrase(text)) for text in ("--flag", "a/b.py", "main()", "f(x)", "std::x", "12:30", "localhost:8080")),
        *(
            (text, Phrase(text))
            for text in ("https://x.org/a?b=c#d", "C:\\a", "Err:x", "foo_bar", "a=b", "error:", "a-b")
        ),
        ("and or not near", And((Phrase("and"), Phrase("or"), Phrase("not"), Phrase("near")))),
        ("ANDROID NOTE ORB", And((Phrase("ANDROID"), Phrase("NOTE"), Phrase("ORB")))),
        ("- a", And((Substring("-", folded=True), A))),
    ],
)
def test_what_is_typed_means_what_is_documented(text: str, tree: Node) -> None:
    assert parse(text) == tree


@pytest.mark.parametrize(
    ("text", "at", "length", "says"),
    [
        ('git "push', 4, 1, "the quote is not closed at character 5"),
        ("a (b", 2, 1, "the bracket is not closed at character 3"),
        ("a b)", 3, 1, "no bracket is open that this one closes at character 4"),
        ("a ()", 3, 0, "there is nothing between the brackets at character 4"),
        ("", 0, 0, "there is nothing to look for at character 1"),
        ("  ", 2, 0, "there is nothing to look for"),
        ('a "" b', 2, 2, "there is nothing between the quotes at character 3"),
        ("a AND", 5, 0, "AND has nothing behind it at character 6"),
        ("AND a", 0, 3, "AND has nothing before it at character 1"),
        ("a AND AND b", 6, 3, "AND stands twice at character 7"),
        ("a OR", 4, 0, "OR has nothing behind it"),
        ("OR a", 0, 2, "OR has nothing before it"),
        ("a NOT", 5, 0, "NOT has nothing behind it"),
        ("a (NOT)", 6, 0, "NOT has nothing behind it at character 7"),
        ("speed:fast", 0, 6, "there is no field speed at character 1"),
        ("error:(command:x)", 7, 8, "what is in error is not in command at character 8"),
        ("NEAR(a)", 0, 7, "NEAR needs two words or phrases"),
        ("NEAR(a b", 0, 5, "the bracket of NEAR is not closed"),
        ("NEAR(a b, x)", 10, 0, "NEAR needs a number"),
        ("NEAR(a b, 99999)", 10, 5, "NEAR needs a number"),
        ('NEAR(a ="b")', 7, 4, "NEAR knows words and phrases only"),
        ("NEAR(a 検索)", 7, 2, "NEAR knows words and phrases only"),
        ("x" * 10_001, 10_000, 1, "the text has 10001 characters, 10000 are the most"),
        ("a " * 101, 200, 1, "there are more than 100 words"),
        ("(" * 13 + "a" + ")" * 13, 12, 1, "more than 12 brackets or negations lie in each other"),
    ],
)
def test_a_mistake_is_named_where_it_is(text: str, at: int, length: int, says: str) -> None:
    with pytest.raises(BadQuery) as caught:
        parse(text)
    bad = caught.value
    assert (bad.at, bad.length, bad.text) == (at, length, text)
    assert says in str(bad) and bad.hint
    assert isinstance(bad, BadInput)


def test_an_unknown_column_is_told_the_columns_there_are() -> None:
    with pytest.raises(BadQuery, match="output, command, path, prompt, answer, error, other"):
        parse("speed:fast")


SYNTAX = st.lists(
    st.sampled_from(
        [*'()":*-=,', "AND", "OR", "NOT", "NEAR(", " ", "error:", "x:", '="', "a", "é", "検", "\0", "\n", "7"]
    )
)


@given(st.one_of(SYNTAX.map("".join), st.text(max_size=40)))
def test_whatever_is_typed_is_a_tree_or_a_place(text: str) -> None:
    """And every tree can be asked: FTS5 takes what it is given."""
    try:
        tree = parse(text)
    except BadQuery as bad:
        assert 0 <= bad.at <= len(text) and bad.at + bad.length <= len(text)
        return
    conn = driver().connect(":memory:")
    conn.execute(f"create virtual table texts using fts5({', '.join(TEXT_COLUMNS)}, tokenize='{TOKENIZE}')")
    conn.execute("create table hooks (data text, meta text)")
    for terms in (None, [], ["ab", "b"]):
        match = text_plan.plan(tree, lambda _, found=terms: found).match  # type: ignore[misc]
        if match is not None:
            conn.execute("select rowid from texts where texts match ?", (match,)).fetchall()
    if (rough := text_plan.rough(tree)) is not None:
        conn.execute(f"select 1 from hooks where {rough.sql}", rough.params).fetchall()
    conn.close()


@pytest.mark.parametrize(
    ("text", "at", "says"),
    [
        ("a NEAR(" + "b " * 9 + ")", 2, "NEAR knows 8 words and phrases at most at character 3"),
        ('a "' + "the " * 21 + '"', 2, "the stands more than 20 times in one phrase, which begins at character 3"),
        ("the_" * 21, 0, "the stands more than 20 times"),
        ('NEAR("' + "b c " * 11 + '" "' + "c d " * 11 + '")', 0, "c stands more than 20 times"),
    ],
)
def test_no_query_asks_fts5_for_what_no_deadline_ends(text: str, at: int, says: str) -> None:
    with pytest.raises(BadQuery, match=re.escape(says)) as caught:
        parse(text)
    assert caught.value.at == at


def test_a_long_exact_text_is_narrowed_by_some_of_its_words() -> None:
    found = text_plan.plan(parse('="' + " the" * 2_000 + '"'), lambda _: None)
    assert found.match == f'"{" ".join(["the"] * text_plan.NARROWING_MOST)}"'
    assert parse('"' + "=> " * 99 + '"') == Substring("=> " * 99, True)
    assert parse("a* " * 90) == Phrase("a", True) and parse("a OR a") == Phrase("a")


@pytest.mark.parametrize(
    "levels",
    [
        ["(b OR {})"],
        ["(a OR {})", "(b {})"],
        ["(a -b {})", "(a -{})"],
        ["(a OR b -c {})"],
        ['(="ef" OR x -y error:z {})', "error:(b {})"],
        ["-({} OR b)"],
    ],
)
def test_fts5_reads_each_tree_however_deep(levels: list[str]) -> None:
    """Its parser has room for so many open brackets; what it says of more is nothing to tell a person."""
    conn = driver().connect(":memory:")
    conn.execute(f"create virtual table texts using fts5({', '.join(TEXT_COLUMNS)}, tokenize='{TOKENIZE}')")
    for innermost in ('="de"', "d*"):
        for depth in range(1, 50):
            text = innermost
            for at in range(depth):
                text = levels[at % len(levels)].format(text)
            try:
                tree = parse(text)
            except BadQuery as bad:
                assert depth > 5 and "lie in each other" in str(bad)
                break
            match = text_plan.plan(tree, lambda _: ["d"] * 400).match
            if match is not None:
                conn.execute("select rowid from texts where texts match ?", (match,)).fetchall()
    conn.close()


def test_a_text_as_it_stands_is_one_substring() -> None:
    assert text_query.exactly('a "b') == Substring('a "b')
    for text in ("", "x" * 10_001):
        with pytest.raises(BadQuery):
            text_query.exactly(text)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ('="git push -f"', '"push f" *'),
        ('=" git push"', '"git push" *'),
        ('="(git) é push."', '("git" AND "push")'),
        ('="(git)é push"', '("git" AND "push" *)'),
        ('="ub git é (x)"', '("git" AND "x")'),
        ('="x"', None),
    ],
)
def test_a_substring_is_narrowed_by_words_that_must_stand_whole_in_it(text: str, match: str | None) -> None:
    found = text_plan.plan(parse(text), lambda _: None)
    assert not found.exact
    assert found.match == match


def test_a_part_of_a_word_is_narrowed_by_the_words_that_hold_it() -> None:
    assert text_plan.plan(parse('="rontend"'), lambda part: [f"f{part}"]).match == '("frontend")'
    assert text_plan.plan(parse('="rontend"'), lambda _: None).match is None
