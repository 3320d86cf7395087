"""`make cloud`: the whole deployment on one machine, without an account."""
