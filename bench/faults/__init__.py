"""What callers hear of replicas that fail: `python -m bench.faults` prints a table.

Numbered streams go through a real gateway to four replicas, some of which fail in one way. What arrives where, and how
each stream ends, is counted.
"""
