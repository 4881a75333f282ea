#!/bin/sh
# Makes ./configure.  Needs: autoconf automake libtool pkg-config (Debian names).
set -e
cd "$(dirname "$0")"
for tool in autoreconf automake pkg-config; do
	command -v "$tool" >/dev/null || {
		echo "autogen.sh: $tool is missing: apt-get install autoconf automake libtool pkg-config" >&2
		exit 1
	}
done
exec autoreconf --install --force -Wno-portability
