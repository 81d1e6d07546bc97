"""Secrets that only the place they stand in tells of: an argument of a call, a parameter of an address, a record.

Each rule has a literal that must be there, a pattern with the kept part and the secret, and a judge of the secret:
a place tells less than a name, so what stands there has to look random, too.
"""

from eyelet_ingest.patterns import A, I, compiled
from eyelet_ingest.redaction_names import Candidate, is_placeholder, is_secret, kind_of_name
from eyelet_ingest.redaction_providers import EDGE

TYPE_CHECKING = False  # as typing has it, without its import
if TYPE_CHECKING:
    import re
    from collections.abc import Callable

    from eyelet_ingest.redaction import Mark

_Q = r"\\{0,7}[\"'`]"
_LINE = r"(?:\r?\n|\\{1,7}n)"


def _is_any(value: str) -> bool:
    return not is_placeholder(value)


def _is_password(value: str) -> bool:
    return is_secret(Candidate("password", "password", value, "prose"))


def _is_random(value: str) -> bool:
    return is_secret(Candidate("token", "token", value, "spoken"))


def _is_mixed(value: str) -> bool:
    """Two digits or more among letters of both cases: no name in a minified program."""
    return sum(map(str.isdigit, value)) > 1 and value.lower() != value != value.upper()


_FORMS: "tuple[tuple[str, str, str, Callable[[str], bool]], ...]" = (
    # Vault's before its version 1.10: developer.hashicorp.com/vault/docs/concepts/tokens
    ("vault-token", "s.", rf"({EDGE}(?<!\.))(s\.[A-Za-z0-9]{{24}})(?![\w(-])", _is_mixed),
    (
        "secret",
        "sign(",
        rf"(\b(?:jwt|JWT)\.sign\([^\n\"'`;]{{1,120}}?,[ ]?{_Q})([^\s\"'`\\]{{8,200}})(?={_Q})",
        _is_password,
    ),
    (
        "credential",
        "Credentials(",
        rf"(\bCredentials\({_Q}[^\s\"'\\]{{1,128}}{_Q},[ ]?{_Q})([^\s\"'\\]{{16,200}})(?={_Q})",
        _is_random,
    ),
    (
        "password",
        "password",
        rf"(\b(?:fill|type|sendKeys|fill_in|set_value)\({_Q}[^\"'\\\n]{{0,60}}?password"
        rf"[^\"'\\\n]{{0,20}}{_Q},[ ]?(?:with:[ ]?)?{_Q})"
        rf"([^\s\"'\\]{{4,128}})(?={_Q})",
        _is_password,
    ),
    (
        "password",
        "password",
        rf"(password[^\"'\\\n(]{{0,20}}{_Q}\)\.(?:type|fill|send_keys|sendKeys|setValue|set)\({_Q})([^\s\"'\\]{{4,128}})(?={_Q})",
        _is_password,
    ),
    ("api-key", "key=", r"((?:[?&]|\\u0026)key=)([A-Za-z0-9+/=_.~-]{20,200})", _is_random),
    ("token", "code=", r"((?:[?&]|\\u0026)code=)([A-Za-z0-9+/=_.~-]{20,200})", _is_random),
    (
        "authorization",
        "Digest ",
        rf"(uthorization(?:{_Q})?[ ]{{0,2}}[:=][ ]{{0,2}}(?:{_Q})?"
        r"Digest [^\n]{0,600}?\bresponse=\\{0,7}\"?)([A-Za-z0-9+/=-]{16,128})",
        _is_any,
    ),
    (
        "key",
        "{",
        rf"(\b\w{{0,40}}(?:[kK]ey|[sS]ecret|[tT]oken|[cC]redentials?)[ ]?\{{[ ]?(?:key|value|token|inner):[ ]?{_Q})"
        rf"([^\s\"'\\]{{16,200}})(?={_Q})",
        _is_random,
    ),
)
# A name, what stands between, and the value: the name is judged as any other.
_STEM = r"[\w.-]{0,40}(?:secret|token|passw|key|credential)[\w-]{0,24}"
_NAMED = (
    ("?", rf"(?<![\w.-])({_STEM})([ ]{{0,8}}=[ ]{{0,2}}[^\n\"'?]{{1,80}}\?[ ]?\\{{0,7}}"
     rf"\"[^\"\\\n]{{0,80}}\\{{0,7}}\"[ ]?:[ ]?\\{{0,7}}\")([^\"\\\n]{{4,200}})"),
    ("<<", rf"(?<![\w.-])({_STEM})([ ]{{0,12}}=[ ]{{0,4}}<<[-~]?{_Q}?[A-Za-z_]{{2,16}}{_Q}?"
     rf"{_LINE}[ \t]{{0,16}})([^\s\"'\\]{{8,200}})"),
    ("name=", rf"name={_Q}([\w.-]{{1,80}})({_Q}[^<>\n]{{0,80}}>)([^<>\s]{{16,200}})(?=<\\{{0,7}}/)"),
)  # fmt: skip


def redact_forms(text: str, mark: "Mark") -> str:
    """`text` with the secrets in these places replaced."""
    for kind, literal, pattern, judge in _FORMS:
        if literal in text:
            text = compiled(pattern, A).sub(_judged(kind, judge, mark), text)
    for literal, pattern in _NAMED:
        if literal in text:
            text = compiled(pattern, A | I).sub(_behind_name(mark), text)
    return text


def _judged(kind: str, judge: "Callable[[str], bool]", mark: "Mark") -> "Callable[[re.Match[str]], str]":
    def replaced(match: "re.Match[str]") -> str:
        value = match[2]
        return match[0] if is_placeholder(value) or not judge(value) else match[1] + mark(kind, value)

    return replaced


def _behind_name(mark: "Mark") -> "Callable[[re.Match[str]], str]":
    def replaced(match: "re.Match[str]") -> str:
        name, value = match[1], match[3]
        kind = kind_of_name(name)
        style = "prose" if kind == "password" else "spoken"
        if not kind or not is_secret(Candidate("token" if kind == "key" else kind, name, value, style)):
            return match[0]
        return match[0][: match.start(3) - match.start()] + mark(kind, value)

    return replaced


def compile_all() -> None:
    """Compile every pattern of these rules, for a bundle to write them down."""
    for row in _FORMS:
        compiled(row[2], A)
    for _, pattern in _NAMED:
        compiled(pattern, A | I)
