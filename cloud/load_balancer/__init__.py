"""The load balancers of the cloud, in a process of their own (`python -m cloud.load_balancer`).

Each is a reverse proxy on loopback. It reads listeners, rules, target groups and targets from the control plane, sends
health checks, reports the health of targets, and counts what CloudWatch counts. It plays what AWS's user guide for
Application Load Balancers says, in one zone, with one node, without TLS, HTTP/2, WebSocket and stickiness.
"""
