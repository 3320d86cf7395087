"""A configuration served on this machine: the same reader, plan and gateway, in front of a small real model.

`python -m local`, which `make local` runs, starts everything and ends everything. `cloud` uses its model server and its
processes too.
"""
