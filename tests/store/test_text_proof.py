"""What is proven by the payload as it is stored is so; letters that only look like what is asked for prove nothing."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from eyelet_ingest.events import Event
from eyelet_ingest.store import layout, text_index, text_proof
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
from eyelet_ingest.store.text_query import exactly

DAY = layout.PartitionKey("default", 2026, 79)
# What is in the text, and as what it may stand elsewhere in the payload, where nothing is text.
TEXTS = ("xnabex", "xNabex", "x\nabex", "x\\nabex", "xnábex", "x\u212aabe", "nabe", "NABE", "n abe", "nNabe", "abe", "")
ELSEWHERE = ("nabe", "NABE", "nAbE", "x")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(str(tmp_path)) as made:
        rows = [(said, beside, ascii_only) for said in TEXTS for beside in ELSEWHERE for ascii_only in (False, True)]
        made.append(
            Event(time_us=DAY.bounds_us[0] + at, uid=b"%16d" % at, hook_type="Note",
                  data=json.dumps({"session_id": beside, "prompt": said}, ensure_ascii=ascii_only))
            for at, (said, beside, ascii_only) in enumerate(rows)
        )  # fmt: skip
        assert text_index.catch_up(made.root, DAY, 60_000).is_finished
        yield made


@pytest.mark.parametrize("asked", ["nabe", "Nabe", "NABE", "abe", "na", "nn", "n"])
def test_exact_letters_are_found_where_they_stand_in_the_text_and_nowhere_else(store: Store, asked: str) -> None:
    assert store.count(Filter(text=asked, exact=True)).count == 8 * sum(asked in said for said in TEXTS)


@pytest.mark.parametrize(
    ("asked", "data", "meta", "proven"),
    [
        ("nabe", b'{"prompt": "xnabe"}', b"{}", True),
        ("nabe", b'{"prompt": "xnabe Nabe"}', b"{}", False),
        ("nabe", b'{"prompt": "xnabe \\u004eabe"}', b"{}", False),
        ("nabe", '{"prompt": "xnabe é"}'.encode(), b"{}", False),
        ("nabe", b'{"prompt": "xnabe"}', b'{"execution": {"error_message": "x"}}', False),
        ("nabe", b'{"prompt": "xNabe"}', b"{}", False),
    ],
)
def test_a_payload_proves_what_can_stand_there_in_one_way_only(
    asked: str, data: bytes, meta: bytes, proven: bool
) -> None:
    is_proven = text_proof.of_hit(exactly(asked))
    assert is_proven is not None
    assert is_proven(data, meta) is proven


@pytest.mark.parametrize("asked", ["nn", "aba", "aBA", "na be", "ná", "x/y"])
def test_what_overlaps_itself_or_is_no_single_word_is_not_told_by_counting(asked: str) -> None:
    assert text_proof.of_hit(exactly(asked)) is None
