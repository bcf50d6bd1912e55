"""What happens inside a model: record, change, differentiate, diagnose, by dotted names."""
