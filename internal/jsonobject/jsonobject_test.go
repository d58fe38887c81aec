package jsonobject

import (
	"bytes"
	"encoding/json"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestIsObject(t *testing.T) {
	for in, want := range map[string]bool{
		`{}`: true, " \r\n\t{ } \n": true, `{"a":{"b":[1]}}`: true,
		``: false, ` `: false, `null`: false, `[]`: false, `"{}"`: false, `1`: false,
		`{`: false, `{"a"}`: false, `{"a":}`: false, `{} {}`: false, `{}x`: false, "\ufeff{}": false, `{"a":1,}`: false, `{'a':1}`: false,
	} {
		assert.Equal(t, want, IsObject([]byte(in)), "%q", in)
	}
}

func TestTrimMark(t *testing.T) {
	for in, want := range map[string]string{"": "", "{}": "{}", "\ufeff{}": "{}", "\ufeff": "", "\ufeff\ufeff{}": "\ufeff{}", " \ufeff{}": " \ufeff{}", "\xef\xbb": "\xef\xbb"} {
		assert.Equal(t, want, string(TrimMark([]byte(in))), "%q", in)
	}
}

type member struct{ name, value string }

func collect(data string) (all []member) {
	for name, v := range Members([]byte(data)) {
		all = append(all, member{string(name), string(v)})
	}
	return all
}

// Values keep their spaces, escapes and the digits of their numbers: nothing is
// decoded on the way.
func TestMembersAreKeptByteForByte(t *testing.T) {
	for in, want := range map[string][]member{
		`{}`:                                  nil,
		`[1]`:                                 nil,
		`{"a":1}`:                             {{"a", `1`}},
		`{"a":1.50000000000000000001e+2}`:     {{"a", `1.50000000000000000001e+2`}},
		` { "a" : true , "b":null} `:          {{"a", `true`}, {"b", `null`}},
		`{"a":{ "x": [1, 2] },"b":[ {} ,[]]}`: {{"a", `{ "x": [1, 2] }`}, {"b", `[ {} ,[]]`}},
		`{"a":"} , \" ] \\","b":"\u00e9<&>"}`: {{"a", `"} , \" ] \\"`}, {"b", `"\u00e9<&>"`}},
		`{"a":["]","}\""]}`:                   {{"a", `["]","}\""]`}},
		`{"na\u006de\"":1}`:                   {{`name"`, `1`}},
		`{"a":1,"a":2}`:                       {{"a", `1`}, {"a", `2`}},
		"{\"a\":-0\n}":                        {{"a", `-0`}},
		"{\"\":\t\"\"\r\n,\"b\":false\t}":     {{"", `""`}, {"b", `false`}},
		"{\"a\":\"\xff\",\"b\":\"\u2028\"}":   {{"a", "\"\xff\""}, {"b", "\"\u2028\""}},
	} {
		assert.Equal(t, want, collect(in), "%q", in)
	}
}

// A value cannot be grown into the one behind it.
func TestMembersAreCapped(t *testing.T) {
	for _, v := range Members([]byte(`{"a":1,"b":2}`)) {
		assert.Equal(t, len(v), cap(v))
	}
}

func TestMembersCanBeLeft(t *testing.T) {
	n := 0
	for range Members([]byte(`{"a":1,"b":2}`)) {
		n++
		break
	}
	assert.Equal(t, 1, n)
}

// FuzzMembers compares with encoding/json, which reads the same members by way
// of tokens.
func FuzzMembers(f *testing.F) {
	for _, seed := range []string{``, `{}`, `{"a":1}`, ` {"a" : [1,{"b":"}"}] , "c":"\"\\"}`, `{"a":-1e5,"b":null}`, `[{}]`, `{"a":"\ud800"}`, "{\"\xff\":1}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		got := collect(string(data))
		require.Equal(t, before, data)
		require.Equal(t, byDecoder(data), got)

		// The map that encoding/json makes has the last of each name.
		var want map[string]json.RawMessage
		if json.Unmarshal(data, &want) != nil || want == nil {
			require.Empty(t, got)
			return
		}
		last := map[string]json.RawMessage{}
		for _, m := range got {
			last[m.name] = json.RawMessage(m.value)
		}
		require.Equal(t, want, last)
	})
}

// byDecoder lists the members as json.Decoder finds them.
func byDecoder(data []byte) (all []member) {
	d := json.NewDecoder(bytes.NewReader(data))
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return nil
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil
		}
		var v json.RawMessage
		if d.Decode(&v) != nil {
			return nil
		}
		all = append(all, member{name.(string), string(v)})
	}
	if _, err := d.Token(); err != nil {
		return nil
	}
	if _, err := d.Token(); err != io.EOF {
		return nil
	}
	return all
}
