"""A TGI-compatible server over llama.cpp with a small real model, standing in for the configured one.

`python -m local.model_server --port 0 --stands-in-for NAME` serves it; __main__.py says how it is started and what it
prints. It answers as TGI 3.3 does, out of a real model: what llama.cpp can do is done, what it cannot is refused.

    gguf, standin, vocabulary   the weights' file: its header, the chat template and tokens, the texts of the tokens
    llama, slots                llama.cpp in this process, and its four places for generations
    sampling, stopping, generation, scoring   one token after the other
    requests, grammar, validation, errors   what a request may say, as TGI reads it
    answers, chat, metrics, app, serving      HTTP
"""
