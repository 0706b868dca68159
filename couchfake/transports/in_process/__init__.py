"""A requests session that calls a WSGI application without a socket."""
