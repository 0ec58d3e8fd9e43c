# SPDX-License-Identifier: Apache-2.0
# Writes the style sheet INPUT, without comments, line ends and indentation, as the array STYLE into OUTPUT. As bytes,
# because C17 promises string literals of 4095 characters only.
# cmake -D INPUT=… -D OUTPUT=… -P embed_style.cmake
file(READ "${INPUT}" style)
string(REGEX REPLACE "/\\*([^*]|\\*[^/])*\\*/" "" style "${style}")
string(REGEX REPLACE "[ \t\n]+" " " style "${style}")
string(REGEX REPLACE " ?([{},]) ?" "\\1" style "${style}")
string(REGEX REPLACE "([:;]) " "\\1" style "${style}")
string(STRIP "${style}" style)
string(HEX "${style}" hex)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
file(WRITE "${OUTPUT}" "static const char STYLE[] = {${bytes} 0x00};\n")
