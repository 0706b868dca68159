"""The changes of a database: what has changed after a sequence, and what changes next.

``filters``  Which changes a reader receives, by built-in filters and by functions of design documents.
``scan``     What a reader asks, and one pass over the changes that are there.
``rows``     A change as JSON text.
``feed``     A pass, or passes one after the other as the database changes: events in plain values.

Source: CouchDB documentation, "/{db}/_changes" and "Changes Feeds".
"""
