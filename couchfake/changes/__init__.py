"""The changes of a database: what has changed after a sequence, and what changes next.

``query``     What a reader of changes asks.
``filters``   Which changes it receives; ``function_filters``: by functions of design documents.
``scan``      One pass over the changes that are there.
``rows``      A change as JSON text.
``feed``      A pass, or passes one after the other as the database changes: events in plain values.
``waiting``   Waiting for a change.

Source: CouchDB documentation, "/{db}/_changes" and "Changes Feeds".
"""
