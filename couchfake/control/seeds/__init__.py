"""Seeds: the content of databases in files, read into a CouchDB and written from one.

``documents``      Files of documents, in any of the forms that CouchDB's tools write.
``design_folder``  Design documents as folders of JavaScript files.
``folders``        A folder per server or database: what is read from it.
``file_names``     Ids and names as file names.
``target``         Writing what was read into a server.
``dumping``        Writing what a server holds into a folder.
``progress``       A progress bar, on a terminal.
"""
