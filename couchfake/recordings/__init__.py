"""Recorded exchanges with a real CouchDB, and how to play them against a server.

``scenarios`` are lists of steps, a step a request with the answer that the real server gave (the format is described
in ``docs/recordings.md``). ``player`` sends them, ``senders`` knows how (a URL, or the application in this process),
``comparison`` says how far an answer agrees: in status, in body, or exactly (members in the recorded order too).
"""
