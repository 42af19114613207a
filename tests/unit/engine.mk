# Unit tests of engine.
