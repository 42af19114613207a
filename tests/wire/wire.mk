# Transcript tests of IMAP.
