"""Policies: each policy chooses the node for one connection, by effective load, in its own file.

To add a policy: write it after the model of its neighbours, and give it a row in `catalog.POLICIES`.
"""
