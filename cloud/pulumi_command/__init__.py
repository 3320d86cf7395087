"""A `pulumi` command for machines that have none: the commands of the README, done by `cloud.deployment`.

`make cloud` puts it on the PATH only if it finds no real one, and says so. It is not Pulumi: it has no preview and no
backend but a folder.
"""
