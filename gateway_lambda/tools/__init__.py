"""Tools and structured output: plain data in, plain data out, no transport (docs/translation.md#tools).

`request`, `answer_format` and `response_format` read the request. `forced_call_grammar`, `parameters`, `schema_size`
and `json_object` make the grammars for TGI. `call_syntax` has the forms of calls. `call_parser` and `gathered_calls`
turn the text of the model into tool calls.
"""
