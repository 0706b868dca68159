"""Who is asking, and what they may do: users, passwords, sessions, permissions. Knows no HTTP server."""
