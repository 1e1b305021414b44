"""Version of Ringway: the one place that says it. Packages are built with it (pyproject.toml).

The metadata of the installed package says it as well, but a process that reads it there parses the whole README.
"""

VERSION = "0.1.0"
