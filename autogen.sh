#!/bin/sh
# Makes ./configure from configure.ac.
set -eu
cd "$(dirname "$0")"
mkdir -p contrib/build-aux contrib/m4
exec autoreconf --install --force --warnings=all
