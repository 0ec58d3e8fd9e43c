#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Proves that policy_eval refuses an .eval file it does not understand to the last word, and fails on a wrong case. A
# reader that skips what it cannot read would pass a file that tests nothing.
set -eu

policy_eval=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
file=$folder/enforcement.eval
header='# columns: effective moment provider template deployment'
whole="deny create '' '' ''
warn create warn '' ''
dryrun create dryrun '' ''"
failures=0

# refuses WHAT WANTED_EXIT WANTED_TEXT: the file as it stands ends with this exit code and says this.
refuses() {
	code=0
	"$policy_eval" "$file" >"$folder/said" 2>&1 || code=$?
	if [ "$code" -ne "$2" ] || ! grep -qF -- "$3" "$folder/said"; then
		echo "$1: exit $code instead of $2, or without \"$3\":" >&2
		cat "$folder/said" >&2
		failures=$((failures + 1))
	fi
}

printf '%s\n%s\n' "$header" "$whole" >"$file"
refuses 'a good file' 0 "enforcement.eval:2 deny create '' '' ''"
printf '%s\n%s\n%s\n' "$header" "$whole" "deny create warn '' ''  # a wrong case" >"$file"
refuses 'a wrong case' 1 'enforcement.eval:5 a wrong case'
printf '%s\n%s\n%s\n' "$header" "$whole" "deny allow '' '' ''" >"$file"
refuses 'an unknown word' 2 'enforcement.eval:5: moment: allow'
printf '%s\n%s\n%s\n' "$header" "$whole" "deny create '' ''" >"$file"
refuses 'a missing word' 2 'enforcement.eval:5: no word for column: deployment'
printf '%s\n%s\n%s\n' "$header" "$whole" "deny create '' '' '' ''" >"$file"
refuses 'a word too many' 2 "enforcement.eval:5: a word too many: ''"
printf '%s\n%s\n' '# columns: effective moment provider deployment template' "$whole" >"$file"
refuses 'exchanged columns' 2 'enforcement.eval:1: expected column: template'
printf '%s\n%s\n' '# columns: effective moment provider template' "$whole" >"$file"
refuses 'a missing column' 2 'enforcement.eval:1: a column is missing: deployment'
printf '%s\n%s\n' "$header more" "$whole" >"$file"
refuses 'a column too many' 2 'enforcement.eval:1: a column too many: more'
printf '%s\n' "$whole" >"$file"
refuses 'no columns named' 2 'enforcement.eval:1: no line names the columns before'
printf '%s\n%s' "$header" "$whole" >"$file"
refuses 'a last line without an end' 2 'enforcement.eval:4: longer than LINE_BYTES_MAX, or without an end'
printf '%s\n%s\n' "$header" "deny create '' '' ''" >"$file"
refuses 'an answer without a case' 2 'no case expects: warn'
printf '%s\n' "$header" >"$file"
refuses 'no case at all' 2 'no case expects: deny'
rm "$file"
refuses 'no file' 2 'cannot be opened'
file=$folder/unheard_of.eval
refuses 'a file without a suite' 2 'no suite in eval_test.c'

[ "$failures" -eq 0 ]
