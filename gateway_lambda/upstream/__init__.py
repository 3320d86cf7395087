"""The HTTP client towards replicas.

It is the gateway's own, over httptools, which the server uses too: a general client costs as much again as all the rest
of a request (docs/gateway.md, "Cost"), loses bytes that arrive together with a connection's end, and cannot say that a
replica came back.
"""
