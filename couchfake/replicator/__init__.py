"""Replication: bringing the revisions of one database into another.

``request``     what a client asked for (a ``_replicate`` body or a ``_replicator`` document), checked
``peers``       what a replication needs of a source and of a target
``local_peer``  a database of this server        ``http_peer``  a database of any server, by URL
``checkpoints`` how far earlier runs came, kept by both sides in a local document that other replicators understand
``transfer``    one run: changes, revs_diff, fetching, writing, checkpoints
``jobs``        the runs of one server: one-shot, continuous, cancelled, retried
``documents``   the documents of ``_replicator``: their jobs and states
Source: CouchDB documentation, "Replication Protocol".
"""
