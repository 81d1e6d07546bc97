"""Quoted strings, and lists and objects of them behind a telling name in a text: `"passwords": ["…", "…"]`.

The text may be cut short, and may stand in strings of JSON: nothing is parsed, strings are only walked over.
"""

from eyelet_ingest.patterns import compiled
from eyelet_ingest.redaction_names import Candidate, is_secret, kind_within

# What may stand in a list or an object, with the white space, escaped or not, and the signs before it.
_TOKEN = compiled(
    r"(?:[\s,]|\\{1,7}[nrt])*"
    r"(?:(?P<close>[\]}])|(?P<open>[\[{])"
    r"|\\{0,7}[\"'](?P<key>[^\"'\\\n]{0,120})\\{0,7}[\"'](?:\s|\\{1,7}[nrt])*:"
    r"|(?P<string>\\{0,7}[\"'])|(?P<bare>[\w.+-]{1,40}))"
)
_CLOSER = compiled(r"\\{0,7}[\"']?")
# Where that many tokens in a row hold no secret, what follows is left to the names that stand in it.
_TOKENS_WITHOUT_A_SECRET = 32
_QUOTES = {quote: compiled(f"[{quote}\n]") for quote in "\"'`"}


def secrets_inside(text: str, begin: int, kind: str, name: str, seen: set[int]) -> list[tuple[int, int, str]]:
    """Begin, end and kind of every secret in the container that begins at `begin` and stands behind a telling name.

    Adds to `seen` where containers begin that were gone into, this one too: they need not be looked at again.
    """
    spans: list[tuple[int, int, str]] = []
    around: list[tuple[str, str]] = []  # kind and name that tell of what is in each open container
    told = (kind, name)
    at, misses = begin, 0
    while misses < _TOKENS_WITHOUT_A_SECRET:
        token = _TOKEN.match(text, at)
        if token is None:
            break
        at = token.end()
        misses += 1
        if token["open"]:
            seen.add(at - 1)
            around.append(told)
            continue
        if token["key"] is not None:
            told = kind_within(token["key"], *around[-1])
            continue
        if token["close"]:
            around.pop()
            if not around:
                break
        elif token["string"]:
            end = closing(text, at, token["string"])
            if told[0] and is_secret(Candidate(*told, text[at:end], "quoted")):
                spans.append((at, end, told[0]))
                misses = 0
            closer = _CLOSER.match(text, end)
            at = closer.end() if closer else end
        told = around[-1]
    return spans


def closing(text: str, begin: int, opener: str) -> int:
    """Where the value that `opener` opens ends: at its own quote, an outer one, the line's or the text's end.

    In JSON within JSON a quote has 1, 3, 7 backslashes before it: as many as the opener has close the value,
    fewer close what it stands in, more belong to it.
    """
    quote = opener[-1]
    level = opener.count("\\")
    pattern = _QUOTES[quote]
    at = begin
    while True:
        match = pattern.search(text, at)
        if match is None:
            return len(text)
        end = match.start()
        if text[end] == "\n":
            return end
        slashes = end
        while slashes > begin and text[slashes - 1] == "\\":
            slashes -= 1
        count = end - slashes
        if count < level or (count - level) % (2 * level + 2) == 0:
            return end - min(count, level)
        at = end + 1
