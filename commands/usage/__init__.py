"""`make usage`: who sent requests, how many tokens they are, and what they cost."""
