"""One commented plan per design, the starting points of ``effectmeter plan new``. Texts, no logic."""
