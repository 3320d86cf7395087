"""The life of Auto Scaling groups. moto starts and ends instances at once and lacks refreshes, activities and hooks.

`install` replaces moto's groups with these. `Keeper` is the thread that moves them on. `responses` reads the calls,
`backend` keeps the groups, `life` is what a group does by itself; it uses `moving` (one instance on its way), `health`,
`launching` and `choosing` (which instance starts and which ends), `hooks`, `targets` (target groups) and `refreshing`.
`schedule` and `cron` have scheduled actions, `capacity` what a test has made unavailable, `wording` AWS's own words.
A scaling policy sets a size with `Group.scale`; `metrics` has the values that AWS publishes for a group.

`spot` has rebalance recommendations and interruptions, when a test or a user asks for them.

Left out: warm pools, launch configurations, classic load balancers, notifications of hooks, attaching instances,
attribute-based instance types, the rebalancing of zones, and prices of spot. What would need them is refused with an
error that names it, except the rebalancing, which needs a cause that this cloud does not have.
"""

from cloud.control_plane.groups.installing import install
from cloud.control_plane.groups.keeper import Keeper

__all__ = ["Keeper", "install"]
