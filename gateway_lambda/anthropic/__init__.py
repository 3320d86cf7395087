"""Anthropic's Messages API for models of format tgi: `POST /messages` and `/messages/count_tokens`.

`create` answers (docs/translation.md#messages-of-anthropic). `request` reads the fields, `turns` the conversation,
`tools` the tools and the format. `message` writes whole answers, `events` streams, `error_form` errors.
"""
