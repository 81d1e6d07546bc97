"""Tokens: said once, known by a hash, worth nothing once revoked."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from eyelet_ingest import tokens
from eyelet_ingest.errors import BadInput, RootError


def test_a_token_is_found_by_what_was_said_and_by_nothing_else(root: str) -> None:
    said, made = tokens.create(root, "ci", ["work"], ["view", "write"])
    other, _ = tokens.create(root, "cd")
    assert said != other and said.startswith("eyt_") and len(said) >= 4 + 43
    assert tokens.find(root, said) == made
    for wrong in ("", "eyt_", said[:-1], said + "x", said.upper(), made.digest, "eyt_" + made.digest, "eyt_é\ud800"):
        assert tokens.find(root, wrong) is None


def test_the_token_itself_is_in_no_byte_under_the_root(root: str) -> None:
    said, _ = tokens.create(root, "ci")
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            assert said[4:].encode() not in path.read_bytes()
            assert path.stat().st_mode & 0o077 == 0


def test_a_revoked_token_is_worth_nothing(root: str) -> None:
    said, _ = tokens.create(root, "ci")
    kept, made = tokens.create(root, "cd")
    tokens.revoke(root, "ci")
    assert tokens.find(root, said) is None
    assert tokens.find(root, kept) == made
    assert [token.name for token in tokens.known(root)] == ["cd"]
    with pytest.raises(BadInput, match="none of that name"):
        tokens.revoke(root, "ci")


def test_rights_are_for_the_contexts_named(root: str) -> None:
    _, some = tokens.create(root, "some", ["Work Stuff", "b"], ["view"])
    assert some.contexts is not None and "b" in some.contexts and "Work Stuff" not in some.contexts
    assert some.grants("view", "b")
    assert not some.grants("view", "c")
    assert not some.grants("view", None)
    assert not some.grants("admin", "b")
    _, every = tokens.create(root, "every", [], ["admin"])
    assert every.contexts is None
    assert every.grants("admin", None) and every.grants("admin", "b")
    assert not every.grants("view", "b")


@pytest.mark.parametrize("name", ["", "a b", "x" * 65, "ü", "a/b", "a\n"])
def test_a_name_that_cannot_be_one_is_refused(root: str, name: str) -> None:
    with pytest.raises(BadInput):
        tokens.create(root, name)


def test_a_name_is_given_once(root: str) -> None:
    tokens.create(root, "ci")
    with pytest.raises(BadInput, match="one of that name"):
        tokens.create(root, "ci")


@pytest.mark.parametrize("allow", [[], ["delete"], ["view", "root"]])
def test_rights_that_do_not_exist_are_refused(root: str, allow: list[str]) -> None:
    with pytest.raises(BadInput, match="allow"):
        tokens.create(root, "ci", [], allow)


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"tokens": [{}]}', '{"tokens": [{"name": 5}]}', '{"tokens": 5}', "\xff"]
)
def test_a_file_that_is_none_lets_nobody_in_and_is_named(root: str, content: str) -> None:
    said, _ = tokens.create(root, "ci")
    path = Path(root, tokens.FILE_NAME)
    path.write_text(content, "latin-1")
    with pytest.raises(RootError, match=r"tokens\.json"):
        tokens.find(root, said)


def test_a_file_that_others_may_write_lets_nobody_in(root: str) -> None:
    said, _ = tokens.create(root, "ci")
    Path(root, tokens.FILE_NAME).chmod(0o622)
    with pytest.raises(RootError, match="others may write it"):
        tokens.find(root, said)


def test_of_tokens_made_at_once_none_is_lost(root: str) -> None:
    code = (
        "import sys; from eyelet_ingest import tokens\n"
        "for n in range(5): tokens.create(sys.argv[1], f'{sys.argv[2]}-{n}')"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, root, str(who)]) for who in range(4)]
    assert [process.wait() for process in running] == [0] * 4
    assert len({token.name for token in tokens.known(root)}) == 20


@pytest.mark.parametrize("which", [0, 2, None], ids=["the first", "the last", "none"])
def test_every_token_is_compared_whole_whichever_is_shown(
    root: str, which: "int | None", monkeypatch: pytest.MonkeyPatch
) -> None:
    """In constant time: each digest of 64 characters by `hmac.compare_digest`, and no fewer where one was found."""
    made = [tokens.create(root, f"t{n}")[0] for n in range(3)]
    shown = made[which] if which is not None else "eyt_" + "A" * 43
    compared: list[tuple[int, int]] = []
    real = tokens.hmac.compare_digest

    def counted(one: str, other: str) -> bool:
        compared.append((len(one), len(other)))
        return real(one, other)

    monkeypatch.setattr(tokens.hmac, "compare_digest", counted)
    found = tokens.find(root, shown)
    assert compared == [(64, 64)] * 3
    assert found is None if which is None else found is not None and found.name == f"t{which}"


def test_a_token_says_nothing_that_was_not_random_for_256_bits(root: str) -> None:
    said = {tokens.create(root, f"t{n}")[0] for n in range(20)}
    assert len(said) == 20 and {len(one) for one in said} == {len(tokens.PREFIX) + 43}


@pytest.fixture
def remembered(root: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A token that was shown before, by a file that was written long enough ago to be remembered."""
    monkeypatch.setattr(tokens, "SETTLED_NS", -(10**12))
    said, _ = tokens.create(root, "ci")
    assert tokens.at_hand(root) is None
    tokens.find(root, said)
    assert [token.name for token in tokens.at_hand(root) or ()] == ["ci"]
    return said


def revoked(path: Path) -> None:
    tokens.revoke(str(path.parent), "ci")


def edited(path: Path) -> None:
    content = path.read_text().replace('"ci"', '"co"')  # as long, and in the same file
    path.write_text(content)


@pytest.mark.parametrize("change", [revoked, edited, Path.unlink, lambda path: path.chmod(0o622)])
def test_tokens_are_remembered_only_while_their_file_is_as_it_was(
    root: str, remembered: str, change: "Callable[[Path], object]"
) -> None:
    change(Path(root, tokens.FILE_NAME))
    assert tokens.at_hand(root) is None


def test_a_file_that_was_written_just_now_is_not_remembered(root: str) -> None:
    """Its clock may stand still while it is written once more."""
    said, _ = tokens.create(root, "ci")
    for _ in range(2):
        assert tokens.find(root, said) is not None
        assert tokens.at_hand(root) is None


def test_what_is_remembered_finds_what_the_file_says(root: str, remembered: str) -> None:
    held = tokens.at_hand(root)
    assert held is not None
    assert tokens.among(held, remembered) == tokens.find(root, remembered)
    for wrong in ("", "eyt_" + "A" * 43, remembered + "x" * 200, remembered[:-1]):
        assert tokens.among(held, wrong) is None
    held_before = list(held)
    tokens.create(root, "more")
    assert held == held_before, "who changes the tokens changes none that are remembered"
