"""AWS's API on 127.0.0.1: moto's server in a process of its own, and what it lacks.

`python -m cloud.control_plane` runs it, `client.py` reads what AWS has no public call for. The modules here:
`server` takes requests, `unknown` refuses calls that nothing here knows, `data_plane` has the routes under `/cloud/`,
`lacking` has what moto lacks, by service, each with its reason, `world` what exists at the start, `inventory` what
was made since.
"""
