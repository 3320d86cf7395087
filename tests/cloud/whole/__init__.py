"""The whole cloud, run as its user runs it: from a configuration to an answer, and back."""
