"""A stand-in for AWS, as its Pulumi provider shows it: plain Python, no engine, no network.

It refuses what the SDK, botocore's model of the calls, or AWS's documents refuse, and a few things that AWS takes and
that never work (streams of an edge-optimized API, an instance refresh on `$Latest`, a start script that is not
executable). It answers with computed outputs, knows which changes replace, and keeps what was made, for the rules that
hold between resources. `Cloud` is the way in; the CSV tables beside the modules are what it knows, each row with its
source.
"""

from tests.aws.standin.cloud import Cloud
from tests.aws.standin.differences import Difference
from tests.aws.standin.problem import NotAccepted, Problem
from tests.aws.standin.records import Record, Records
from tests.aws.standin.world import ExistingEndpoint, ExistingImage, ExistingVpc, World

__all__ = [
    "Cloud",
    "Difference",
    "ExistingEndpoint",
    "ExistingImage",
    "ExistingVpc",
    "NotAccepted",
    "Problem",
    "Record",
    "Records",
    "World",
]
