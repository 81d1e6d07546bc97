"""Whose the lines of a Codex rollout are: the thread that its head names, or the one it was forked from.

A fork, and a subagent that was given its parent's history, begins with a copy of it: behind its own `session_meta` come
the parent's and the parent's lines. Some versions copy them as they are, and then they are older than the head: the
same records, and the parent's. Others write each with the time of the copying, all within a moment; those are marked,
as what they say did not happen again (issues 897, 1349 and 1370 of ccusage/ccusage and 38 of egoist/waku: tokens
counted three to seven times; openai/codex, `InitialHistory::Forked`).
"""

from typing import NamedTuple

from eyelet_ingest.sources.text import PATH_MAX_CHARS, optional, plain

GAP_US = 1_000_000  # a longer pause, and the copying is over: no model answers within it
SAME, ANEW = "same", "anew"


class Thread(NamedTuple):
    """What a `session_meta` says of all that follows."""

    thread: str = ""
    session: str = ""
    agent_id: str | None = None
    version: str = ""
    branch: str = ""
    folder: str | None = None
    forked_from: str = ""

    @classmethod
    def of(cls, head: "dict[str, object]") -> "Thread":
        get = head.get
        thread = plain(get("id"))
        session, agent_id = plain(get("session_id")) or thread, None
        source = get("source")
        spawned = source.get("subagent") if isinstance(source, dict) else None
        if spawned is not None:
            agent_id = optional(thread)
            session = _parent_of(spawned) or session if session == thread else session
        elif thread and thread != session:
            agent_id = thread
        git = get("git")
        branch = plain(git.get("branch")) if isinstance(git, dict) else ""
        folder = optional(get("cwd"), PATH_MAX_CHARS)
        return cls(thread, session, agent_id, plain(get("cli_version")), branch, folder, plain(get("forked_from_id")))


class Threads:
    """The thread of each line of one file, in their order; `how` is SAME or ANEW of a copy, "" of the file's own."""

    __slots__ = ("_after_head", "_head_us", "_is_open", "_last_us", "_own", "_verbatim", "how", "now")

    def __init__(self) -> None:
        self._own = self.now = Thread()
        self.how = ""
        self._is_open = self._verbatim = self._after_head = False
        self._head_us: int | None = None
        self._last_us = 0

    def head(self, said: "dict[str, object]", time_us: int | None) -> None:
        """Take a `session_meta`: the file's own, that of what was copied, or the next file's of a stream of several."""
        found = Thread.of(said)
        copied = self._is_open or (self._after_head and found.thread != self._own.thread)
        self._after_head = False
        if copied and self._copied(time_us):
            self.now = found if self.how == SAME else self._own
            return
        self._own = self.now = found
        self.how, self._after_head = "", True
        self._is_open, self._verbatim = bool(found.forked_from), False
        self._head_us = time_us
        self._last_us = time_us or 0

    def line(self, time_us: int | None) -> None:
        """Take any other line."""
        self._after_head = False
        if not (self._is_open and self._copied(time_us)):
            self.how, self.now = "", self._own
        elif self.how == SAME and self.now is self._own:
            self.now = Thread(session=self._own.forked_from or self._own.session)

    def _copied(self, time_us: int | None) -> bool:
        """Whether a line is a copy; sets `how`."""
        head_us = self._head_us
        self._is_open = True
        if time_us is not None and head_us is not None:
            if time_us < head_us:
                self._verbatim = True
            elif self._verbatim or time_us - self._last_us > GAP_US:
                self._is_open = False
                return False
            else:
                self._last_us = time_us
        self.how = SAME if self._verbatim else ANEW
        return True


def _parent_of(spawned: object) -> str:
    """The thread that has started a subagent: {"thread_spawn": {"parent_thread_id": …}}."""
    how = spawned.get("thread_spawn") if isinstance(spawned, dict) else None
    return plain(how.get("parent_thread_id")) if isinstance(how, dict) else ""
