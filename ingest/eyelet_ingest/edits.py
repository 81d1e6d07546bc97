"""What a tool changed in files, as lines that went and lines that came. Pure, and bounded: whatever was recorded, all
edits of a call take some ten milliseconds at most, and each LINES_SHOWN lines.

Takes what a tool was given and what it answered (`said.py`). Claude Code answers with the hunks it applied
(`structuredPatch`), whose numbers are those of the file; Codex writes patches of its own kind
(`*** Begin Patch`, openai/codex codex-rs/apply-patch); the others name the old and the new text.
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

LINES_COMPARED = 600  # on each side, once what is alike at both ends is left out: comparing is quadratic
LINES_SHOWN = 1_000
PAIRS_COMPARED = LINES_COMPARED**2  # of lines, in all edits of a call
CHARS_COMPARED = 400_000  # of a text
EDITS_MOST = 50
CONTEXT_LINES = 3
_PATHS = ("file_path", "filePath", "path", "notebook_path", "target_file", "relative_workspace_path")
_PAIRS = (("old_string", "new_string"), ("oldString", "newString"), ("old_str", "new_str"), ("old_text", "new_text"))
_WHOLE = ("content", "file_text", "new_source", "contents")
_WRITES = frozenset(("write", "create", "notebookedit", "write_file", "writefile", "create_file"))
_BEGIN = "*** Begin Patch"
_SECTIONS = ("*** Add File: ", "*** Update File: ", "*** Delete File: ")

Lines = list[tuple[str, str]]  # ("+", "-", " " or "@", the line)


@dataclass(frozen=True, slots=True)
class Edit:
    """What changed in the file of this path: lines in order, of which only the first LINES_SHOWN are there; `added` and
    `removed` count all that are known."""

    path: str
    lines: tuple[tuple[str, str], ...]
    added: int
    removed: int

    @property
    def is_cut(self) -> bool:
        return sum(mark in "+-" for mark, _ in self.lines) < self.added + self.removed


def edits(tool: str, given: object, answered: object = None) -> tuple[Edit, ...]:
    """The edits of one call, in order; none of what changes no file."""
    patched = _structured(answered)
    if patched is not None:
        return (patched,)
    text = _patch_text(given)
    if text is not None:
        return tuple(_patched(text))
    if not isinstance(given, dict):
        return ()
    room = _Room()
    return tuple(_edit(path, compare(old, new, room)) for path, old, new in islice(_changes(tool, given), EDITS_MOST))


class _Room:
    """What is left of PAIRS_COMPARED."""

    def __init__(self) -> None:
        self.pairs = PAIRS_COMPARED

    def has(self, gone: int, came: int) -> bool:
        """Whether so many lines may be compared with so many; they are taken then."""
        if max(gone, came) > LINES_COMPARED or gone * came > self.pairs:
            return False
        self.pairs -= gone * came
        return True


def compare(old: str, new: str, room: _Room | None = None) -> Lines:
    """The lines of both texts as a unified diff has them; beyond what is compared, all of one and then all of the
    other. `room` is that of the call, of which this is one edit."""
    before, after = old[:CHARS_COMPARED].splitlines(), new[:CHARS_COMPARED].splitlines()
    head = _alike(before, after)
    tail = _alike(before[head:][::-1], after[head:][::-1])
    gone, came = before[head : len(before) - tail], after[head : len(after) - tail]
    lines: Lines = [(" ", line) for line in before[max(head - CONTEXT_LINES, 0) : head]]
    if not (room or _Room()).has(len(gone), len(came)):
        lines += [("-", line) for line in gone] + [("+", line) for line in came]
    else:
        lines += _matched(gone, came)
    end = len(before) - tail
    return lines + [(" ", line) for line in before[end : end + CONTEXT_LINES]]


def _matched(gone: list[str], came: list[str]) -> Lines:
    lines: Lines = []
    for at, group in enumerate(difflib.SequenceMatcher(None, gone, came).get_grouped_opcodes(CONTEXT_LINES)):
        if at:
            lines.append(("@", "…"))
        for kind, low, high, first, last in group:
            if kind == "equal":
                lines += [(" ", line) for line in gone[low:high]]
                continue
            lines += [("-", line) for line in gone[low:high]] + [("+", line) for line in came[first:last]]
    return lines


def _alike(one: list[str], other: list[str]) -> int:
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count


def _edit(path: str, lines: Lines) -> Edit:
    added, removed = (sum(mark == sign for mark, _ in lines) for sign in "+-")
    return Edit(path, tuple(lines[:LINES_SHOWN]), added, removed)


def _changes(tool: str, given: Mapping[str, object]) -> Iterator[tuple[str, str, str]]:
    """Path, old and new text of each change that a tool was asked for."""
    path = _path(given)
    several = given.get("edits")
    for one in [given, *(several if isinstance(several, list) else ())][: EDITS_MOST + 1]:
        if not isinstance(one, dict):
            continue
        for old_name, new_name in _PAIRS:
            old, new = one.get(old_name), one.get(new_name)
            if isinstance(new, str) and (isinstance(old, str) or old_name not in one):
                yield _path(one) or path, old if isinstance(old, str) else "", new
    if path and tool.lower() in _WRITES:
        yield from ((path, "", text) for text in map(given.get, _WHOLE) if isinstance(text, str))


def _path(holder: Mapping[str, object]) -> str:
    return next((text for text in map(holder.get, _PATHS) if isinstance(text, str)), "")


def _structured(answered: object) -> Edit | None:
    """The hunks of an answer of Claude Code; None where it has none."""
    hunks = answered.get("structuredPatch") if isinstance(answered, dict) else None
    if not isinstance(answered, dict) or not isinstance(hunks, list) or not hunks:
        return None
    lines: Lines = []
    for hunk in hunks[:EDITS_MOST]:
        texts = hunk.get("lines") if isinstance(hunk, dict) else None
        if not isinstance(texts, list):
            return None
        spans = (
            f"{sign}{hunk.get(f'{side}Start')},{hunk.get(f'{side}Lines')}"
            for sign, side in (("-", "old"), ("+", "new"))
        )
        lines.append(("@", f"@@ {' '.join(spans)} @@"))
        lines += [(text[:1] if text[:1] in "+-" else " ", text[1:]) for text in texts if isinstance(text, str)]
    return _edit(_path(answered), lines)


def _patch_text(given: object) -> str | None:
    """The patch that a tool was given, itself or among its arguments."""
    if isinstance(given, dict):
        given = [value for value in given.values() if isinstance(value, (str, list))]
    for one in given if isinstance(given, list) else (given,):
        for text in one if isinstance(one, list) else (one,):
            if isinstance(text, str) and _BEGIN in text[:10_000]:
                return text[text.index(_BEGIN) :]
    return None


def _patched(text: str) -> Iterator[Edit]:
    path, lines = "", list[tuple[str, str]]()
    count = 0
    for line in text[:CHARS_COMPARED].splitlines():
        section = next((name for name in _SECTIONS if line.startswith(name)), None)
        if section is None:
            if line.startswith("@@"):
                lines.append(("@", line))
            elif line[:1] in ("+", "-", " ") and path:
                lines.append((line[:1], line[1:]))
            continue
        if path:
            yield _edit(path, lines)
            count += 1
        path, lines = line[len(section) :], []
        if count >= EDITS_MOST:
            return
    if path:
        yield _edit(path, lines)
