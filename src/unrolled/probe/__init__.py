"""Tools for the inside of a model: record, change, differentiate, diagnose, by dotted names."""
