"""The commands of `make`, one module or folder each: plan, smoke, status, usage, wait, logs, shell, key, catalog.

They share `stack_state` and `pulumi_cli` (stacks), `aws_access`, `lifetimes` and `spending` (replicas and their costs),
`gateway_keys`, `since` and `columns`. `in_process`, `program_monitor` and `property_values` run a Pulumi program
without its engine, for `make plan`, `make cloud` and the tests.
"""
