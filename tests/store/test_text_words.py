"""The oracle's rules for words are the tokenizer's, for every character that Unicode has known for long."""

import unicodedata
from collections import defaultdict

from eyelet_ingest.store.connect import driver
from eyelet_ingest.store.text_schema import TOKENIZE
from tests.store import words

# Both have a dot and a line above: SQLite's table of accents does not know them.
UNKNOWN = {"\u01e0", "\u01e1"}


def test_the_rules_for_words_are_those_of_the_tokenizer() -> None:
    known = unicodedata.ucd_3_2_0
    chars = [
        char
        for char in map(chr, (*range(1, 0xD800), *range(0xE000, 0x30000)))
        if known.category(char) == unicodedata.category(char) != "Cn" and char not in UNKNOWN
    ]
    conn = driver().connect(":memory:")
    conn.execute(f"create virtual table texts using fts5(said, tokenize='{TOKENIZE}')")
    conn.execute("create virtual table terms using fts5vocab(texts, 'instance')")
    conn.executemany("insert into texts(rowid, said) values (?, ?)", ((ord(char), f"a{char}b") for char in chars))
    found: dict[int, list[str]] = defaultdict(list)
    for term, doc in conn.execute("select term, doc from terms order by doc, offset"):
        found[doc].append(term)
    conn.close()
    assert len(chars) > 100_000
    assert [char for char in chars if words.words(f"a{char}b") != found[ord(char)]] == []
