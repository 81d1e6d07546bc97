"""Paths as people give them → the recordings they name: files, folders, globs, `-` for standard input.

Everything is looked for before anything is read, so that a misspelt path is an error with nothing half done.
"""

import glob
import os
from collections.abc import Iterable, Iterator

from eyelet_ingest.errors import BadInput
from eyelet_ingest.opencode_folder import is_storage

STDIN = "-"
KEY = "secret.key"  # a folder that has it is a root of ours
# What a root keeps there.
OWN = frozenset(("logs", "spool", "archive", "alongside", "words", "tokens.json", "retention.json"))
ENDINGS = (".jsonl", ".ndjson", ".json")
COMPRESSED = (".gz", ".zst")


def find(paths: Iterable[str], endings: "tuple[str, ...]" = ()) -> list[str]:
    """The files that `paths` name, absolute, each real file once, in order; `-` stays `-`.

    A folder stands for every file with one of ENDINGS in and below it (also `.gz` and `.zst`), a transcript for the
    subagents' transcripts in the folder beside it too; `endings` are further ones that count in folders. BadInput for a
    path that names nothing or cannot be read.
    """
    found: dict[str, str] = {}
    for path in paths:
        for file in _of(path, (*ENDINGS, *endings)):
            real = file if file == STDIN else os.path.realpath(file)
            found.setdefault(real, file)
    for file in found.values():
        if file != STDIN and not os.access(file, os.R_OK):
            raise BadInput("cannot read", file, "permission denied", "is it yours?")
    return list(found.values())


def databases(paths: Iterable[str], endings: tuple[str, ...]) -> list[str]:
    """The files with these endings in and below the folders among `paths`."""
    folders = [absolute(path) for path in paths if path != STDIN and os.path.isdir(absolute(path))]
    return list(dict.fromkeys(file for folder in folders for file in _below(folder, set(), endings)))


def absolute(path: str) -> str:
    """The path from the root on, `~` expanded; BadInput for a relative one in a folder that is gone."""
    try:
        return os.path.abspath(os.path.expanduser(path))
    except OSError as bad:
        raise BadInput("cannot find", path, "the folder you are in is gone", "name it from / on") from bad


def stem(path: str) -> str:
    """The file's name without the endings that recordings have: `a` of `/x/a.jsonl.gz`."""
    name = _unpacked(os.path.basename(path))
    for ending in ENDINGS:
        name = name.removesuffix(ending)
    return name


def _unpacked(name: str) -> str:
    """The name without the ending of a packed file."""
    return name[: name.rindex(".")] if name.endswith(COMPRESSED) else name


def siblings(path: str) -> list[str]:
    """The other files of the folder whose names begin like this one's: where rotation puts what it moves away."""
    folder, name = os.path.split(os.path.abspath(path))
    beginning = stem(path)
    try:
        entries = [entry.name for entry in os.scandir(folder) if entry.is_file()]
    except OSError:
        return []
    return [os.path.join(folder, other) for other in sorted(entries) if other != name and other.startswith(beginning)]


def _of(path: str, endings: "tuple[str, ...]") -> Iterator[str]:
    if path == STDIN:
        yield STDIN
        return
    path = absolute(path)
    if os.path.isdir(path):
        yield from _below(path, set(), endings)
    elif os.path.exists(path):
        yield path
        yield from _subagents(path)
    elif glob.has_magic(path):
        matches = sorted(glob.glob(path, recursive=True))
        if not matches:
            raise BadInput("cannot find", path, "no file matches this pattern")
        for match in matches:
            yield from _below(match, set(), endings) if os.path.isdir(match) else (match, *_subagents(match))
    else:
        reason = "it is a link to nothing" if os.path.islink(path) else "there is no such file or folder"
        raise BadInput("cannot find", path, reason)


def _below(folder: str, above: "set[str]", endings: tuple[str, ...] = ENDINGS) -> Iterator[str]:
    """The recordings in and below `folder`; `above` holds the real folders on the way, against links in a circle."""
    real = os.path.realpath(folder)
    if real in above:
        return
    if is_storage(folder):
        yield from [folder] if ENDINGS[-1] in endings else []
        return
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as bad:
        raise BadInput("cannot read", folder, bad.strerror or str(bad), "is it yours?") from bad
    if any(entry.name == KEY for entry in entries):  # recordings may lie in a root: the original Eyelet's do
        entries = [entry for entry in entries if entry.name not in OWN]
    for entry in entries:
        if entry.is_dir():
            yield from _below(entry.path, above | {real}, endings)
        elif _unpacked(entry.name).endswith(endings) and entry.is_file():
            yield entry.path


def _subagents(path: str) -> list[str]:
    folder = os.path.join(os.path.dirname(path), stem(path), "subagents")
    if not _unpacked(path).endswith(".jsonl") or not os.path.isdir(folder):
        return []
    return list(_below(folder, set()))
