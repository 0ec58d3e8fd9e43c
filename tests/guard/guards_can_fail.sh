#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Plants a violation of each rule into a small tree and expects its guard to name it. A guard that cannot fail guards
# nothing. Usage: guards_can_fail.sh C_COMPILER
set -eu
export LC_ALL=C

compiler=$1
guards=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
root=$folder/root
spdx='/* SPDX-License-Identifier: Apache-2.0 */'
failures=0

# A tree that keeps every rule.
plant_good() {
	rm -rf "$root"
	mkdir -p "$root/include" "$root/policy" "$root/schema" "$root/gate/base" "$root/gate/store" "$root/gate/link" \
		"$root/gate/api" "$root/gate/hook" "$root/gate/http"
	printf '%s\n' "$spdx" '#include <stddef.h>' 'enum colour {' '	COLOUR_RED,' '	COLOUR_BLUE,' '};' \
		>"$root/include/policy.h"
	printf '%s\n' "$spdx" '	X(PROBLEM_NONE, "", 200)    \' '	X(PROBLEM_A, "a_code", 400) \' \
		'	X(PROBLEM_B, "b_code", 400)' >"$root/include/problem.h"
	printf '%s\n' "$spdx" '	X(REASON_A, "a_reason", VERDICT_OK, FIXABLE_BY_NOBODY) \' \
		'	X(REASON_B, "b_reason", VERDICT_OK, FIXABLE_BY_NOBODY)' >"$root/include/decision.h"
	printf '%s\n' 'components:' '  schemas:' '    ErrorCode:' '      type: string' '      enum:' '        - a_code' \
		'        - b_code' '    Reason: { type: string, enum: [a_reason,' '      b_reason] }' \
		'    Other: { enum: [x] }' >"$root/schema/openapi.yaml"
	printf '%s\n' '`a_reason` and `b_reason`' >"$root/README.md"
	for file in policy/next_step.c gate/base/json.h gate/base/json.c gate/store/store.h gate/store/pool.c gate/link/gate.h \
		gate/link/gate.c gate/api/user.h gate/api/user.c gate/api/build.h gate/hook/opa.c gate/http/reply.h \
		gate/http/route.c gate/http/server.h gate/http/server.c gate/main.c; do
		printf '%s\n' "$spdx" '#include "policy.h"' >"$root/$file"
	done
	printf '%s\n' '#include "../base/json.h"' >>"$root/gate/store/store.h"
	printf '%s\n' '#include <cjson/cJSON.h>' >>"$root/gate/base/json.c"
	printf '%s\n' '#include "user.h"' '#include "../http/reply.h"' '#include "../link/gate.h"' >>"$root/gate/api/user.c"
	printf '%s\n' '#include "../api/user.h"' >>"$root/gate/http/route.c"
}

# finds WHAT GUARD WANTED_TEXT: the guard fails on the tree as it stands, and says this.
finds() {
	if sh "$guards/$2.sh" "$root" >"$folder/said" 2>&1 || ! grep -qF -- "$3" "$folder/said"; then
		echo "$2 does not find $1 with \"$3\":"
		cat "$folder/said"
		failures=$((failures + 1))
	fi
}

# plant WHAT GUARD FILE LINE WANTED_TEXT: a good tree with one line more.
plant() {
	plant_good
	printf '%s\n' "$4" >>"$root/$3"
	finds "$1" "$2" "$5"
}

# replant WHAT GUARD FILE SED_COMMAND WANTED_TEXT: a good tree with one file changed.
replant() {
	plant_good
	sed -i "$4" "$root/$3"
	finds "$1" "$2" "$5"
}

plant_good
for guard in includes_point_right house_rules openapi_codes reasons_documented; do
	if ! sh "$guards/$guard.sh" "$root"; then
		echo "$guard objects to a good tree"
		failures=$((failures + 1))
	fi
done

guard=includes_point_right
plant 'a clock in the policy' $guard policy/next_step.c '#include <time.h>' 'policy/next_step.c:3: <time.h> in policy/'
plant 'printing in the seam' $guard include/policy.h '#include <stdio.h>' 'include/policy.h:7: <stdio.h> in include/'
plant 'the store in the policy' $guard policy/next_step.c '#include "../gate/store/store.h"' 'policy/next_step.c:3: gate/store/'
plant 'the base knowing the store' $guard gate/base/json.c '#include "../store/store.h"' 'gate/base/json.c:4: gate/store/'
plant 'the store knowing the links' $guard gate/store/pool.c '# include "../link/gate.h"' 'gate/store/pool.c:3: gate/link/'
plant 'the links knowing a handler' $guard gate/link/gate.c '#include "../api/user.h"' 'gate/link/gate.c:3: gate/api/'
plant 'a handler knowing another' $guard gate/api/user.c '#include "build.h"' 'do not know each other'
plant 'a hook knowing a handler' $guard gate/hook/opa.c '#include "../api/user.h"' 'do not know each other'
plant 'a handler knowing the server' $guard gate/api/user.c '#include "../http/server.h"' 'stands left of api/'
plant 'the server knowing a handler' $guard gate/http/server.c '#include "../api/user.h"' 'only route.c'
plant 'the links knowing a reply' $guard gate/link/gate.c '#include "../http/reply.h"' 'stands left of link/'
plant 'the inside of the policy' $guard gate/main.c '#include "../policy/next_step.c"' 'inside the policy'
plant 'a file that is not there' $guard gate/main.c '#include "nowhere.h"' '"nowhere.h" is no file'
plant 'an include by macro' $guard gate/main.c '#include HEADER' 'cannot read'
plant 'cJSON in a handler' $guard gate/api/user.c '#include <cjson/cJSON.h>' '<cjson/cJSON.h> belongs to one place'
plant 'libpq in the links' $guard gate/link/gate.c '#include <libpq-fe.h>' '<libpq-fe.h> belongs to one place'
plant 'curl in the base' $guard gate/base/json.c '#include <curl/curl.h>' '<curl/curl.h> belongs to one place'
plant 'OpenSSL in the store' $guard gate/store/pool.c '#include <openssl/evp.h>' '<openssl/evp.h> belongs to one place'
plant 'libyaml in main' $guard gate/main.c '#include <yaml.h>' '<yaml.h> belongs to one place'
plant 'CivetWeb in the routes' $guard gate/http/route.c '#include <civetweb.h>' '<civetweb.h> belongs to one place'
plant_good
mkdir "$root/gate/cellar"
printf '%s\n' "$spdx" '#include "../base/json.h"' >"$root/gate/cellar/wine.c"
finds 'a folder that nobody knows' $guard 'gate/cellar/ has no place'

guard=house_rules
replant 'a missing licence' $guard gate/main.c 1d 'gate/main.c:1: begin with'
plant 'goto' $guard gate/main.c '	goto out;' 'gate/main.c:3: goto'
plant 'strcpy' $guard gate/main.c '	strcpy(a, b);' 'gate/main.c:3: a function without a bound'
plant 'sprintf behind a comment' $guard gate/main.c '	/* x */ sprintf(a, b);' 'gate/main.c:3: a function without a bound'
plant 'atoi' $guard gate/main.c '	return atoi(a);' 'gate/main.c:3: a function without a bound'
plant 'strtok' $guard gate/main.c '	strtok(a, b);' 'gate/main.c:3: a function without a bound'
plant 'a typedef of a struct' $guard gate/main.c 'typedef struct a b;' 'gate/main.c:3: a struct is never'
plant 'a plan in a comment' $guard gate/main.c '/* TO''DO: later */' 'gate/main.c:3:/* TO''DO'
plant 'a path of one machine' $guard gate/main.c '/* see /wor''k/main */' 'gate/main.c:3:/* see'
plant 'a host of one machine' $guard README.md 'https://registry.npm''js.org/' 'README.md:2:'
plant 'a default over an enum' $guard gate/main.c '	switch (c) {
	case COLOUR_RED:
		switch (d) {
		default:
			return;
		}
	default:
		break;
	}' 'gate/main.c:9: default in a switch over an enum'
plant_good
{ printf '%s\n' 'void f(void)' '{'; yes '	g();' | head -n 61; echo '}'; } >>"$root/gate/main.c"
finds 'a long function' $guard 'gate/main.c:4: 61 lines in one function'
plant_good
yes '' | head -n 499 >>"$root/gate/main.c"
finds 'a long file' $guard 'gate/main.c:501: a file of more than 500 lines'
plant_good
printf '%s\n' '#!/bin/sh' 'exit 0' >"$root/run.sh"
finds 'a script without a licence' $guard 'run.sh:1: say SPDX'
plant_good
{
	printf '%s\n' 'void f(void)' '{'
	yes '	g("goto x; strcpy(a, b);"); /* goto, strcpy( and default: are words here */' | head -n 60
	printf '%s\n' '}' 'int h(int c)' '{' '	switch (c) {' '	case EINTR:' '	default:' '		return 0;' '	}' '}'
} >>"$root/gate/main.c"
if ! sh "$guards/house_rules.sh" "$root"; then
	echo 'house_rules objects to words in strings and comments, to 60 lines or to a switch over numbers'
	failures=$((failures + 1))
fi

guard=openapi_codes
plant 'a code that is not in the document' $guard include/problem.h '	X(PROBLEM_C, "c_code", 400)' 'include/problem.h:5: c_code is not in'
replant 'a code that nobody says' $guard schema/openapi.yaml 's/- b_code/- b_code\n        - d_code/' 'openapi.yaml:8: d_code is not in'
replant 'a code twice' $guard schema/openapi.yaml 's/- b_code/- b_code\n        - a_code/' 'a_code stands twice'
replant 'a document without codes' $guard schema/openapi.yaml 's/ErrorCode/Mistake/' '0 values'
plant_good
rm "$root/schema/openapi.yaml"
finds 'a missing document' $guard 'is missing'
plant_good
rm "$root/include/problem.h"
finds 'a missing header' $guard 'is missing'

guard=reasons_documented
plant 'a reason that is not in the document' $guard include/decision.h '	X(REASON_C, "c_reason", V, F)' 'c_reason is not in Reason'
plant 'a reason that is not in the README' $guard include/decision.h '	X(REASON_C, "c_reason", V, F)' '`c_reason` is not in'
replant 'a reason that nobody gives' $guard schema/openapi.yaml 's/b_reason/b_reason, d_reason/' 'd_reason is not in'
plant_good
rm "$root/README.md"
finds 'a missing README' $guard 'README.md: is missing'

# make_library C_TEXT: a policy library of one file.
make_library() {
	printf '%s\n' "$1" >"$folder/next_step.c"
	"$compiler" -c "$folder/next_step.c" -o "$folder/next_step.o"
	rm -f "$folder/libpolicy.a"
	ar rc "$folder/libpolicy.a" "$folder/next_step.o"
}

# is_impure WHAT C_TEXT WANTED_TEXT
is_impure() {
	make_library "$2"
	if sh "$guards/policy_is_pure.sh" "$folder/libpolicy.a" >"$folder/said" 2>&1 || ! grep -qF -- "$3" "$folder/said"; then
		echo "policy_is_pure does not find $1 with \"$3\":"
		cat "$folder/said"
		failures=$((failures + 1))
	fi
}

is_impure 'a clock' 'long time(long *); long f(void) { return time(0); }' 'calls time'
is_impure 'memory' 'void *malloc(unsigned long); void *f(void) { return malloc(1); }' 'calls malloc'
is_impure 'a variable' 'int count = 1; int f(void) { return ++count; }' '.data holds'
is_impure 'a hidden variable' 'int f(void) { static int count; return ++count; }' 'writable memory'
is_impure 'an empty library' '' 'no symbols'
make_library 'unsigned long strlen(const char *); static const char *const w[] = {"a"}; unsigned long f(int i) { return strlen(w[i]); }'
if ! sh "$guards/policy_is_pure.sh" "$folder/libpolicy.a"; then
	echo 'policy_is_pure objects to a pure function'
	failures=$((failures + 1))
fi

[ "$failures" -eq 0 ]
