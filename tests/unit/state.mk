# Unit tests of state.
