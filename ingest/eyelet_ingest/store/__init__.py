"""The store: partitions of one context and one UTC day, and nothing but SQLite. Imports nothing by itself."""
