"""The HTTP server's side of a request: connections, exchanges, streams of events, the ASGI application."""
