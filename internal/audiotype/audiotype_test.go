package audiotype

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The first bytes of real files, one for each way a documented type begins.
func TestDetect(t *testing.T) {
	for _, c := range []struct{ name, head, mime, ext string }{
		{"wav", "RIFF\x24\x08\x00\x00WAVEfmt ", "audio/wav", "wav"},
		{"wav beyond 4 GiB", "RF64\xff\xff\xff\xffWAVEds64", "audio/wav", "wav"},
		{"webm", "\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\xf7\x81", "audio/webm", "webm"},
		{"m4a", "\x00\x00\x00\x20ftypM4A \x00\x00\x02\x00", "audio/mp4", "m4a"},
		{"m4a audiobook", "\x00\x00\x00\x20ftypM4B \x00\x00\x02\x00", "audio/mp4", "m4a"},
		{"mp4", "\x00\x00\x00\x20ftypisom\x00\x00\x02\x00", "audio/mp4", "mp4"},
		{"mpeg program stream", "\x00\x00\x01\xba\x44\x00\x04\x00\x04\x01", "video/mpeg", "mpeg"},
		{"mp3 with tag", "ID3\x04\x00\x00\x00\x00\x00\x23TS", "audio/mpeg", "mp3"},
		{"mp3, MPEG-1 layer III", "\xff\xfb\x90\x44\x00\x00\x00\x00", "audio/mpeg", "mp3"},
		{"mp3, MPEG-2 layer III", "\xff\xf3\x40\xc4\x00\x00\x00\x00", "audio/mpeg", "mp3"},
		{"mpga, MPEG-1 layer II", "\xff\xfd\x90\x04\x00\x00\x00\x00", "audio/mpeg", "mp3"},
	} {
		f, ok := Detect([]byte(c.head))
		assert.True(t, ok, c.name)
		assert.Equal(t, Format{c.mime, c.ext}, f, c.name)
	}
	for name, head := range map[string]string{
		"nothing":                   "",
		"zeros":                     strings.Repeat("\x00", HeadSize),
		"text":                      "This is a visit",
		"flac":                      "fLaC\x00\x00\x00\x22",
		"ogg":                       "OggS\x00\x02\x00\x00",
		"aac in ADTS":               "\xff\xf1\x50\x80\x02\x1f\xfc", // a sync word like MPEG's, with the layer that is none
		"avi":                       "RIFF\x24\x08\x00\x00AVI LIST",
		"UTF-16 text":               "\xfe\xff\x00H\x00i",
		"frame of a reserved rate":  "\xff\xfb\xf0\x44",
		"frame of no version":       "\xff\xeb\x90\x44",
		"cut off within the header": "\xff\xfb",
		"RIFF cut off":              "RIFF\x24\x08\x00\x00WAV",
	} {
		f, ok := Detect([]byte(head))
		assert.False(t, ok, name)
		assert.Zero(t, f, name)
	}
}

func TestDetectSyntheticVisit(t *testing.T) {
	for _, ext := range []string{"mp3", "wav"} {
		b, err := os.ReadFile("../../testdata/visit." + ext)
		require.NoError(t, err)
		f, ok := Detect(b[:HeadSize])
		assert.True(t, ok, ext)
		assert.Equal(t, ext, f.Ext)
	}
}

func TestByName(t *testing.T) {
	for name, want := range map[string]Format{
		"visit.mp3": {"audio/mpeg", "mp3"}, "visit.MP3": {"audio/mpeg", "mp3"}, "a/b.c/visit.mpga": {"audio/mpeg", "mpga"},
		"visit.mp4": {"audio/mp4", "mp4"}, "visit.m4a": {"audio/mp4", "m4a"}, "visit.mpeg": {"video/mpeg", "mpeg"},
		"visit.wav": {"audio/wav", "wav"}, ".webm": {"audio/webm", "webm"},
	} {
		f, ok := ByName(name)
		assert.True(t, ok, name)
		assert.Equal(t, want, f, name)
	}
	for _, name := range []string{"", "visit", "visit.", "visit.flac", "mp3", "visit.mp3/visit", "visit.mp3 "} {
		_, ok := ByName(name)
		assert.False(t, ok, name)
	}
}

func TestContradicts(t *testing.T) {
	families := [][]string{{"mp3", "mpga", "mpeg"}, {"mp4", "m4a"}, {"wav"}, {"webm"}}
	for i, a := range families {
		for j, b := range families {
			for _, x := range a {
				for _, y := range b {
					fx, _ := ByName("." + x)
					fy, _ := ByName("." + y)
					assert.Equal(t, i != j, fx.Contradicts(fy), "%s and %s", x, y)
				}
			}
		}
	}
}

// FuzzDetect: any bytes, of any length, are looked at without harm, and what is
// found is one of the documented types.
func FuzzDetect(f *testing.F) {
	f.Add([]byte("RIFF    WAVE"), "visit.wav")
	f.Add([]byte("\xff\xfb\x90"), "")
	f.Fuzz(func(t *testing.T, head []byte, name string) {
		if found, ok := Detect(head); ok {
			again, ok := ByName("." + found.Ext)
			require.True(t, ok)
			require.Equal(t, found, again)
			require.False(t, found.Contradicts(again))
		}
		_, _ = ByName(name)
	})
}
