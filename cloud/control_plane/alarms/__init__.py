"""CloudWatch's part of scaling: metrics from log lines, alarms that are evaluated each minute, and their actions.

moto keeps metrics and alarms and does nothing with them. `install` makes CloudWatch read the embedded metric format,
answer GetMetricData with percentiles and metric math, and give target tracking policies their alarms. `Evaluator`
evaluates alarms and publishes the metrics of Auto Scaling groups, each of AWS's minutes.
"""

from cloud.control_plane.alarms.evaluator import Evaluator
from cloud.control_plane.alarms.installing import install

__all__ = ["Evaluator", "install"]
