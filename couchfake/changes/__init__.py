"""The changes of a database: what has changed after a sequence, and what changes next.

``filters``  Which changes a reader receives, by built-in filters and by functions of design documents.
``feed``     What a reader requests; a pass over the changes that are there, or passes one after the other as the
             database changes: events in plain values; a change as JSON text.

Source: CouchDB documentation, "/{db}/_changes" and "Changes Feeds".
"""
