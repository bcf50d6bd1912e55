"""Graphs as text: one writer, and a rule table for each language."""
