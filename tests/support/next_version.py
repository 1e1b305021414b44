"""Command `ringway` of a release that speaks later wire versions; all else is today's code.

Usage: python next_version.py 3-3 node ... (it speaks version 3 only), or 2-3 (today's as well)
"""

import sys

from ringway.protocol import seal

if __name__ == "__main__":
    lowest, highest = (int(each) for each in sys.argv.pop(1).split("-"))
    vars(seal).update(WIRE_VERSION=lowest, WIRE_MIN=lowest, WIRE_MAX=highest)

    from ringway.cli.entry import main

    main()
