"""Replication: copying the revisions of one database into another.

``request``           the body of ``_replicate`` or of a ``_replicator`` document, checked, with its options
``errors``            requests that are refused, and replications that fail
``local_endpoint``    a database of this server, and the filters of its changes
``http_endpoint``     a database of any server, by URL, with attachments in their stored form
``transfer``          what a replication needs of its source and target; one run: changes, missing revisions, fetching,
                      writing, checkpoints
``jobs``              the replications of one server: one-shot, continuous, cancelled, retried
``service``           all of it, as a node uses it; the documents of ``_replicator``: their jobs and states, and who
                      sees their credentials
Source: CouchDB documentation, "Replication Protocol".
"""
