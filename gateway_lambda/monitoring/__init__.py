"""What is written down of each request that has ended: a line in the log, a line for a person, numbers for Prometheus.

Its parts are listeners of `server/app.py`. None of them sees a prompt, an answer, a key or a query.
"""
