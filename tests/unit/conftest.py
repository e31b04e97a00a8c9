"""What the unit tests share: property tests that are the same in every run, and judge no time."""

from hypothesis import settings

settings.register_profile("unit", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("unit")
