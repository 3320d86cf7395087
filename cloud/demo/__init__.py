"""`make cloud ARGS=--demo`: the commands of the README, one after the other, and a table of what they took."""
