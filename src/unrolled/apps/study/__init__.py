"""The long-term dependency problem, measured: tasks with a gap, any cell, several seeds."""
