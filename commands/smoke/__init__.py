"""`make smoke`: a deployed service tried from outside, as its users will use it."""
