"""The page for browsers at the gateway's root: its files, and the list of runs that it shows."""
