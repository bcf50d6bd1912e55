"""Telling classes of sequences: many → one."""
