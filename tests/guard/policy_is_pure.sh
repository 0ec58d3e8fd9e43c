#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The policy calls nothing that knows a clock, a file, a socket or memory: the undefined symbols of its library are held
# against a short list. It remembers nothing either: no writable data. Usage: policy_is_pure.sh LIBPOLICY.A
set -eu
export LC_ALL=C

library=$1
symbols=$(nm "$library")

# Pure functions of string.h, and what a compiler adds for its own checks.
printf '%s\n' "$symbols" | awk -v library="$library" '
	function is_allowed(symbol) {
		return symbol ~ /^(memchr|memcmp|memcpy|memmove|memset|strchr|strcmp|strcspn|strlen|strncmp|strspn)$/ ||
			symbol ~ /^(__stack_chk_fail|_GLOBAL_OFFSET_TABLE_)$/ ||
			symbol ~ /^__(memcpy|memmove|memset)_chk$/ ||
			symbol ~ /^__(asan|ubsan|tsan|sanitizer|gcov|sanitizer_cov)_/
	}
	/:$/ { object = $1; next }
	$1 == "U" { needed[$2] = object; next }
	NF == 3 { defined[$3] = 1; seen++ }
	END {
		for (symbol in needed)
			if (!(symbol in defined) && !is_allowed(symbol)) {
				printf "%s(%s calls %s, which is not a pure function; let gate/ do it and hand the policy a fact\n",
					library, needed[symbol] ")", symbol
				bad = 1
			}
		if (!seen) {
			printf "%s: no symbols; give the built policy library\n", library
			bad = 1
		}
		exit bad
	}'

# A sanitizer keeps tables of its own in writable data, so its builds are not asked.
case $symbols in
*__asan_* | *__tsan_* | *__gcov_*) exit 0 ;;
esac
printf '%s\n' "$symbols" | awk -v library="$library" '
	/:$/ { object = $1; next }
	NF == 3 && $2 ~ /^[BbC]$/ {
		printf "%s(%s %s is writable memory; pass it in as a fact\n", library, object ")", $3
		bad = 1
	}
	END { exit bad }'
size -A "$library" | awk -v library="$library" '
	$2 == ":" || / +\(ex / { object = $1 }
	$1 ~ /^\.(data|bss|tdata|tbss)$/ && $2 > 0 {
		printf "%s(%s): %s holds %d bytes of writable memory; make it const or a fact\n", library, object, $1, $2
		bad = 1
	}
	END { exit bad }'
