"""Whether the recorder is well: checks, one file each, their findings, thresholds, score and alerts. docs/health.md"""
