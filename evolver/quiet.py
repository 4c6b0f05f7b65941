"""The quiet hours of the day, in which nothing is deployed."""

DAY_S = 86_400


def quiet(hours: str | None, now: float) -> bool:
    """Is `now` (Unix seconds) within `22:00-06:00` (UTC; the end is outside)? Equal ends are the whole day."""
    if hours is None:
        return False
    begin, end = (int(clock[:2]) * 3600 + int(clock[3:]) * 60 for clock in hours.split("-"))
    return (now % DAY_S - begin) % DAY_S < ((end - begin) % DAY_S or DAY_S)
