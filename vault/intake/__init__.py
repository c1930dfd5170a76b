"""From delivered files to typed standard tables; every rejected row counted by reason, never by content."""
