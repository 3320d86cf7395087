"""Creates the program's resources: HashiCorp's AWS provider makes them in the cloud that `AWS_ENDPOINT_URL` names.

`deployment.py` runs the program in this process and does what the engine does; `plugin.py` is the same behind the real
`pulumi` command. Both make resources through a `package.py` for each kind: `aws.py` (with `terraform/`, the client of
the provider), `random_bytes.py` and `dynamic.py`.
"""
