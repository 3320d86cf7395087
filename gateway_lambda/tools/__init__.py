"""Tools and structured output: plain data in, plain data out, no transport (docs/translation.md#tools).

`request`, `answer_format` and `response_format` read the request. `forced_call_grammar`, `parameters`, `schema_size`
and `json_object` make the grammars for TGI. `syntaxes/` has the forms of calls, and `call_syntax` their names.
`call_parser` turns the text of a model into parts: it finds what announces calls, `call_block` reads what follows, and
`gathered_calls` makes a whole answer from the parts.
"""
