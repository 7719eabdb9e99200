"""Lists of people, as they come out of other programs: read, matched with folders, and written for a mail merge."""
