"""Seeds: the content of databases in files, read into a CouchDB and written from one.

``documents``  Files of documents, in any of the forms that CouchDB's tools write. ``SeedError``.
``folders``    A folder per server or database, and design documents as folders of JavaScript files.
``servers``    Writing what was read into a server, and what a server holds into a folder.
"""
