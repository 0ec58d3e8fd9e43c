#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The house rules that a look at the text can check. Usage: house_rules.sh ROOT
set -eu
export LC_ALL=C

guards=$(cd "$(dirname "$0")" && pwd)
cd "$1"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
bad=0

find . \( -name .git -o -name build -o -name 'build-*' -o -name node_modules \) -prune -o -type f -print |
	sed 's|^\./||' | sort >"$folder/all"
grep '\.[ch]$' "$folder/all" >"$folder/c" || {
	echo "$1: no C file here; give the root of the sources" >&2
	exit 1
}
grep -E '(\.(sh|eval|cmake|mjs|js)|(^|/)CMakeLists\.txt)$' "$folder/all" >"$folder/scripts" ||
	[ $? -eq 1 ] # no script is fine; a grep that fails is not

# The licence: line 1 of a C file, line 1 or 2 where an interpreter or a runner wants the first.
xargs awk '
	FNR == 1 && $0 != "/* SPDX-License-Identifier: Apache-2.0 */" {
		printf "%s:1: begin with /* SPDX-License-Identifier: Apache-2.0 */\n", FILENAME
		bad = 1
	}
	END { exit bad }' <"$folder/c" || bad=1
while read -r file; do
	if ! head -n 2 "$file" | grep -q 'SPDX-License-Identifier: Apache-2\.0$'; then
		echo "$file:1: say SPDX-License-Identifier: Apache-2.0 in the first two lines"
		bad=1
	fi
done <"$folder/scripts"

# Lengths, forbidden words and switches. The files go in twice, because the names of all enumerators are learnt first.
# shellcheck disable=SC2046 # a list of files without blanks
awk -f "$guards/house_rules.awk" pass=1 $(cat "$folder/c") pass=2 $(cat "$folder/c") || bad=1

# Promises and places. The brackets keep this file from finding itself.
if xargs grep -nIE 'TO[D]O|FIX[M]E' /dev/null <"$folder/all"; then
	echo 'above: do it, or say why it is not needed; plans live in the issues'
	bad=1
fi
machine='(^|[^[:alnum:]_.])/(wor[k]|roo[t]|home/[a-z]+|tmp/bash_job[s])/|registry\.npm[j]s|pyp[i]\.org|proxy\.golan[g]'
if xargs grep -nIE "$machine" /dev/null <"$folder/all"; then
	echo 'above: a path or a host of one machine; make it relative, or a setting'
	bad=1
fi
exit "$bad"
