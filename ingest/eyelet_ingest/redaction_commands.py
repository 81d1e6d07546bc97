"""Passwords that commands take as arguments: `curl -u bob:…`, `docker login -p …`, `echo … | sudo -S`.

An option's letter tells nothing by itself (`mkdir -p`), so each pattern begins with its command. What such commands
print or are told on lines of their own, as PostgreSQL's .pgpass, stands here too. `redaction_probes.py` asks for the
same commands and letters.
"""

from eyelet_ingest.patterns import A, I, compiled
from eyelet_ingest.redaction_names import MARKED, is_placeholder

TYPE_CHECKING = False  # as typing has it, without its import
if TYPE_CHECKING:
    import re
    from collections.abc import Callable

    from eyelet_ingest.redaction import Mark

_ARGUMENT = r"\\{0,7}[\"']?)([^\s\"'\\]+)"
_USER = rf"(?:{MARKED}|(?!\[redacted:)[^\s:%\"'\\]{{1,64}})"
# The rest of the command, up to an option: over lines that end with a backslash, and through an address with an &.
_ON = r"(?:[^\n|;&]|(?<=\\)\n|&(?=\w)){0,200}?\s"
_TO_LINE_END = r"(?=\\{0,7}[\"']?[ \t]{0,8}(?:$|[\n\r\"'`#]|\\{1,7}[nr\"']))"
# (kind, what must be there, pattern with the kept part and the secret)
_COMMANDS = (
    ("basic-auth", "curl", rf"(\bcurl\b{_ON}(?:-u|--user)[ =]{{0,2}}\\{{0,7}}[\"']?{_USER}:)([^\s\"'\\]+)"),
    ("cookie", "curl", rf"(\bcurl\b{_ON}(?:-b|--cookie)[ =]{{1,2}}\\{{0,7}}[\"'])([^\n\"'\\]*=[^\n\"'\\]*)"),
    ("basic-auth", "http", rf"(\bhttps?[ \t]{_ON}?(?:-a|--auth)[ =]{{1,2}}\\{{0,7}}[\"']?{_USER}:)([^\s\"'\\]+)"),
    ("password", "mysql", rf"(\bmysql(?:dump|admin|import)?\b{_ON}-p" + _ARGUMENT),
    ("password", "sshpass", r"(\bsshpass[ \t]{1,4}-p[ \t]{0,4}" + _ARGUMENT),
    ("password", "login", r"(\blogin[ \t]{1,4}\S{1,64}\s{1,8}password[ \t]{1,4})([^\s\"'\\]+)"),
    (
        "password",
        "login",
        r"(\b(?:docker|podman|nerdctl|buildah|skopeo|oras|helm|az)(?:[ \t]{1,4}(?:registry|acr))?[ \t]{1,4}login\b"
        rf"{_ON}-p[ =]{{1,2}}" + _ARGUMENT,
    ),
    ("password", "mongo", rf"(\bmongo(?:sh|dump|restore|export|import)?\b{_ON}-p[ =]{{1,2}}" + _ARGUMENT),
    ("password", "sqlcmd", rf"(\bsqlcmd\b{_ON}-P[ ]{{0,2}}" + _ARGUMENT),
    ("password", "redis-cli", rf"(\bredis-cli\b{_ON}?-a[ ]{{1,2}}" + _ARGUMENT),
    ("password", "ldap", rf"(\bldap[a-z]{{2,8}}\b{_ON}-w[ ]{{1,2}}" + _ARGUMENT),
    ("password", "smbclient", rf"(\bsmbclient\b{_ON}-U[ ]{{0,2}}\\{{0,7}}[\"']?{_USER}%)([^\s\"'\\]+)"),
    ("password", "7z", rf"(\b7z[ar]?\b{_ON}-p" + _ARGUMENT),
    ("password", "zip", rf"(\b(?:un)?zip\b{_ON}-P[ ]{{0,2}}" + _ARGUMENT),
    (
        "password",
        "htpasswd",
        r"(\bhtpasswd[ \t]{1,4}(?=-[a-zA-Z]{0,6}b)(?:(?=-[a-zA-Z]{0,6}n)-[a-zA-Z]{1,7}[ \t]{1,4}\S{1,64}"
        r"|-[a-zA-Z]{1,7}[ \t]{1,4}\S{1,64}[ \t]{1,4}\S{1,64})[ \t]{1,4}" + _ARGUMENT,
    ),
    ("password", "pass:", r"(-pass(?:in|out|word)?[ =]{1,2}\\{0,7}[\"']?pass:)([^\s\"'\\]+)"),
    ("password", "pass", r"(-(?:store|key|deststore|srcstore)pass[ =]{1,2}" + _ARGUMENT),
    ("password", "sudo", r"(\becho[ \t]{1,4}(?:-n[ \t]{1,4})?\\{0,7}[\"']?)([^\s\"'\\|;&]{4,128})"
     r"(?=\\{0,7}[\"']?[ \t]{0,4}\|[ \t]{0,4}sudo[ \t][^\n|;&]{0,40}?-S)"),
    ("password", "--password-stdin", r"(\becho[ \t]{1,4}(?:-n[ \t]{1,4})?\\{0,7}[\"']?)([^\s\"'\\|;&]{4,256})"
     r"(?=\\{0,7}[\"']?[ \t]{0,4}\|[^\n|;&]{0,120}?--password-stdin)"),
    ("password", "chpasswd", r"(\becho[ \t]{1,4}(?:-n[ \t]{1,4})?\\{0,7}[\"']?[\w.-]{1,64}:)([^\s\"'\\|;&]{4,128})"
     r"(?=\\{0,7}[\"']?[ \t]{0,4}\|[^\n|;&]{0,40}?chpasswd)"),
    ("secret", "gh secret set", rf"(\bgh[ \t]secret[ \t]set\b{_ON}(?:-b|--body)[ =]{{0,2}}" + _ARGUMENT),
    ("basic-auth", "uth", r"(\b(?:auth[ ]?=[ ]?|HTTP(?:Basic|Digest)Auth)\(\\{0,7}[\"'][^\s\"'\\]{1,80}\\{0,7}[\"']"
     r",[ ]?\\{0,7}[\"'])([^\s\"'\\]{3,128})(?=\\{0,7}[\"'][ ]?\))"),
    ("password", "NetworkCredential", r"(\bNetworkCredential\(\\{0,7}\"[^\s\"\\]{1,80}\\{0,7}\",[ ]?\\{0,7}\")"
     r"([^\s\"\\]{3,128})"),
    ("password", "<<<", r"(\bkinit\b[^\n|;&]{0,120}?<<<[ ]{0,2}" + _ARGUMENT),
    ("password", "pgpass", r"((?:^|[\n\s]|\\n)[\w.*-]{1,80}:(?:[0-9]{2,5}|\*):[\w*-]{1,64}:[\w.*-]{1,64}:)"
     r"(?!\[redacted:)([^\s:\\\"']+)"),
    ("password", "openssl", rf"(\bopenssl\b{_ON}-k[ =]{{1,2}}" + _ARGUMENT),
    ("token", "twine", rf"(\btwine\b{_ON}-p[ =]{{1,2}}" + _ARGUMENT),
    ("token", "doctl", rf"(\bdoctl\b{_ON}-t[ =]{{1,2}}" + _ARGUMENT),
    ("password", "user", rf"(\buser(?:add|mod)\b{_ON}-p[ =]{{1,2}}" + _ARGUMENT),
    ("password", "sqlplus", r"(\bsqlplus\b[^\n|;&]{0,80}?\s\\{0,7}[\"']?"
     r"[\w.]{1,64}\\{0,7}/)([^\s\"'\\@/]{2,128})(?=@)"),
    ("password", "jdbc:", r"(\bjdbc:oracle:(?:thin|oci8?):[\w.]{1,64}\\{0,7}/)([^\s\"'\\@/]{2,128})(?=@)"),
    ("password", "impacket", rf"(\bimpacket-\w{{1,32}}\b{_ON}(?:[\w.-]{{1,64}}/)?{_USER}:)([^\s\"'\\@]{{1,128}})(?=@)"),
    ("password", "/pass:", r"(\bcmdkey\b[^\n|;&]{0,200}?\s/pass:)([^\s\"'\\]+)"),
    ("password", "requirepass", r"((?:^|[\s\"'`]|\\n)requirepass[ \t]{1,4}" + _ARGUMENT + _TO_LINE_END),
    ("password", "masterauth", r"((?:^|[\s\"'`]|\\n)masterauth[ \t]{1,4}" + _ARGUMENT + _TO_LINE_END),
    ("password", "--password-command", r"(--password-command[ =]\\{0,7}[\"']echo[ ])([^\s\"'\\]+)"),
    ("token", "-Dsonar.login=", r"(-Dsonar\.login=" + _ARGUMENT),
    ("token", "login", r"(\b(?:wandb|cargo|heroku|railway)[ ]login[ ](?:--relogin[ ])?\\{0,7}[\"']?)"
     r"(?=[A-Za-z_-]{0,60}[0-9])([A-Za-z0-9_+/=.-]{20,})"),
    ("token", "snyk", r"(\bsnyk[ ]auth[ ]\\{0,7}[\"']?)(?=[A-Za-z_-]{0,60}[0-9])([A-Za-z0-9_+/=.-]{20,})"),
    ("token", "<<<", r"(\blogin\b[^\n|;&]{0,120}?<<<[ ]{0,2}" + _ARGUMENT),
    ("password", "SecureString", r"(\bConvertTo-SecureString[ ](?:-String[ ])?\\{0,7}[\"'])([^\s\"'\\]{3,128})"
     r"(?=\\{0,7}[\"'][^\n]{0,40}?-AsPlainText)"),
    ("token", "PAT=", r"((?:^|[\s\"'`;&:]|\\n|\b[A-Z0-9_]{1,40}_)PAT=\\{0,7}[\"']?)"
     r"(?=[A-Za-z_+/-]{0,60}[0-9])([A-Za-z0-9_+/=-]{20,})"),
    ("url-password", "@tcp(", r"((?:^|[^\w.@:\[-])[\w.-]{1,64}:)([^\s\"'`\\/@]{1,128})(?=@tcp\()"),
    ("url-password", "@unix(", r"((?:^|[^\w.@:\[-])[\w.-]{1,64}:)([^\s\"'`\\/@]{1,128})(?=@unix\()"),
)  # fmt: skip
# What such a command begins with, where its word stands in many texts: found many times as fast as the whole.
_PARTS = {
    "http": r"https?[ \t]",
    "login": r"login\b",
    "ldap": r"ldap[a-z]{2,8}\b",
    "pass": r"pass[ =]",
    "user": r"user(?:add|mod)\b",
    "uth": r"uth(?:[ ]?=[ ]?)?\(",
}
# MySQL's and MariaDB's, Oracle's and ClickHouse's
_IDENTIFIED = (
    r"(\bidentified[ ](?:with[ ]\S{1,64}[ ])?by[ ](?:password[ ])?\\{0,7}[\"'])([^\s\"'\\]{1,128})(?=\\{0,7}[\"'])"
)
_PUTTY = r"Private-Lines:[ \t]*[0-9]{1,4}"
_PUTTY_BODY = r"(?:[A-Za-z0-9+/=\s]|\\{1,8}[nr])*"
_PUTTY_END = "Private-"
_LINE_ENDS = r"(?:\s|\\{1,8}[nr])*"
_BASE64_LINE = r"[A-Za-z0-9+/=]{16}"


def redact_commands(text: str, mark: "Mark") -> str:
    """`text` with the passwords that commands are told replaced."""
    for kind, literal, pattern in _COMMANDS:
        if literal in text and (literal not in _PARTS or compiled(_PARTS[literal], A).search(text)):
            text = compiled(pattern, A).sub(_unless_placeholder(kind, mark), text)
    if "identified" in text.lower():
        text = compiled(_IDENTIFIED, A | I).sub(_unless_placeholder("password", mark), text)
    return _redact_putty(text, mark) if _PUTTY_END in text else text


def _unless_placeholder(kind: str, mark: "Mark") -> "Callable[[re.Match[str]], str]":
    def replaced(match: "re.Match[str]") -> str:
        return match[0] if is_placeholder(match[2]) else match[1] + mark(kind, match[2])

    return replaced


def _redact_putty(text: str, mark: "Mark") -> str:
    """The private lines of PuTTY's key files; https://the.earth.li/~sgtatham/putty/0.78/htmldoc/AppendixC.html."""
    pieces: list[str] = []
    done = 0
    for match in compiled(_PUTTY, A).finditer(text):
        body = compiled(_PUTTY_BODY, A).match(text, match.end())
        if body is None or match.start() < done:
            continue
        lead = compiled(_LINE_ENDS, A).match(text, match.end())
        begin = lead.end() if lead else match.end()
        end = _stripped(text, match.end() + len(body[0].partition(_PUTTY_END[:-1])[0]))
        if end > begin and compiled(_BASE64_LINE, A).match(text, begin):
            pieces += (text[done:begin], mark("private-key", text[begin:end]))
            done = end
    return "".join((*pieces, text[done:])) if pieces else text


def _stripped(text: str, end: int) -> int:
    """`end` without the white space, escaped or not, that stands before it."""
    while end and (text[end - 1] in " \t\r\n" or (text[end - 1] in "nr" and text[end - 2 : end - 1] == "\\")):
        end -= 1 if text[end - 1] not in "nr" else 2
        while end and text[end - 1] == "\\":
            end -= 1
    return end


def compile_all() -> None:
    """Compile every pattern of these rules, for a bundle to write them down."""
    for pattern in (*(row[-1] for row in _COMMANDS), *_PARTS.values(), _PUTTY, _PUTTY_BODY, _LINE_ENDS, _BASE64_LINE):
        compiled(pattern, A)
    compiled(_IDENTIFIED, A | I)
