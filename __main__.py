"""What `pulumi up` runs: stack config -> configuration -> plan -> component -> outputs."""

import pulumi

from infra.ending import end_when_interrupted, end_with_its_message
from infra.program import Means, deploy

end_when_interrupted()
pulumi.run(lambda: end_with_its_message(deploy(Means())))
