"""OpenAI's API: chat completions, completions and models, and what passes through to servers that have this API.

`chat` and `completions` answer for models of format tgi. `chat_request`, `completion_request` and `shared_fields` read
the fields, `functions` the deprecated functions. `chunks`, `completion_chunks` and `messages` write answers and
streams. `models` shows models. `passthrough`, `passthrough_events` and `asked_usage` are for models of format openai.
"""
