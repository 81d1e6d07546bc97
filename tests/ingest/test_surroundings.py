"""What a hook knows of where it runs: everybody's settings, git's facts as git says them, and when it rests."""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import yaml
from hypothesis import strategies as st

from eyelet_ingest import git_facts, pause, settings, surroundings
from eyelet_ingest.surroundings import Surroundings

WORDS = {one.name: st.sampled_from(one.words) for one in settings.SETTINGS if one.words}
VALUES = {
    "flag": st.booleans(),
    "path": st.sampled_from(["~/.elsewhere", "/srv/eyelet", "rel/ative"]),
    "inner path": st.sampled_from(["logs", ".a/b"]),
    "name": st.sampled_from(["project", "team one", "x"]),
    "count": st.integers(0, 100),
    "url": st.sampled_from(["", "https://alerts.example/eyelet"]),
    "command": st.lists(st.sampled_from(["notify", "--now"]), max_size=2),
    "names": st.lists(st.sampled_from(["CLAUDE*", "HOME", "MY_*"]), max_size=3),
    "patterns": st.dictionaries(
        st.sampled_from(["acme-key", "build", "x1"]), st.sampled_from(["ACME-[A-Z]{9}", "(?i)a b: (?P<secret>\\w{4,})"])
    ),
    "values": st.lists(st.sampled_from(["not a secret", "/test-[a-z]{1,40}/", "\u00fc"]), max_size=3),
    "fields": st.dictionaries(st.text(max_size=5), st.text(max_size=5) | st.booleans() | st.integers(0, 9), max_size=3),
}


def a_file(of_project: bool) -> st.SearchStrategy[dict[str, Any]]:
    may = [one for one in settings.SETTINGS if one.of_project or not of_project]
    parts = {one.name: WORDS[one.name] if one.words else VALUES[one.kind] for one in may}
    return st.fixed_dictionaries({}, optional=parts)


def as_yaml(said: dict[str, Any]) -> str:
    top: dict[str, Any] = {}
    for name, value in said.items():
        group, dot, last = name.partition(".")
        if dot:
            top.setdefault(group, {})[last] = value
        else:
            top[name] = value
    return str(yaml.safe_dump(top, allow_unicode=True)) if top else ""


@hypothesis.settings(max_examples=15, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
@hypothesis.given(
    a_file(False) | st.none(),
    a_file(True) | st.none(),
    st.fixed_dictionaries(
        {},
        optional={
            "EYELET_FORMAT": st.sampled_from(["json", "both", ""]),
            "EYELET_SCOPE": st.sampled_from(["project", "both"]),
            "EYELET_CONTEXT": st.sampled_from(["other", ""]),
            "EYELET_ROOT": st.just("/srv/other"),
            "EYELET_ENABLED": st.sampled_from(["0", "true", "FALSE", "1"]),
            "EYELET_DISABLED": st.sampled_from(["0", "1"]),
        },
    ),
)
def test_a_hook_has_the_settings_that_everybody_has(
    world: dict[str, Any] | None, project: dict[str, Any] | None, environment: dict[str, str]
) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        start = Path(folder, "shop", "src")
        start.mkdir(parents=True)
        (start.parent / ".git").mkdir()
        patch.setenv("EYELET_CONFIG", f"{folder}/home/eyelet.yaml")
        os.mkdir(f"{folder}/home")
        for path, said in ((Path(folder, "home", "eyelet.yaml"), world), (start.parent / "eyelet.yaml", project)):
            if said is not None:
                path.write_text(as_yaml(said), encoding="utf-8")
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setattr(surroundings, "WAIT_MS", 20_000)
        found = Surroundings(str(start))
        held = settings.effective(str(start))
        assert (found.problem, found.settings) == ("", settings.compiled(held))
        assert found.project == held.project == str(start.parent)
        assert held.root in found.roots() or found.settings["scope"] == "project"
        assert held.project_root in found.roots() or found.settings["scope"] == "global"


def test_without_files_the_defaults_hold() -> None:
    assert settings.compiled(settings.effective()) == surroundings.DEFAULTS


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(surroundings, "WAIT_MS", 20_000)
    folder = tmp_path / "work" / "shop"
    (folder / ".git").mkdir(parents=True)
    return folder


def test_a_change_of_a_file_counts_from_the_next_hook_on(project: Path) -> None:
    path = project / "eyelet.yaml"
    assert Surroundings(str(project)).context == "default"
    for name in ("one", "two", "one"):
        path.write_text(f"context: {name}\n")
        assert Surroundings(str(project)).context == name
    path.unlink()
    assert Surroundings(str(project)).context == "default"
    path.write_text("context: project\n")
    assert Surroundings(str(project)).context == "shop"


def test_a_file_that_is_wrong_leaves_what_held_last_and_says_so(project: Path) -> None:
    path = project / "eyelet.yaml"
    path.write_text("context: one\n")
    assert Surroundings(str(project)).context == "one"
    path.write_text("context: two\nlogging:\n  formt: json\n")
    found = Surroundings(str(project))
    assert found.context == "one"
    assert f"{path}:3: there is no setting logging.formt" in found.problem
    path.write_text("context: three\n")
    assert (Surroundings(str(project)).context, Surroundings(str(project)).problem) == ("three", "")


def test_a_file_that_says_off_is_obeyed_even_where_it_cannot_be_read_as_it_should(project: Path) -> None:
    (project / "eyelet.yaml").write_text("logging:\n  enabled: false  # not here\n  formt: json\n")
    assert Surroundings(str(project)).settings["enabled"] is False
    (project / "eyelet.yaml").write_text("logging:\n  # enabled: false\n  formt: json\n")
    assert Surroundings(str(project)).settings["enabled"] is True


def test_where_nothing_can_read_the_settings_in_time_the_hook_goes_on(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "eyelet.yaml").write_text("context: one\n")
    monkeypatch.setattr(surroundings, "WAIT_MS", 0)
    found = Surroundings(str(project))
    assert found.context == "default"
    assert found.problem == "the settings were changed and could not be read in time"
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    (project / "eyelet.yaml").write_text("context: twice\n")
    assert Surroundings(str(project)).settings["enabled"] is True


def test_a_cache_that_was_cut_short_is_made_anew(project: Path) -> None:
    (project / "eyelet.yaml").write_text("context: one\n")
    assert Surroundings(str(project)).context == "one"
    (kept,) = Path("~/.eyelet/cache").expanduser().iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600
    for content in (b"", kept.read_bytes()[:-3], b"nonsense"):
        kept.write_bytes(content)
        assert Surroundings(str(project)).context == "one"


def test_a_reader_of_older_settings_who_ends_meanwhile_is_not_waited_for_in_vain(project: Path) -> None:
    (project / "eyelet.yaml").write_text("context: one\n")
    assert Surroundings(str(project)).context == "one"
    (kept,) = Path("~/.eyelet/cache").expanduser().iterdir()
    mark = Path(f"{kept}.making")
    mark.touch()  # somebody is reading what was there before
    (project / "eyelet.yaml").write_text("context: two\n")
    ends = threading.Timer(0.2, mark.unlink)
    ends.start()
    assert Surroundings(str(project)).context == "two"
    ends.join()


def test_many_at_once_read_changed_settings_once_and_all_have_them(project: Path) -> None:
    (project / "eyelet.yaml").write_text("context: one\n")
    with ThreadPoolExecutor(16) as threads:
        found = list(threads.map(lambda _: Surroundings(str(project)).context, range(64)))
    assert set(found) == {"one"}


# --- git


def git(folder: Path, *args: str) -> str:
    names = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    command = ["git", "-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always", *args]
    done = subprocess.run(command, cwd=folder, env={**os.environ, **names}, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def said_by_git(folder: Path) -> dict[str, str]:
    found = {"commit": git(folder, "rev-parse", "HEAD")}
    branch = git(folder, "branch", "--show-current")
    return {"branch": branch, **found} if branch else found


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    if shutil.which("git") is None:
        pytest.skip("git is not there")
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q")
    git(folder, "commit", "-q", "--allow-empty", "-m", "one")
    return folder


def facts(folder: Path) -> dict[str, str]:
    return git_facts.facts(git_facts.folder_of(str(folder))[1])


def test_branch_and_commit_are_what_git_says(repository: Path, tmp_path: Path) -> None:
    deep = repository / "a" / "b"
    deep.mkdir(parents=True)
    assert facts(deep) == said_by_git(repository)
    git(repository, "switch", "-q", "-c", "feature/of-some#name")
    git(repository, "commit", "-q", "--allow-empty", "-m", "two")
    assert facts(repository) == said_by_git(repository)
    git(repository, "pack-refs", "--all")
    assert facts(repository) == said_by_git(repository)
    git(repository, "worktree", "add", "-q", "-b", "other", str(tmp_path / "tree"))
    git(tmp_path / "tree", "commit", "-q", "--allow-empty", "-m", "three")
    assert facts(tmp_path / "tree") == said_by_git(tmp_path / "tree") != facts(repository)
    git(repository, "checkout", "-q", "--detach")
    assert facts(repository) == said_by_git(repository)
    assert "branch" not in facts(repository)


def test_a_submodule_has_its_own(repository: Path, tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init", "-q")
    git(outer, "submodule", "--quiet", "add", str(repository), "inner")
    found = facts(outer / "inner")
    assert found == {**said_by_git(outer / "inner"), "remote": str(repository)}
    assert git_facts.folder_of(str(outer / "inner"))[0] == str(outer / "inner")


def test_a_repository_without_a_commit_has_a_branch(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "new")
    assert facts(tmp_path / "new") == {"branch": "main"}


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://github.com/a/b.git", "https://github.com/a/b.git"),
        ("https://me:hunter2@github.com/a/b.git", "https://github.com/a/b.git"),
        ("https://ghp_0123456789@github.com/a/b", "https://github.com/a/b"),
        ("https://me:p@ss@host:8443/a@b", "https://host:8443/a@b"),
        ("https://host/a?private_token=x#y", "https://host/a"),
        ("ssh://git@host:22/a", "ssh://host:22/a"),
        ("git@github.com:a/b.git", "git@github.com:a/b.git"),
        ("me:hunter2@host:a/b.git", "me@host:a/b.git"),
        ("/srv/git/a.git", "/srv/git/a.git"),
    ],
)
def test_a_remote_is_kept_without_credentials(url: str, kept: str, repository: Path) -> None:
    git(repository, "remote", "add", "upstream", "https://elsewhere/x")
    git(repository, "remote", "add", "origin", url)
    assert facts(repository)["remote"] == kept


def test_what_is_no_repository_says_nothing(tmp_path: Path) -> None:
    assert git_facts.folder_of(str(tmp_path)) == ("", "")
    hostile = tmp_path / "hostile"
    hostile.mkdir()
    (hostile / ".git").write_text("gitdir: /nowhere\n")
    assert git_facts.folder_of(str(hostile)) == ("", "")
    (hostile / ".git").unlink()
    (hostile / ".git").mkdir()
    for head in (
        "ref: refs/heads/../../../../etc/passwd",
        "ref: /etc/passwd",
        "ref:",
        "\0",
        "",
        "ref: refs/heads/.invalid",
    ):
        (hostile / ".git" / "HEAD").write_text(head)
        assert facts(hostile).keys() <= {"branch"}
    (hostile / ".git" / "HEAD").unlink()
    os.mkfifo(hostile / ".git" / "HEAD")
    assert facts(hostile) == {}


# --- rest


def test_a_rest_holds_for_its_project_and_its_time(tmp_path: Path) -> None:
    home, now_s = str(tmp_path), time.time()
    assert not pause.rests(home, ("/work/a",))
    (tmp_path / pause.FILE_NAME).write_text(f"0\t/work/a\n{int(now_s + 60)}\t/work/b\n{int(now_s - 60)}\t\nnonsense\n")
    assert pause.rests(home, ("/work/a/src", "/work/a"))
    assert not pause.rests(home, ("/work",))
    assert pause.rests(home, ("/work/b",))
    assert not pause.rests(home, ("/work/b",), now_s + 61)
    (tmp_path / pause.FILE_NAME).write_text("0\t\n")
    assert pause.rests(home, ("/anywhere",))
