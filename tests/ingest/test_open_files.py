import subprocess
import sys

import pytest

resource = pytest.importorskip("resource", reason="Windows has no limits of this kind")

LOOK = """
import resource, sys
from eyelet_ingest import open_files
soft, hard = int(sys.argv[1]), int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
told = open_files.allow()
now = resource.getrlimit(resource.RLIMIT_NOFILE)
assert told == now[0], (told, now)
print(*now)
"""


@pytest.mark.parametrize(
    ("soft", "hard", "then"),
    [(256, 4096, 4096), (1024, 1024, 1024), (300, 300, 300), (100, 11_000, 10_240), (10_500, 11_000, 10_500)],
)
def test_a_process_of_ours_may_open_as_many_files_as_it_is_allowed_to_and_never_fewer(
    soft: int, hard: int, then: int
) -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if most != resource.RLIM_INFINITY and hard > most:
        pytest.skip(f"this process may open {most} files at most")
    command = [sys.executable, "-c", LOOK, str(soft), str(hard)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.split() == [str(then), str(hard)], done.stderr
