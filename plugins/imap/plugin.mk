# The IMAP plugin; see its README.md.
