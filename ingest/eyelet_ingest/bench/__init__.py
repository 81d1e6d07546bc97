"""The load generator: scenarios, written and asked in two layouts in the same run (docs/bench.md)."""
