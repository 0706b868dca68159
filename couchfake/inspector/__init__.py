"""A page for looking at a server: documents, revision trees, requests, design documents and the test kit.

It is served at ``/_couchfake/`` wherever the test kit is served over HTTP.
"""
