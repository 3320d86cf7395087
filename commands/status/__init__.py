"""`make status`: what runs, how it is, and what it costs."""
