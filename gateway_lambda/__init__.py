"""The gateway: an ASGI application. CONTRIBUTING.md#the-gateway names its parts and their order."""
