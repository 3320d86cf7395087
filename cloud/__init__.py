"""`make cloud`: a small cloud on this machine, in which the deployment runs as on AWS, without an account.

AWS's API is moto's server. The instances, the load balancers, the API with its function, the life of groups and the
alarms are ours, each in a folder, and as little as the deployment needs. docs/cloud.md says what is real and what is
played.
"""
