"""`python -m ringway` is `ringway`."""

from ringway.cli.main import main

main()
