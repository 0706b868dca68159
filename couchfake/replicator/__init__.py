"""Replication: copying the revisions of one database into another.

``request``           the body of ``_replicate`` or of a ``_replicator`` document, checked; ``options``, ``refusals``
``endpoints``         what a replication needs of a source and of a target
``local_endpoint``    a database of this server
``http_endpoint``     a database of any server, by URL; ``http_client``, ``stored_encodings``
``checkpoints``       how far earlier runs came, in local documents that other replicators understand
``transfer``          one run: changes, missing revisions, fetching, writing, checkpoints
``jobs``              the replications of one server: one-shot, continuous, cancelled, retried
``documents``         the documents of ``_replicator``: their jobs and states
``service``           all of it, as a node uses it
Source: CouchDB documentation, "Replication Protocol".
"""
