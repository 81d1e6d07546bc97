"""`python -m eyelet_ingest.cli`: the console script where no script is installed."""

from eyelet_ingest.cli import main

main()
