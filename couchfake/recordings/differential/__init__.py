"""Random requests against a server and a fake, side by side: ``couchfake compare``.

``world`` chooses values and remembers what the server answered; ``documents``, ``databases`` and ``queries`` write
requests; ``lockstep`` plays a scenario on both servers up to the first difference, and makes it as short as it can be;
``run`` is the command, and has the table of the areas.
"""
