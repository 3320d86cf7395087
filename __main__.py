"""What `pulumi up` runs: stack config -> configuration -> plan -> component -> outputs."""

import pulumi

from infra.program import Means, deploy

pulumi.run(lambda: deploy(Means()))
