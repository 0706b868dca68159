"""A WSGI server for HTTP/1.1."""
