#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every reason is in the document, the other way round too, and the README explains it to operators.
# Usage: reasons_documented.sh ROOT
set -eu
export LC_ALL=C

header=$1/include/decision.h
readme=$1/README.md
bad=0
sh "$(dirname "$0")/same_words.sh" "$header" REASON "$1/schema/openapi.yaml" Reason || bad=1
if [ ! -f "$readme" ]; then
	echo "$readme: is missing; it explains every reason"
	exit 1
fi
for word in $(sed -n 's/.*X(REASON_[A-Z0-9_]*, "\([a-z_]*\)".*/\1/p' "$header"); do
	if ! grep -qF "\`$word\`" "$readme"; then
		line=$(grep -nF "\"$word\"" "$header" | head -n 1 | cut -d: -f1)
		echo "$header:$line: \`$word\` is not in $readme; say there what it means and who can mend it"
		bad=1
	fi
done
exit "$bad"
