def pytest_configure(config):
    config.addinivalue_line("markers", "examples: Argo's own, which take long")
