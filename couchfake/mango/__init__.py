"""Mango: declarative queries.

``selector``   A selector as it was sent → its normalised form, as ``_explain`` shows it; names of fields.
``matcher``    A normalised selector → a Python function that returns whether a document matches.
``operators``  Tests of one value, and how values compare inside selectors. ``pcre``: what ``$regex`` means.
``options``    The bodies of ``_find``, ``_explain``, ``_index`` and ``_bulk_delete``, checked and with defaults.
``index``      Indexes in design documents: made, found, removed. The rows of one, kept up to date.
``ranges``     The part of an index that a selector needs.
``planner``    The choice of an index, and how ``_explain`` describes it.
``cursor``     Run a query; bookmarks: where the next page begins.

Source: CouchDB documentation, "/{db}/_find" and "/{db}/_index".
"""
