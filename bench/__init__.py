"""`make bench`: what the gateway costs, beside a byte copy and beside other gateways, in one run on one machine.

CPU figures come from process accounting, so they hold on a busy machine; figures in wall time (time to first token,
requests a second) are taken in rounds that take turns, so that their ratios do. The bench needs Linux.
"""
