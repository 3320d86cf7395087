"""A client of Terraform's AWS provider, and the words of Pulumi and of Terraform for the same things."""
