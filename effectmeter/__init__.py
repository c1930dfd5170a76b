"""The method, pure: plans, designs, estimators, diagnostics, disclosure rules, sentences, synthetic worlds.

Polars frames and numpy arrays come in, frozen dataclasses go out. No Dagster, no DuckDB, no Great Expectations and
no Altair in here (import-linter holds that): whoever wants to check a number reads this package and nothing else.
"""

import os

# Matrices here are long and narrow. Threads only wait for each other on them: beside other work one QR decomposition
# takes ten to forty times as long with two, and the last digits of a sum depend on how many there are. Numpy reads this
# when it is loaded, so it stands in the first module that any part of Effectmeter loads; who sets it has their way.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
