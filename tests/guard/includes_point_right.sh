#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A file includes only what stands to its right: main → http → api, hook → link → store → base, and all of them policy.h
# and its neighbours in include/. One foreign library is seen by one file. Usage: includes_point_right.sh ROOT
set -eu
export LC_ALL=C

cd "$1"
if [ ! -d include ] || [ ! -d policy ]; then
	echo "$1: no include/ and policy/ here; give the root of the sources" >&2
	exit 1
fi
folders='include policy'
[ ! -d gate ] || folders="$folders gate"

list=$(mktemp)
trap 'rm -f "$list"' EXIT
# shellcheck disable=SC2086 # a list of folders
find $folders -name '*.[ch]' | sort >"$list"
xargs grep -n '^[[:space:]]*#[[:space:]]*include' /dev/null <"$list" | awk -v list="$list" '
	BEGIN {
		while ((getline path < list) > 0)
			exists[path] = 1

		# How far to the left a layer stands.
		rank["base"] = 1; rank["store"] = 2; rank["link"] = 3; rank["api"] = 4; rank["hook"] = 4
		rank["http"] = 5; rank["main"] = 6
		# Beside the line: a page knows only the base, a client command only the base and the way out.
		rank["web"] = 2; rank["cli"] = 2

		# The headers that a handler is written against. They stand in http/ and include nothing of api/ or hook/.
		seam["gate/http/request.h"] = seam["gate/http/reply.h"] = seam["gate/http/service.h"] = 1
		seam["gate/http/identify.h"] = seam["gate/http/subject.h"] = seam["gate/http/page.h"] = 1
		seam["gate/http/idempotency.h"] = seam["gate/http/session.h"] = 1
		seam["gate/http/browser.h"] = seam["gate/http/link_session.h"] = 1
		seam["gate/http/refusal.h"] = seam["gate/http/connected_page.h"] = seam["gate/http/oauth_answer.h"] = 1

		# A foreign header and the one place that sees it.
		home["^civetweb\\.h$"] = "^gate/http/server\\.c$"
		home["^(cjson/)?cJSON(_Utils)?\\.h$"] = "^gate/base/json\\.c$"
		home["^openssl/"] = "^gate/(base/(secret|jwt)|http/server_tls)\\.c$"
		home["^curl/"] = "^gate/link/http_client\\.c$"
		home["^yaml\\.h$"] = "^gate/base/yaml\\.c$"
		home["^(postgresql/)?(libpq-|libpq/|pg_config|postgres_ext|server/)"] = "^gate/store/"
	}

	function complain(what) {
		printf "%s:%d: %s\n", file, line, what
		bad = 1
	}

	function layer_of(path,    parts) {
		split(path, parts, "/")
		if (parts[1] != "gate")
			return parts[1]
		return parts[3] == "" ? "main" : parts[2]
	}

	function folder_of(path) {
		sub(/[^\/]*$/, "", path)
		return path
	}

	# Takes "x/../" out of a path.
	function plain(path) {
		while (match(path, /[^\/.]+\/\.\.\//))
			path = substr(path, 1, RSTART - 1) substr(path, RSTART + RLENGTH)
		gsub(/(^|\/)\.\//, "/", path)
		sub(/^\//, "", path)
		return path
	}

	# The file that the compiler finds: beside the includer, in include/, in gate/, from the root.
	function resolve(name,    i, tries) {
		tries[1] = plain(folder_of(file) name); tries[2] = "include/" name
		tries[3] = plain("gate/" name); tries[4] = name
		for (i = 1; i <= 4; i++)
			if (tries[i] in exists)
				return tries[i]
		return ""
	}

	function stem(path) {
		sub(/.*\//, "", path)
		sub(/\.[ch]$/, "", path)
		return path
	}

	function judge_foreign(name,    pattern) {
		if ((from == "policy" || from == "include") && name !~ /^(limits|stdarg|stdbool|stddef|stdint|string)\.h$/)
			complain("<" name "> in " from "/; it sees plain types and string.h alone: let gate/ do it")
		for (pattern in home)
			if (name ~ pattern && file !~ home[pattern])
				complain("<" name "> belongs to one place; go through the header of " home[pattern])
	}

	function judge_own(path,    to) {
		to = layer_of(path)
		if (to == "include")
			return
		if (from == "policy" || from == "include")
			complain(path " in " from "/; it sees include/ alone: move the type into include/, or the code into gate/")
		else if (to == "policy")
			complain(path " is inside the policy; include include/policy.h")
		else if (!(from in rank) || !(to in rank))
			complain("gate/" (from in rank ? to : from) "/ has no place in the direction; add it to this guard")
		else if ((from == "api" || from == "hook") && (to == "api" || to == "hook")) {
			# check.h is what every hook is a form of; a file may have parts that bear its name.
			if (path == "gate/hook/check.h" && from == "hook" || index(stem(path), stem(file) "_") == 1 && from == to)
				return
			if (stem(file) != stem(path) || from != to)
				complain(path ": files of api/ and hook/ do not know each other; move what both need to the right")
		} else if (from == "http" && (to == "api" || to == "hook")) {
			if (file != "gate/http/route.c")
				complain(path ": of http/ only route.c, the route table, knows the handlers")
		} else if (from == "cli" && path == "gate/link/http_client.h" || from == to || from == "main")
			return
		else if ((from == "api" || from == "hook") && path in seam)
			return
		else if (rank[to] >= rank[from])
			complain(path " stands left of " from "/; pass what is needed, or move it")
	}

	{
		split($0, place, ":")
		file = place[1]
		line = place[2]
		from = layer_of(file)
		includes++
		if (match($0, /<[^>]+>/))
			judge_foreign(substr($0, RSTART + 1, RLENGTH - 2))
		else if (match($0, /"[^"]+"/)) {
			name = substr($0, RSTART + 1, RLENGTH - 2)
			path = resolve(name)
			# Lists that the build makes (queries.inc) hold data, not declarations of another layer.
			if (path != "")
				judge_own(path)
			else if (name !~ /\.inc$/)
				complain("\"" name "\" is no file beside it, in include/ or in gate/")
		} else
			complain("an include that this guard cannot read; name the file")
	}

	END {
		if (!includes) {
			print "no #include found; give the root of the sources"
			bad = 1
		}
		exit bad
	}'
