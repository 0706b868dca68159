"""The program of the process in which js2py runs. It imports nothing of couchfake outside this package."""
