"""Snippets: the marks around hits are marks and nothing else, whatever the text between them holds."""

from hypothesis import given
from hypothesis import strategies as st

from eyelet_ingest import snippets
from eyelet_ingest.cli import output

B, E = snippets.BEGIN, snippets.END
plain = st.text(st.characters(exclude_characters=B + E, exclude_categories=["Cs"]), max_size=12)
pieces = st.lists(st.tuples(st.booleans(), plain.filter(bool)), max_size=6)


@given(pieces=pieces)
def test_pieces_come_back_as_they_were_marked(pieces: list[tuple[bool, str]]) -> None:
    made = "".join(B + text + E if is_hit else text for is_hit, text in pieces)
    found = list(snippets.parts(made))
    joined = [(is_hit, text) for is_hit, text in found]
    assert "".join(text for _, text in joined) == "".join(text for _, text in pieces)
    assert [text for is_hit, text in joined if is_hit] == [text for is_hit, text in pieces if is_hit]


@given(text=st.text(st.sampled_from("ab" + B + E), max_size=12))
def test_no_mark_survives_however_they_lie(text: str) -> None:
    shown = "".join(piece for _, piece in snippets.parts(text))
    assert shown == text.replace(B, "").replace(E, "")
    assert all(piece for _, piece in snippets.parts(text))


@given(pieces=pieces)
def test_json_says_from_where_to_where_a_hit_goes(pieces: list[tuple[bool, str]]) -> None:
    found = snippets.as_json("".join(B + text + E if is_hit else text for is_hit, text in pieces))
    text, hits = found["text"], found["hits"]
    assert isinstance(text, str)
    assert isinstance(hits, list)
    assert [text[low:high] for low, high in hits] == [piece for is_hit, piece in pieces if is_hit]


class Terminal:
    """Where colours may be shown."""

    def isatty(self) -> bool:
        return True


def test_a_hit_is_marked_on_a_terminal_and_hostile_text_around_it_is_not_obeyed() -> None:
    cell = output.Marked.of(f"a\x1b[2J {B}push\x07{E} \u202eb")
    (line,) = list(output.Table((output.Column("what", 4, 80),), 80).lines([[cell]]))[1:]
    shown = output.coloured(line, {}, Terminal())  # type: ignore[arg-type]
    assert shown == "a\\x1b[2J \x1b[1;4mpush\\x07\x1b[0m \\u202eb"
    failed = output.coloured(line, {"error": 1}, Terminal())  # type: ignore[arg-type]
    assert failed == "\x1b[31ma\\x1b[2J \x1b[1;4mpush\\x07\x1b[0m\x1b[31m \\u202eb\x1b[0m"


def test_marks_take_no_room_and_a_narrow_terminal_shows_the_hit() -> None:
    cell = output.Marked.of("x" * 500 + f" {B}push{E} and more of it")
    (line,) = list(output.Table((output.Column("what", 4, 40),), 40).lines([[cell]]))[1:]
    shown = "".join(text for _, text in snippets.parts(line))
    assert "push" in shown
    assert output.shown_width(line) == len(shown) == 40


def test_a_mark_that_another_cell_holds_is_no_mark() -> None:
    (line,) = list(output.Table((output.Column("src", 4, 80),), 80).lines([[f"a{B}b{E}"]]))[1:]
    assert output.coloured(line, {}, Terminal()) == "a\\x02b\\x03"  # type: ignore[arg-type]
