"""Random requests against a server and a fake, side by side: ``couchfake compare``.

``world`` chooses values and remembers what the server answered; ``documents``, ``attachments``, ``queries``, ``feeds``
and ``databases`` write requests, ``areas`` is the table of them; ``lockstep`` plays a scenario on both servers up to
the first difference; ``shrinking`` makes it as short as it can be; ``run`` is the command.
"""
