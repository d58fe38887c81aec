// Package jsonobject reads the members of a JSON object without decoding their values,
// so that a caller can keep unknown members byte for byte.
package jsonobject

import (
	"bytes"
	"encoding/json"
	"iter"
	"unicode/utf8"
)

// TrimMark returns data without a leading byte order mark. RFC 8259, section 8.1,
// forbids the mark, but some servers send it.
func TrimMark(data []byte) []byte { return bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")) }

// IsObject reports whether data is one valid JSON object.
func IsObject(data []byte) bool {
	i := skipSpace(data, 0)
	return i < len(data) && data[i] == '{' && json.Valid(data)
}

// IsComplete reports whether data is a JSON value that cannot go on. A number can.
func IsComplete(data []byte) bool {
	data = bytes.TrimSpace(TrimMark(data))
	return json.Valid(data) && !('0' <= data[len(data)-1] && data[len(data)-1] <= '9')
}

// Members yields the names and values of a valid JSON object in order, duplicates
// included. If data is anything else, it yields nothing. The values alias data, and so
// do the names that need no decoding.
func Members(data []byte) iter.Seq2[[]byte, json.RawMessage] {
	return func(yield func([]byte, json.RawMessage) bool) {
		if !IsObject(data) {
			return
		}
		i := skipSpace(data, skipSpace(data, 0)+1)
		for data[i] != '}' {
			end := skipString(data, i)
			name := Text(data[i:end])
			i = skipSpace(data, end)
			i = skipSpace(data, i+1) // the colon
			end = skipValue(data, i)
			if !yield(name, data[i:end:end]) {
				return
			}
			i = skipSpace(data, end)
			if data[i] == ',' {
				i = skipSpace(data, i+1)
			}
		}
	}
}

// The skip functions trust that data is valid JSON.

func skipSpace(data []byte, i int) int {
	for i < len(data) && (data[i] == ' ' || data[i] == '\t' || data[i] == '\n' || data[i] == '\r') {
		i++
	}
	return i
}

func skipString(data []byte, i int) int {
	for i++; data[i] != '"'; i++ {
		if data[i] == '\\' {
			i++
		}
	}
	return i + 1
}

func skipValue(data []byte, i int) int {
	depth := 0
	for {
		switch data[i] {
		case '"':
			i = skipString(data, i)
			if depth == 0 {
				return i
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth <= 0 {
				if depth < 0 { // the object's own end, right behind a number or word
					return i
				}
				return i + 1
			}
		case ',', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return i
			}
		}
		i++
	}
}

// Text returns the text of a JSON string. The text aliases quoted if it is valid UTF-8
// without escapes.
func Text(quoted []byte) []byte {
	plain := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(plain, '\\') < 0 && utf8.Valid(plain) {
		return plain
	}
	var s string
	_ = json.Unmarshal(quoted, &s) // valid by construction
	return []byte(s)
}
