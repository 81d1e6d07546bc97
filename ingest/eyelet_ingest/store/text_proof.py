"""What of an exact text can be told by a payload as it is stored, without taking it apart: so that a row need not be.

A proof that fails says nothing: the row's text then decides. Pure.
"""

from collections.abc import Callable

from eyelet_ingest.store.text_query import Node, Substring

Proof = tuple[str, list[object]]  # an expression of SQL on a row of `hooks`, true where its text has it, and its values

OfHit = Callable[[bytes, bytes], bool]

NONE: Proof = ("0", [])
# Whether a substring stands in a value that is text in every day, whatever else it is: 12 µs, where all of a row's text
# takes 60. Such a value is no base64, as it has a space, and no JSON, whose escapes would be undone.
PROVEN_KEYS = ("command", "stdout", "stderr", "prompt", "file_path", "description", "last_assistant_message", "pattern")
_OF_VALUE = f"""json_valid(data) and exists (
    select 1 from json_tree(data)
    where type = 'text' and key in ({", ".join(f"'{key}'" for key in PROVEN_KEYS)}) and instr(atom, ?) > 0
        and instr(atom, ' ') > 0 and atom not glob '[[{{]*' and atom not glob 'data:*'
)"""  # noqa: S608  our own names


def of_any(node: Node) -> Proof:
    """For any row."""
    if isinstance(node, Substring) and not node.folded and node.columns is None:
        return _OF_VALUE, [node.text]
    return NONE


def of_hit(node: Node) -> OfHit | None:
    """The same for a row of which the index says that a word of its text holds these characters, however they are
    spelt, by its `data` and `meta`; None where there is no such proof.

    Such a word is made of the payload's own characters, one behind the other: of ASCII, no escape of JSON, nothing of
    the row's own error. Where the payload has these letters in no other case, they stand in the word as they are asked
    for. (In Python, as SQLite's instr() looks at each byte: 3 µs of 3 KB, where it took 17.)
    """
    if not isinstance(node, Substring) or node.folded or node.columns is not None or not _is_plain(node.text):
        return None
    text, folded = node.text.encode(), node.text.lower().encode()

    def is_proven(data: bytes, meta: bytes) -> bool:
        there = data.count(text)
        return (
            there > 0 and data.isascii() and data.lower().count(folded) == there
            and b"\\u" not in data and b'"error_message"' not in meta
        )  # fmt: skip

    return is_proven


def _is_plain(text: str) -> bool:
    """Whether it is letters and digits of ASCII alone that cannot overlap themselves, whatever their case: one of two
    that overlap would not be counted."""
    folded = text.lower()
    overlaps = any(folded.startswith(folded[at:]) for at in range(1, len(folded)))
    return text.isascii() and text.isalnum() and not overlaps
