"""The gates: may these estimates be shown, and if not, why not and what would change it.

One function per gate, each of the shape `Gate`: data, comparability and effects in, `GateResult` rows out. Designs list
the gates that apply to them; `effectmeter.diagnostics` hides what failed ones concern. Only ``failed`` hides.

`people`: size, clusters, time zero, follow-up. `comparable`: balance, overlap, negative controls. `periods`: placebo
period, peak selection. `power`: the smallest ratio that the data could have shown.
"""
