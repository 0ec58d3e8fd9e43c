# SPDX-License-Identifier: Apache-2.0
# Writes the statements of schema/queries/ as lines QUERY(QUERY_NAME, "name", "text") and the migrations of
# schema/migrations/ as lines MIGRATION(version, "name", bytes…), so that a new .sql file needs no edit in C. Comments are
# left out of statements, because unprepared ones are sent as text each time. Migrations are written as bytes: C17 promises
# string literals of 4095 characters only.
# cmake -D KIND=queries|migrations -D FOLDER=… -D OUTPUT=… -P embed_sql.cmake
file(GLOB files "${FOLDER}/*.sql")
list(SORT files)
set(lines "")
foreach(file IN LISTS files)
	get_filename_component(name "${file}" NAME_WE)
	file(READ "${file}" text)
	string(REGEX REPLACE "(^|\n)[ \t]*--[^\n]*" "\\1" text "${text}")
	string(STRIP "${text}" text)
	if(KIND STREQUAL "queries")
		string(REGEX REPLACE "\n+" "\n" text "${text}")
		string(REPLACE "\\" "\\\\" text "${text}")
		string(REPLACE "\"" "\\\"" text "${text}")
		string(REPLACE "\n" "\\n\"\n\t\"" text "${text}")
		string(TOUPPER "${name}" upper)
		string(APPEND lines "QUERY(QUERY_${upper}, \"${name}\",\n\t\"${text}\")\n")
	else()
		string(REGEX MATCH "^[0-9]+" digits "${name}")
		string(REGEX REPLACE "^0+" "" version "${digits}")
		string(HEX "${text}" hex)
		string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
		string(APPEND lines "MIGRATION(${version}, \"${name}\", ${bytes} 0x00)\n")
	endif()
endforeach()
file(WRITE "${OUTPUT}" "${lines}")
