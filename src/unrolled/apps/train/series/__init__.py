"""Forecasting a series of numbers: many → one, the one being the next N values."""
