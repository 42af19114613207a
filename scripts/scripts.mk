# Lua that ships with the program.
