"""The engine in pure Python, in a process of its own."""
