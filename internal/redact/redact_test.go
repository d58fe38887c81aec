package redact

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Messages of the API, of FastAPI and pydantic, and of gateways, and what may
// be printed of them.
func TestText(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		// Useful ones stay as they are.
		{"Could not validate credentials", ""},
		{"Transcription not found", ""},
		{"You do not have access to these template_ids [234234]", ""},
		{"Too many requests", ""},
		{"field required", ""},
		{"value is not a valid integer", ""},
		{"Input should be a valid integer, unable to parse string as an integer", ""},
		{"String should have at least 1 character", ""},
		{"Method Not Allowed", ""},
		{"Account Grant Young is inactive", "Account … … is inactive"}, // capitals make names of words
		{"upstream connect error or disconnect/reset before headers", ""},
		{"JSON decode error: unexpected end of data at line 1", ""},
		{"Invalid datetime format for date_of_service", ""},
		{"The job is in state STT_PROCESSING", ""},
		{"workers: 0 of 12 available", ""},
		{"body.template_ids[0] doesn't exist", ""},

		// Names, dates and numbers go.
		{"note for Jane Doe failed", "note for … … failed"},
		{"Patient Grace Field not found", "… … … not found"},
		{"duplicate visit on 2025-11-06T14:05:00Z", "duplicate visit on …"},
		{"duplicate visit on 11/06/2025", "duplicate visit on …"},
		{"on 11 06 25 at 9", "on … … … at 9"},
		{"account 4111111111111111 is inactive", "account … is inactive"},
		{"call 555-1234", "call …"},
		{"user jane.doe@example.com is not active", "user … is not active"},
		{"password hunter2 is wrong", "password … is wrong"},
		{"пациент Иван not found", "… … not found"},
		{"J. Q. Doe", "…. …. …"},
		{"line one\r\nfake log line", "line one … log line"},
		{"\x1b[31mred", "[…"},
		{"no\xffbyte", "…"},
		{"duplicate visit for DON SHORT", "duplicate visit for … …"},
		{"MIN WON, AN DO", "… …, … …"},
		{"no record with MRN 000000457", "no record with … …"},
		{"078 and 05 and 0120", "… and … and …"},
		{"line 0", ""},
		{"job is QUEUED, not STT_PROCESSING", ""},
		{"", ""},
	} {
		want := c.want
		if want == "" {
			want = c.in
		}
		assert.Equal(t, want, Text(c.in, 234234), "%q", c.in)
	}
}

func TestTextIsShort(t *testing.T) {
	got := Text(strings.Repeat("error ", 1e6))
	assert.LessOrEqual(t, len(got), maxLength+20)
	assert.True(t, strings.HasSuffix(got, "…"))
}

func TestPath(t *testing.T) {
	assert.Equal(t, "/scribe/12345678/regenerate/audio", Path("/scribe/12345678/regenerate/audio", 12345678))
	assert.Equal(t, "/scribe/…/regenerate/audio", Path("/scribe/12345678/regenerate/audio"))
	assert.Equal(t, "/…/…/records", Path("/patients/19800131/records", 7))
	assert.Equal(t, "/…/…/…/…", Path("/visits/1980/01/31"))
	assert.Equal(t, "/status/…/7", Path("/status/77/7", 7))
	assert.Equal(t, "/status/…", Path("/status/-1", -1), "no number is below zero")
	assert.Equal(t, "/…/…", Path("/patients/Jane-Doe"))
	assert.Equal(t, "/…/…/…/", Path("/visits/2025-11-06/Jane Doe/"))
	assert.Equal(t, "/scribe/…", Path("/scribe/\nfake log line"))
}

func TestID(t *testing.T) {
	for _, id := range []string{
		"", "0b1f2c9e-2f5a-4a3e-9a52-0d3c1a7f8e21", "d41d8cd98f00b204e9800998ecf8427e",
		"Root=1-5759e988-bd862e3fe1be46a994272793", "230b030023ae2822-SJC", "req_011CSHoEeqs5C35K2UUqR7Fy",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "01ARZ3NDEKTSV4RRFFQ69G5FAV",
		"Self=1-67891234-12456789abcdef012345678;Root=1-67891233-abcdef012345678912345678",
	} {
		assert.Equal(t, id, ID(id))
	}
	for _, text := range []string{"Jane-Doe", "Jane Doe 1980-02-03", "Jane-Doe-1980", "patient-CANARY42", strings.Repeat("a", 200),
		"jane-doe-19800203", "JonathanDoe19800203", "Jonathan.Doe.1980.02.03", "5551234567", "19800203", "123-45-6789", "4111111111111111",
		"jane-4bf92f3577b34da6a3ce929d0e0e4736", "Jane-Doe-1980-visit-3-room-7", "ada-1980-02-03", "JON-00f067aa0ba902b7", "----------------",
		"Smith12Mar1984John", "mrn00482913dob1984x3", "ada-1987-03-29-bea-078051120",
		strings.Repeat("a1", 65), "4bf92f3577b34da6 a3ce929d0e0e4736", "4bf92f3577b34da6\n", "é4bf92f3577b34da6",
	} {
		assert.Equal(t, hidden, ID(text))
	}
}

// A word passes only if it is in the vocabulary, whatever is around it.
func FuzzText(f *testing.F) {
	f.Add("note for Jane Doe failed on 2025-11-06")
	f.Add("{\"a\": [1, 2, \"\\u00e9\"]}")
	f.Fuzz(func(t *testing.T, s string) {
		got := Text(s + " Zanzibarius " + s)
		assert.NotContains(t, strings.ToLower(got), "zanzibarius")
		assert.LessOrEqual(t, len(got), 2*maxLength+64)
		for _, r := range strings.ReplaceAll(got, hidden, "") {
			assert.True(t, r >= ' ' && r < 0x7f, "%q in %q", r, got)
		}
	})
}

func FuzzPath(f *testing.F) {
	f.Add("scribe/7")
	f.Fuzz(func(t *testing.T, s string) {
		assert.NotContains(t, strings.ToLower(Path("/"+s+"/zanzibarius/"+s+"zanzibarius")), "zanzibarius")
	})
}

// No id that has a word in it passes.
func FuzzID(f *testing.F) {
	f.Add("4bf92f3577b34da6a3ce929d0e0e4736")
	f.Add("-0-")
	f.Fuzz(func(t *testing.T, s string) {
		for _, id := range []string{"zanzibarius-" + s, s + "-zanzibarius", s + "_Zanzibarius_" + s} {
			assert.Equal(t, hidden, ID(id), "%q", id)
		}
	})
}
