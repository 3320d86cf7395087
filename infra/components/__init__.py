"""Pulumi components, one AWS noun a file; `gateway` and `service` compose them. The plan has decided what they make."""
