"""Filter → (sql, params). Pure: opens nothing, knows no path. The one place where a filter becomes SQL."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Filter:
    """What to look for. Empty means no condition; several values of one field are alternatives (OR).

    `since_us` and `until_us` are microseconds since 1970 UTC, half-open: since ≤ event < until.
    `contexts` are given names (made safe by the search). `src` values match the name itself and what lies
    below its dots; with a trailing `*` they are plain text prefixes. `text` is looked for as a substring of
    the payload, without regard to ASCII case.
    """

    since_us: int | None = None
    until_us: int | None = None
    contexts: tuple[str, ...] = ()
    src: tuple[str, ...] = ()
    hook_type: tuple[str, ...] = ()
    tool_name: tuple[str, ...] = ()
    session_id: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    agent: tuple[str, ...] = ()
    model: tuple[str, ...] = ()
    git_branch: tuple[str, ...] = ()
    errors: bool = False
    text: str = ""
