"""HTTP without CouchDB: any WSGI application over a socket or in process."""
