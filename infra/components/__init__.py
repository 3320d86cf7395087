"""Pulumi components, one AWS noun a file; `gateway` and `service` compose them. What they make was decided in the plan."""
