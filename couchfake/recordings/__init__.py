"""Recorded exchanges with a real CouchDB, and how to play them against a server.

``scenarios`` are lists of steps, a step a request with the answer that the real server gave (the format is described
in ``docs/recordings.md``). ``player`` sends them, ``senders`` knows how (a URL, or the application in this process),
``comparison`` says how far an answer agrees: in status, in body, or exactly (members in the recorded order too).
``files`` reads and writes them. Of the tools (``commands``), ``check`` and ``replay`` play recordings on a ``target``,
``recorder`` makes them (``transcript``, ``masking``, ``generalise``), ``differential`` compares a server with a fake;
``results`` and ``report`` say what was found.
"""
