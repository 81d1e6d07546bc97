"""The rules of redaction: what a secret looks like, and which marker takes its place.

Loaded by `redaction.py` only when a probe hits. Shapes of tokens are facts from the providers' documentation and
from the public rule sets gitleaks, detect-secrets and trufflehog; docs/redaction.md names them kind by kind.

Every pattern runs in linear time: one quantifier a run, bounded where a match can still fail behind it, and no
quantifier around another. Every rule leaves a marker where it stands, so that redacting twice is redacting once.
"""

from eyelet_ingest import redaction_commands, redaction_forms, redaction_providers, redaction_tables
from eyelet_ingest.patterns import A, I, compiled
from eyelet_ingest.redaction_assignments import redact_named
from eyelet_ingest.redaction_commands import redact_commands
from eyelet_ingest.redaction_encoded import redact_packed, redact_views
from eyelet_ingest.redaction_forms import redact_forms
from eyelet_ingest.redaction_names import MARKED, is_placeholder
from eyelet_ingest.redaction_plain import plain as plain  # every marker needs it: with the rules it comes at once
from eyelet_ingest.redaction_private import redact_private
from eyelet_ingest.redaction_providers import EDGE, redact_tokens
from eyelet_ingest.redaction_tables import redact_tables, redact_tails

TYPE_CHECKING = False  # as typing has it, without its import
if TYPE_CHECKING:
    import re
    from collections.abc import Callable

    from eyelet_ingest.redaction import Mark

# How often the rules run over a text that changed: a marker may complete what another rule looks for. What comes back
# is looked at no more (`redaction_walk.py`), so a text that still changes has its time; a view is a part of one.
_ROUNDS = 16
_VIEW_ROUNDS = 4

_W = r"[A-Za-z0-9_-]"
_BEARER = r"(\bbearer(?:[ \t]{1,4}|[:=+]|%20)\\{0,7}[\"']?)((?=[A-Za-z._~+/=-]{0,80}[0-9])[A-Za-z0-9._~+/=-]{16,})"
_JWT_TAIL = rf"\.eyJ{_W}{{8,}}(?:\.{_W}*)?"
_JWT_HEAD = EDGE + r"eyJ[A-Za-z0-9]{17}"  # base64 of ASCII has no other characters
_JWT_CHARS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
_JWT_HEADER_MAX_CHARS = 4096
_BEGIN = r"-{4,5} ?BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)? ?-{4,5}"
_END = r"-{4,5} ?END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)? ?-{4,5}"
# What tells a key that was cut off from a BEGIN line in a program: base64 soon after it, or nothing else at all.
_KEY_BODY = r"(?=[\s\S]{0,400}?[A-Za-z0-9+/]{32})|[A-Za-z0-9+/=\s\\:,|>-]{0,400}\Z"
_USERINFO = (
    rf"(:(?:\\{{0,7}}/){{2}})(?:({MARKED}|[^\s/:\"'<>\\`?#\[\]]{{0,256}}):([^\s/\"'<>\\`]{{1,512}})"
    r"|([^\s/:@\"'<>\\`?#\[\]]{16,512}))@"
)
_LIKE_TOKEN = r"(?=[A-Za-z_-]*[0-9])(?=[0-9_-]*[A-Za-z])[A-Za-z0-9_-]{20,}"
_ESCAPE = r"\\{1,8}u00([2-7][0-9a-f])"
_SPACE = r"(?<=[\"'])\s+(?=[:=,])|(?<=[:=,\[{])\s+(?=\\{0,7}[\"'\[{])"


def redact(text: str, mark: "Mark", own: "Callable[[str], str] | None" = None) -> str:
    """`text` with every secret replaced by what `mark` makes of it; the same object where there is none.

    `own` are rules of the user, who see what ours have left.
    """
    for _ in range(_ROUNDS):
        safe = _round(redact_views(text, mark, _redact_view), mark)
        safe = redact_packed(safe, mark, _redact_view)
        if own is not None:
            safe = own(safe)
        if safe == text:
            break
        text = safe
    return text


def _redact_view(view: str, mark: "Mark") -> str:
    """The same for what a text spells in another form, in which is one form more at most."""
    for _ in range(_VIEW_ROUNDS):
        safe = _round(redact_views(view, mark, _redact_plain), mark)
        safe = redact_packed(safe, mark, _redact_plain)
        if safe == view:
            break
        view = safe
    return view


def _redact_plain(view: str, mark: "Mark") -> str:
    for _ in range(_VIEW_ROUNDS):
        safe = _round(view, mark)
        if safe == view:
            break
        view = safe
    return view


def redact_damaged(text: str, mark: "Mark", own: "Callable[[str], str] | None" = None) -> str:
    """The same for what should be JSON and is not: behind escapes, odd white space and NUL characters too.

    Where a secret stood behind them, the text comes back without them: it is kept for looking at.
    """
    safe = redact(text, mark, own)
    plain = _compiled(_ESCAPE, I).sub(_unescaped, safe)
    plain = _compiled(_SPACE).sub(" ", plain)
    for other in (plain, plain.replace("\0", "")):
        if other != safe:
            found = redact(other, mark, own)
            safe = safe if found == other else found
    return safe


def _round(text: str, mark: "Mark") -> str:
    text = redact_private(text, mark)  # first: nothing within is of interest any more
    if "PRIVATE KEY" in text:
        text = redact_tails(_redact_key_blocks(text, mark), mark)
    text = redact_tokens(text, mark)
    if ".eyJ" in text:
        text = _redact_jwts(text, mark)
    if "@" in text:
        text = _compiled(_USERINFO).sub(_without_userinfo(mark), text)
    text = redact_named(text, mark)
    if "bearer" in text.lower():  # a pattern that ignores case looks at every character
        text = _compiled(_BEARER, I).sub(_unless_placeholder("bearer-token", mark), text)
    return redact_tables(redact_forms(redact_commands(text, mark), mark), mark)


def _unless_placeholder(kind: str, mark: "Mark") -> "Callable[[re.Match[str]], str]":
    def replaced(match: "re.Match[str]") -> str:
        return match[0] if is_placeholder(match[2]) else match[1] + mark(kind, match[2])

    return replaced


def _without_userinfo(mark: "Mark") -> "Callable[[re.Match[str]], str]":
    """The password goes, and a user that is a token; a plain user stays."""

    def replaced(match: "re.Match[str]") -> str:
        scheme, user, password, alone = match.groups()
        name = user if alone is None else alone
        if _compiled(_LIKE_TOKEN).fullmatch(name):
            name = mark("url-token", name)
        if alone is not None:
            return f"{scheme}{name}@"
        is_port = password.isdigit() and len(password) <= 5 and (user == "localhost" or "." in user)
        if not is_port and not is_placeholder(password):
            password = mark("url-password", password)
        return f"{scheme}{name}:{password}@"

    return replaced


def _redact_jwts(text: str, mark: "Mark") -> str:
    """JSON web tokens, found by their second part: searching forward from every `eyJ` would be quadratic."""
    pieces: list[str] = []
    done = 0
    for match in _compiled(_JWT_TAIL).finditer(text):
        head = text[max(done, match.start() - _JWT_HEADER_MAX_CHARS) : match.start()]
        header = head[len(head.rstrip(_JWT_CHARS)) :]
        begin = _compiled(_JWT_HEAD).search(text, match.start() - len(header), match.start())
        if begin is None:
            continue
        start = begin.start()
        pieces += (text[done:start], mark("jwt", text[start : match.end()]))
        done = match.end()
    return "".join((*pieces, text[done:]))


def _redact_key_blocks(text: str, mark: "Mark") -> str:
    """Private key blocks, to their END line; one that was cut off before it goes to the end of the text.

    A BEGIN line that is only spoken of, with no key behind it, stays.
    """
    pieces: list[str] = []
    done = 0
    ends = _compiled(_END).finditer(text)
    end = next(ends, None)
    begins = list(_compiled(_BEGIN).finditer(text))
    for nth, begin in enumerate(begins):
        if begin.start() < done:
            continue
        following = begins[nth + 1] if nth + 1 < len(begins) else None
        while end is not None and end.start() < begin.end():
            end = next(ends, None)
        is_closed = end is not None and (following is None or end.start() < following.start())
        if end is not None and is_closed:
            stop = end.end()
        elif _compiled(_KEY_BODY).match(text, begin.end()):
            stop = len(text) if following is None else following.start()
        else:
            continue
        pieces += (text[done : begin.start()], mark("private-key", text[begin.start() : stop]))
        done = stop
    return "".join((*pieces, text[done:]))


def compile_all() -> None:
    """Compile every pattern of these rules, for a bundle to write them down."""
    redaction_providers.compile_all()
    redaction_commands.compile_all()
    redaction_forms.compile_all()
    redaction_tables.compile_all()
    patterns = (_JWT_HEAD, _JWT_TAIL, _BEGIN, _END, _KEY_BODY, _USERINFO, _LIKE_TOKEN, _SPACE)
    for pattern in patterns:
        _compiled(pattern)
    for pattern in (_BEARER, _ESCAPE):
        _compiled(pattern, I)


def _compiled(pattern: str, flags: int = 0) -> "re.Pattern[str]":
    return compiled(pattern, A | flags)


def _unescaped(escape: "re.Match[str]") -> str:
    """The character; what would end the string it is in stays escaped."""
    char = chr(int(escape[1], 16))
    return "\\" + char if char in '"\\' else char
