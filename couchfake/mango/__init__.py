"""Mango: declarative queries.

``selector``   A selector as it was sent → its normalised form, as ``_explain`` shows it.
``matcher``    A normalised selector → a Python function that returns whether a document matches.
``operators``  Tests of one value, and how values compare inside selectors. ``pcre``: what ``$regex`` means.
``fields``     Names of nested members; ``fields``.
``options``    The bodies of ``_find``, ``_explain``, ``_index`` and ``_bulk_delete``, checked and with defaults.
``index``      Indexes in design documents: made, found, removed. The rows of one, kept up to date.
``ranges``     The part of an index that a selector needs. ``planner``: the choice of an index.
``bookmark``   Where the next page begins. ``cursor``: run a query. ``explain``: describe how it would run.

Source: CouchDB documentation, "/{db}/_find" and "/{db}/_index".
"""
