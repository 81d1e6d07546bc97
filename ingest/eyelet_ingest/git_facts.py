"""What git says of a folder, read from git's own files: a git process costs more than the hook, and runs what a hostile
repository tells it to. Light: the hook imports it.

Whether a tree is dirty stands in no file; it takes git itself to compare.
"""

from eyelet_ingest.system import os

MOST_LEVELS = 64
SMALL_BYTES = 4_096
MOST_BYTES = 4 * 2**20  # of packed-refs; a longer one is not searched
CONFIG_BYTES = 64 * 1_024
_HEX = frozenset("0123456789abcdef")


def folder_of(start: str) -> "tuple[str, str]":
    """The working tree that `start` lies in and its git folder; ("", "") where there is none."""
    folder = os.path.abspath(start)
    for _ in range(MOST_LEVELS):
        git = os.path.join(folder, ".git")
        if os.path.isdir(git):
            return folder, git
        if os.path.isfile(git):  # a worktree or a submodule says where its folder is
            said = _text(git, SMALL_BYTES)
            if said.startswith("gitdir:"):
                git = os.path.join(folder, said[7:].strip())
                return (folder, git) if os.path.isdir(git) else ("", "")
        above = os.path.dirname(folder)
        if above == folder:
            break
        folder = above
    return "", ""


def facts(git: str) -> "dict[str, str]":
    """branch, commit and remote of the git folder, as far as its files say; the remote without credentials."""
    found: dict[str, str] = {}
    common = os.path.join(git, _text(os.path.join(git, "commondir"), SMALL_BYTES).strip() or ".")
    head = _text(os.path.join(git, "HEAD"), SMALL_BYTES).strip()
    if head.startswith("ref:"):
        ref = head[4:].strip()
        if ref.startswith("refs/heads/") and ref != "refs/heads/.invalid":  # that is what HEAD holds of a reftable
            found["branch"] = ref[11:]
        commit = _commit(git, common, ref)
    else:
        commit = head
    if _is_commit(commit):
        found["commit"] = commit
    remote = _remote(common)
    if remote:
        found["remote"] = remote
    return found


def _commit(git: str, common: str, ref: str) -> str:
    if not ref.startswith("refs/") or ".." in ref or "\0" in ref:
        return ""
    for folder in (git, common) if git != common else (git,):
        commit = _text(os.path.join(folder, ref), SMALL_BYTES).strip()
        if commit:
            return commit
    packed = "\n" + _text(os.path.join(common, "packed-refs"), MOST_BYTES)
    at = packed.find(f" {ref}\n")
    return packed[packed.rfind("\n", 0, at) + 1 : at] if at >= 0 else ""


def _is_commit(text: str) -> bool:
    return len(text) in (40, 64) and _HEX.issuperset(text)


def _remote(common: str) -> str:
    """The address of `origin`, else of the first remote that has one."""
    remotes: dict[str, str] = {}
    name = ""
    for line in _text(os.path.join(common, "config"), CONFIG_BYTES).splitlines():
        line = line.strip()
        if line.startswith("["):
            name = line[8:].split('"')[1] if line.lower().startswith("[remote ") and line.count('"') >= 2 else ""
        elif name and line[:3].lower() == "url" and line[3:].lstrip().startswith("="):
            remotes.setdefault(name, line[3:].lstrip()[1:].strip().strip('"'))
    return without_credentials(remotes.get("origin") or next(iter(remotes.values()), ""))


def without_credentials(url: str) -> str:
    """The address without who signs in and with what, and without a query, where some put tokens."""
    scheme, slashes, rest = url.partition("://")
    if not slashes:
        who, at, path = url.rpartition("@")  # user@host:path; a password has no place there, but people find one
        return f"{who.split(':')[0]}@{path}" if at and ":" in who else url
    rest = rest.split("?")[0].split("#")[0]
    authority, slash, path = rest.partition("/")
    return f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}"


def _text(path: str, most_bytes: int) -> str:
    """What the file says; "" for none, for one that is longer, and for what is no regular file."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except (OSError, ValueError):
        return ""
    try:
        there = os.fstat(handle)
        if there.st_mode & 0o170000 != 0o100000 or there.st_size > most_bytes:
            return ""
        return os.read(handle, most_bytes).decode("utf-8", "replace")
    except OSError:
        return ""
    finally:
        os.close(handle)
