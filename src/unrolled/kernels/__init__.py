"""How equations are run: the plan of the time loop, and the backends that follow it."""
