"""Policies: each chooses the node for one connection, over effective load, in a file of its own.

To add one: write it after the model of its neighbours, and give it a row in `catalog.POLICIES`.
"""
