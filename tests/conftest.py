pytest_plugins = ["tests.support.moto", "tests.support.postgres"]
