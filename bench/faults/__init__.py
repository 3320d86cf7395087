"""Which errors callers get when replicas fail: `python -m bench.faults` prints a table.

It sends numbered streams through a real gateway to four replicas. Some of these fail in one way. It counts how often
each prompt arrives, and how each stream ends.
"""
