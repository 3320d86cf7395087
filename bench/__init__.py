"""`make bench`: what the gateway costs, compared with a byte copy and with other gateways, in one run on one machine.

CPU times come from the system's accounting of each process, so they are right on a busy machine too. Wall times (time
to first token, requests a second) depend on the machine's load. The contenders take turns in short rounds, so that a
load falls on all of them, and the ratios stay right. The bench needs Linux.
"""
