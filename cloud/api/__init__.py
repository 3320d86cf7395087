"""API Gateway and Lambda on this machine: HTTPS with the names of custom domains, and the function behind them.

Everything that it serves is read from the control plane: domain names, stages, resources, integrations, functions and
their code. `python -m cloud.api` serves it on 127.0.0.1.
"""
