"""Turning one text into another: encoder and decoder."""
