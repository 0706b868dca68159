"""The test kit: what a test wants of its server and no real server can do."""
