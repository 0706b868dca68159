"""Mango: declarative queries.

``selector``    A selector as it was sent → its normalised form, as ``_explain`` shows it.
``matcher``     A normalised selector → a Python function that says whether a document matches.
``comparing``   How values compare inside selectors; ``pcre`` and ``regex``: what ``$regex`` means.
``paths``, ``projection``  Names of nested members; ``fields``.
``options``     The bodies of ``_find``, ``_explain``, ``_index`` and ``_bulk_delete``, checked and with defaults.
``definition``  Indexes in design documents: made, found, removed. ``index``: the rows of one, kept up to date.
``ranges``      What part of an index a selector needs. ``planner``: which index answers a query.
``bookmark``    Where the next page begins. ``cursor``: running a query. ``explain``: telling how it would run.

Source: CouchDB documentation, "/{db}/_find" and "/{db}/_index".
"""
