# Manual pages and what else is contributed.
EXTRA_DIST += %D%/demo/run %D%/demo/demo.py %D%/demo/config.lua.in
