"""The gateway's own HTTP client for replicas, over httptools, which the server uses too.

A general client costs as much as everything else in a request (docs/gateway.md#cost). It loses bytes that arrive
together with the end of a connection, and it cannot say that a replica came back.
"""
