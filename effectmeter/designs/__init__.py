"""The designs, one module each, all of one shape (`effectmeter.designs.base`).

Adding a design is adding a module and its line in `effectmeter.designs.registry`.
"""
