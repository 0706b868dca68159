"""Views: sorted rows, kept up to date with their database, and queries of them.

How the rooms meet, from below:

``keys``      A row is at a *position*: bytes made of its key (in the order of the index), its document's id and a
              number. A ``KeyRange(lower, upper)`` is a pair of positions, ``lower`` included, ``upper`` not; every
              combination of start key, end key, document ids, direction and inclusive_end is one such pair.
``tree``      ``RowTree``: the rows by position, in an immutable B+tree with counts and partial reductions in its
              nodes. ``apply`` gives a new tree; who holds the old one goes on reading it undisturbed.
``reduce``    The built-in reducers. ``hyperloglog`` counts distinct keys.
``index``     ``Index``: one or more trees that follow a database. It takes the order of keys and a function to map
              documents (``Mapper``), and knows nothing of JavaScript or Mango.
``database_indexes``  Design document → its views as definitions, with a signature; indexes shared by signature.
``options``   Query parameters of views, ``_all_docs`` and their kin.
``query``     A view, and an answered query of it: rows, total, offset, and the rows as JSON text.
``javascript``  The indexes of design documents, with their map and reduce functions.

An index of another kind (Mango's) is made like this::

    def mapper(entries: Sequence[DocumentEntry]) -> list[list[list[tuple[Any, Any]]]]:
        # for each document: for each tree: its (key, value) rows
        return [[[(key, None)] for key in keys_of(entry.winner.body.value)] ... for entry in entries]

    index = Index(db, [TreeDefinition(collator.sort_key)], mapper)
    snapshot = index.update()          # up to date with the database; snapshot.update_seq says to where
    tree = snapshot.trees[0]
    span = keys.key_range(collator.sort_key, start_key=["x"], end_key=["x", MAX_KEY])
    for key, docid, value in tree.rows(span, descending=False): ...
    tree.count(span), tree.rank(span.lower), len(tree)

``database_indexes.shared_index`` keeps an index with its database, so that it is shared, and dropped when nothing
defines it. ``update`` takes the database's lock for short moments: do not hold it meanwhile.
"""
