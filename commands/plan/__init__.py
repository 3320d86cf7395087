"""`make plan`: what a configuration would create and cost, from the real program, without account or network."""
