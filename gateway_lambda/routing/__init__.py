"""Which run answers a request, whether the caller may use it, and passing a request on to it unchanged."""
