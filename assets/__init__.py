"""The Dagster assets and checks: open, call, store, attach metadata."""
