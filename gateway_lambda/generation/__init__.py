"""What every dialect of clients and every model server share, as plain data, and the port between the two.

A dialect (`openai/`, `responses/`, `anthropic/`) reads a client's JSON into a `request`: `field_rows` and
`sampling_fields` read the fields, `turns` collects messages that come in other pieces, `tools/` reads tools and
formats, `prompt` renders the messages. `sent_names` gives errors the names that the client sent. The dialect asks a
`generator` for a generation, which a server (`tgi/`) implements, and writes its whole `choice`s, or lets `streaming`
call its `event_writer` for each token.

- Another dialect is a folder beside `openai/`. It has a function (exchange, body, generator, settings) for each route,
  which `interface.py` lists, with the form of its errors if OpenAI's form is wrong there. It writes streams by an
  `EventWriter` or a `CallWriter`.
- Another server is a folder beside `tgi/`. It has a `Generator`, which `app.py` makes.
- `reasoning` tells a model's reasoning from its answer. Another part of a model's text, beside reasoning, content and
  calls, is a struct in `deltas`. An `answer_parser` makes it, a `choice` keeps it, and each dialect writes it.
"""
