"""The method, pure: plans, designs, estimators, diagnostics, disclosure rules, sentences, synthetic worlds.

Polars frames and numpy arrays come in, frozen dataclasses go out. No Dagster, no DuckDB, no Great Expectations and
no Altair in here (import-linter holds that): whoever wants to check a number reads this package and nothing else.
"""
