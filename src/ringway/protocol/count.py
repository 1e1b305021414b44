"""Counts on the wire: whole numbers that every JSON reader keeps exactly."""

from typing import Annotated

import msgspec

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
