"""The estimators: arrays in, small frozen results out; the source is cited in the function that implements it.

Nothing here knows a plan, a table or a language. Designs (`effectmeter.designs`) decide which estimator answers.
"""
