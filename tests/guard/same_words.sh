#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The words of an X-list in a header are the values of an enum in the OpenAPI document, both ways.
# Usage: same_words.sh HEADER LIST_PREFIX OPENAPI SCHEMA
set -eu
export LC_ALL=C

header=$1 prefix=$2 document=$3 schema=$4
guards=$(dirname "$0")
for file in "$header" "$document"; do
	if [ ! -f "$file" ]; then
		echo "$file: is missing; $schema is written in both"
		exit 1
	fi
done

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# X(PREFIX_NAME, "word", …): the empty word stands for "none" and is told to nobody.
awk -v prefix="$prefix" 'match($0, "X\\(" prefix "_[A-Z0-9_]+, \"[^\"]+\"") {
	word = substr($0, RSTART, RLENGTH - 1)
	sub(/.*"/, "", word)
	print FNR, word
}' "$header" >"$folder/header"
awk -v name="$schema" -f "$guards/openapi_enum.awk" "$document" >"$folder/document"

awk -v header="$header" -v document="$document" -v schema="$schema" '
	FILENAME == ARGV[1] {
		in_header[$2] = $1
		headers++
		next
	}
	{
		if ($2 in in_document) {
			printf "%s:%d: %s stands twice in %s\n", document, $1, $2, schema
			bad = 1
		}
		in_document[$2] = $1
		documents++
	}
	END {
		if (!headers || !documents) {
			printf "%s:1: %d words, %s:1: %d values in %s; one of them is not written as this guard reads it\n",
				header, headers, document, documents, schema
			exit 1
		}
		for (word in in_header)
			if (!(word in in_document)) {
				printf "%s:%d: %s is not in %s of %s; add it there\n", header, in_header[word], word, schema, document
				bad = 1
			}
		for (word in in_document)
			if (!(word in in_header)) {
				printf "%s:%d: %s is not in %s; add it there or take it out\n", document, in_document[word], word, header
				bad = 1
			}
		exit bad
	}' "$folder/header" "$folder/document"
