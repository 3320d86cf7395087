"""A configuration served on this machine: the same reader, plan and gateway, in front of a small real model.

`python -m local` (what `make local` runs) starts everything and ends everything. Nothing else imports this package.
"""
