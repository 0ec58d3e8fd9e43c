# SPDX-License-Identifier: Apache-2.0
# Prints "line word" for every value of the enum of components/schemas/NAME in an OpenAPI document, written as a block or
# in brackets over one or more lines. Usage: awk -v name=NAME -f openapi_enum.awk openapi.yaml

function indent_of(text) {
	match(text, /^ */)
	return RLENGTH
}

function print_words(text,    words, count, i) {
	gsub(/[][,"'{}]/, " ", text)
	count = split(text, words, " ")
	for (i = 1; i <= count; i++)
		print FNR, words[i]
}

{
	text = $0
	sub(/[ \t]+#.*$/, "", text)
}
text ~ /^ *$/ { next }
in_schema && indent_of(text) <= schema_indent { in_schema = in_block = in_brackets = 0 }
text ~ "^ *" name ":( |$)" && !in_schema {
	in_schema = 1
	schema_indent = indent_of(text)
	sub(/^ *[A-Za-z]+:/, "", text)
}
!in_schema { next }
in_block && text ~ /^ *- / {
	sub(/^ *- /, "", text)
	print_words(text)
	next
}
in_block { in_block = 0 }
!in_brackets && match(text, /(^|[ {,])enum:/) {
	text = substr(text, RSTART + RLENGTH)
	if (text ~ /^ *$/)
		in_block = 1
	else
		in_brackets = 1
}
in_brackets {
	is_end = text ~ /\]/
	sub(/\].*/, "", text)
	print_words(text)
	if (is_end)
		in_brackets = 0
}
