# SPDX-License-Identifier: Apache-2.0
# Reads all C files twice: with pass=1 it learns the names of enumerators, with pass=2 it checks. Strings and comments are
# taken out before a line is judged.

function complain(line, what) {
	printf "%s:%d: %s\n", FILENAME, line, what
	bad = 1
}

# The line without comments, and with empty strings and characters. in_comment lives from line to line.
function code_of(text,    code, byte, two, quote, i) {
	code = ""
	quote = ""
	for (i = 1; i <= length(text); i++) {
		byte = substr(text, i, 1)
		two = substr(text, i, 2)
		if (in_comment) {
			if (two == "*/") {
				in_comment = 0
				i++
			}
		} else if (quote != "") {
			if (byte == "\\")
				i++
			else if (byte == quote) {
				quote = ""
				code = code byte
			}
		} else if (two == "/*") {
			in_comment = 1
			i++
		} else if (two == "//")
			return code
		else {
			if (byte == "\"" || byte == "'")
				quote = byte
			code = code byte
		}
	}
	return code
}

function begin_file() {
	in_comment = 0
	in_enum = 0
	depth = 0
	switches = 0
	body_start = 0
	header = ""
}

# X(NAME, …) rows and the bodies of enum { … }.
function learn_enumerators(code,    rest) {
	rest = code
	while (match(rest, /X\([A-Z][A-Z0-9_]+/)) {
		enumerator[substr(rest, RSTART + 2, RLENGTH - 2)] = 1
		rest = substr(rest, RSTART + RLENGTH)
	}
	if (code ~ /(^|[^a-z_])enum[ \t]+[a-z_]*[ \t]*\{/) {
		in_enum = 1
		sub(/^.*\{/, "", code)
	}
	if (!in_enum)
		return
	rest = code
	sub(/\}.*/, "", rest)
	while (match(rest, /[A-Z][A-Z0-9_]+/)) {
		enumerator[substr(rest, RSTART, RLENGTH)] = 1
		rest = substr(rest, RSTART + RLENGTH)
	}
	if (code ~ /\}/)
		in_enum = 0
}

function check_words(code) {
	if (code ~ /(^|[^A-Za-z0-9_])goto[ \t]/)
		complain(FNR, "goto; leave by return, and let SCOPED end foreign handles")
	if (match(code, /(^|[^A-Za-z0-9_])(strcpy|strncpy|strcat|strncat|sprintf|vsprintf|atoi|atol|atoll|atof|strtok|gets|alloca)[ \t]*\(/))
		complain(FNR, "a function without a bound or without an error:" substr(code, RSTART, RLENGTH) "; use one that has both")
	if (code ~ /(^|[^A-Za-z0-9_])typedef[ \t]+(struct|union)([^A-Za-z0-9_]|$)/)
		complain(FNR, "a struct is never typedef'd; write struct name")
}

# A switch that names one of our enumerators has no default, so that the compiler tells of a new value.
function check_switch(code,    label) {
	if (code ~ /(^|[^A-Za-z0-9_])switch[ \t]*\(/) {
		switches++
		switch_depth[switches] = depth
		names_enumerator[switches] = 0
		default_line[switches] = 0
	}
	if (switches > 0 && match(code, /case[ \t]+[A-Z][A-Z0-9_]+[ \t]*:/)) {
		label = substr(code, RSTART, RLENGTH)
		gsub(/case|[ \t:]/, "", label)
		if (label in enumerator)
			names_enumerator[switches] = 1
	}
	if (switches > 0 && code ~ /(^|[^A-Za-z0-9_])default[ \t]*:/)
		default_line[switches] = FNR
}

function end_switch() {
	if (names_enumerator[switches] && default_line[switches])
		complain(default_line[switches], "default in a switch over an enum; name every value")
	switches--
}

function count_braces(code,    i, byte) {
	for (i = 1; i <= length(code); i++) {
		byte = substr(code, i, 1)
		if (byte == "{")
			depth++
		else if (byte == "}") {
			depth--
			if (switches > 0 && depth == switch_depth[switches])
				end_switch()
		}
	}
}

# Linux style: a function's body is what stands between a { and a } alone in column 0.
function check_length() {
	if ($0 == "{")
		body_start = FNR
	else if ($0 ~ /^\}/ && body_start) {
		if (FNR - body_start - 1 > 60)
			complain(body_start, (FNR - body_start - 1) " lines in one function; the limit is 60: split it")
		body_start = 0
	}
	if (FNR == 501)
		complain(FNR, "a file of more than 500 lines; split it by subject")
}

FNR == 1 { begin_file() }
pass == 1 { learn_enumerators(code_of($0)) }
pass == 2 {
	code = code_of($0)
	check_words(code)
	check_switch(code)
	count_braces(code)
	check_length()
}
END { exit bad }
