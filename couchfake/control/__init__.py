"""The test kit: what a real server cannot do for a test."""
