"""Other people's clients, each in an environment of its own, speak to the gateway."""
