"""How models write calls, by family. Each module has the frames of one family (docs/translation.md#tools).

`frame` says what a frame is, and `header` reads what comes before the arguments of a call. `json_objects` has calls
that are JSON objects, `json_arguments` calls with a name before their JSON arguments, `tagged` calls with a tag for
each argument, whose types `typed_text` finds, and `pythonic` calls in the form of Python.
"""
