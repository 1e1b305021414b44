"""Time of day of a moment, as operators read it."""

import re
import time

from ringway.time_of_day import time_of_day


def test_the_time_of_today_has_no_date_and_others_have_one() -> None:
    now = time.time()
    zone = time.strftime("%Z", time.localtime(now))
    assert re.fullmatch(rf"\d\d:\d\d:\d\d {re.escape(zone)}", time_of_day(now))
    assert time_of_day(0.0) == time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(0.0))
    assert time_of_day(now + 172_800)[:4] == time.strftime("%Y", time.localtime(now + 172_800))
