"""How fast: our layers beside others that compute the same, on the machine at hand.

A row names a piece of work. It makes contenders, things that do the work; each must give the right
numbers before the clock runs them in turn.
"""
