"""Tools and structured output: plain data in, plain data out, no transport (docs/translation.md#tools).

`request` and `response_format` read what a client asked for; `forced`, `parameters`, `schema_size` and `json_object`
make the grammars that TGI holds the model to; `call_parser` and `whole` turn what the model wrote into tool calls.
"""
