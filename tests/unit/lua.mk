# Unit tests of lua.
