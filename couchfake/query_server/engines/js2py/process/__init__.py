"""The program of the process in which js2py runs. It imports nothing of couchfake outside this package."""

from couchfake.query_server.engines.js2py.process.injector import install

install()  # before anything here imports js2py
