"""What all tests share."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.support.fixtures", "tests.support.postgres_server"]

# How long an example takes says more of the machine than of the code.
settings.register_profile("poe2openai", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("poe2openai")
