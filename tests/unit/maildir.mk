# Unit tests of maildir.
