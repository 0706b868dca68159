"""Design functions in JavaScript, as CouchDB 3.5 runs them; no storage and no HTTP in here.

    server = QueryServer("quickjs", config=config, log=print)        # or "js2py", or None for what is installed

    session = server.compile_map([MapFunction("by_name", source), ...], lib, ddoc_id="_design/app")
    for rows in session.map_batches(batches_of_json_texts):                # rows[document][function][n] == [key, value]
        ...
    server.release(session, functions, lib, ddoc_id="_design/app")        # after the indexer's run

    reducer = server.reducer(source, label="_design/app/_view/by_name")
    reducer.reduce(rows), reducer.rereduce(values)                         # and reduce_many, rereduce_many

    functions = server.design_functions(ddoc)                              # a dict with _id
    functions.validate_doc_update(new, old, user_ctx, security)            # raises Forbidden, Unauthorized, CouchError
    functions.filter_docs(name, docs, req), functions.filter_view(name, docs)
    functions.show(name, doc, req), functions.update(name, doc, req), functions.list(name, head, req, rows)
    functions.rewrite(req)

    validate_ddoc(ddoc, server, partitioned=False)                         # the checks when a design document is saved

Failures are CouchErrors with the real server's status, error and reason. A function that does not end, or takes all
memory or stack, is a 500 ``os_process_error``, and the next call works. See ``KNOWN_GAPS`` for what js2py cannot do.
"""

from couchfake.query_server.ddoc_check import validate_ddoc
from couchfake.query_server.design_functions import (
    DesignFunctions,
    FunctionResponse,
    ListResponse,
    parse_response,
    set_header,
)
from couchfake.query_server.engines import ENGINE_NAMES, KNOWN_GAPS, EngineUnavailable, choose_engine
from couchfake.query_server.server import QueryServer
from couchfake.query_server.view_functions import MapFunction, MapSession, ReduceOverflow, Reducer

__all__ = [
    "ENGINE_NAMES",
    "KNOWN_GAPS",
    "DesignFunctions",
    "EngineUnavailable",
    "FunctionResponse",
    "ListResponse",
    "MapFunction",
    "MapSession",
    "QueryServer",
    "ReduceOverflow",
    "Reducer",
    "choose_engine",
    "parse_response",
    "set_header",
    "validate_ddoc",
]
