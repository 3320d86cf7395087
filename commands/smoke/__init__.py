"""`make smoke`: a deployed service tested from outside, as its users use it."""
