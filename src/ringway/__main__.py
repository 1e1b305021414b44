"""`python -m ringway` is `ringway`."""

from ringway.cli.entry import main

main()
