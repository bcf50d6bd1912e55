"""A page that tells the story of a model or of all cells, in one file."""
