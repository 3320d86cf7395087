"""HashiCorp's AWS provider judges what the program creates.

Pulumi's AWS provider is a bridge to Terraform's. Terraform's own provider runs here as a process, without an account
and without network. It validates and plans each recorded resource, and says which changes replace a resource. Pulumi's
provider is built from a newer version, 6.x: `newer.csv`, beside the provider's client in `cloud/deployment/terraform`,
and `wider.csv` list the differences that matter here.
"""
