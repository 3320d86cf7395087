"""TGI as a model server: a `Generator` of `generation/` over TGI's own API (docs/translation.md#the-body-for-tgi).

`generator` and `generation` make the answers to one prompt. `client` sends the requests, whose body `body` writes, and
`replies` reads what comes back. `generated_choice` has whole answers, `stream` streams, `failures` errors. `info` and
`replica_state` keep what replicas say of themselves.
"""
