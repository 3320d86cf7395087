"""OpenAI's Responses API, without storage: `POST /responses` for models of format tgi (docs/translation.md#responses).

`create` answers. `request` reads the fields, `input_items` the conversation, `tools` the tools and the text format.
`output_items` and `response_object` write whole answers, `events` and `open_items` streams.
"""
