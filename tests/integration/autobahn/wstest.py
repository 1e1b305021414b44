"""Runs the suite's command `wstest` from the directory that is named first. For Python 2.7."""

import site
import sys

site.addsitedir(sys.argv.pop(1))

from autobahntestsuite.wstest import run

run()
