# The Maildir plugin; see its README.md.
