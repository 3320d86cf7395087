"""Tools and structured output: plain data in, plain data out, no transport (docs/translation.md#tools).

`request` and `response_format` read the request. `forced`, `parameters`, `schema_size` and `json_object` make the
grammars for TGI. `call_parser` and `whole` turn the text of the model into tool calls.
"""
