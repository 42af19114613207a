# Manual pages and what else is contributed.
