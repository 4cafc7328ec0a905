"""The limit of data calls a second, for each app key."""

from collections import deque


class RateLimit:
    """Counts the calls let through; refused ones don't count."""

    def __init__(self, config):
        self.config = config
        self.forget()

    def forget(self):
        self._taken = {}
        self.refused = 0

    def allows(self, app_key, now):
        """Whether a call at this monotonic time is within the rate."""
        rate = self.config['rate']
        if rate is None:
            return True
        taken = self._taken.setdefault(app_key, deque())
        fixed = self.config['rate_window'] == 'fixed'
        while taken and (int(taken[0]) < int(now) if fixed else taken[0] <= now - 1):
            taken.popleft()
        if len(taken) >= rate:
            self.refused += 1
            return False
        taken.append(now)
        return True
