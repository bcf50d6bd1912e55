"""What is computed before, in and after the loop over the steps, and what training saves."""
