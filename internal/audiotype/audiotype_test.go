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
		assert.Equal(t, Format{c.mime, c.ext, true}, f, c.name)
	}
	for _, c := range []struct{ name, head, mime, ext string }{
		{"ogg", "OggS\x00\x02\x00\x00", "audio/ogg", "ogg"},
		{"flac", "fLaC\x00\x00\x00\x22", "audio/flac", "flac"},
		{"aac in ADTS", "\xff\xf1\x50\x80\x02\x1f\xfc", "audio/aac", "aac"},
		{"aac in ADTS, MPEG-2, with a checksum", "\xff\xf8\x4c\x80", "audio/aac", "aac"},
		{"aac in ADIF", "ADIF\x00\x00", "audio/aac", "aac"},
		{"aiff", "FORM\x00\x00\x10\x00AIFFCOMM", "audio/aiff", "aiff"},
		{"compressed aiff", "FORM\x00\x00\x10\x00AIFCFVER", "audio/aiff", "aiff"},
		{"caf", "caff\x00\x01\x00\x00desc", "audio/x-caf", "caf"},
		{"amr", "#!AMR\n\x3c", "audio/amr", "amr"},
		{"wide-band amr", "#!AMR-WB\n\x04", "audio/amr-wb", "awb"},
		{"3gp", "\x00\x00\x00\x18ftyp3gp4\x00\x00\x02\x00", "audio/3gpp", "3gp"},
		{"3gp, extended", "\x00\x00\x00\x18ftyp3ge6\x00\x00\x02\x00", "audio/3gpp", "3gp"},
		{"3g2", "\x00\x00\x00\x18ftyp3g2a\x00\x00\x02\x00", "audio/3gpp2", "3g2"},
		{"wma", "\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa", "audio/x-ms-wma", "wma"},
		{"BW64", "BW64\xff\xff\xff\xffWAVEds64", "audio/wav", "wav"},
		{"matroska", "\x1a\x45\xdf\xa3\xa3\x42\x86\x81\x01\x42\xf7\x81\x01\x42\xf2\x81\x04\x42\xf3\x81\x08\x42\x82\x88matroska", "audio/matroska", "mka"},
		{"dictation", "\x02dss\x01\x00", "audio/x-dss", "dss"},
		{"dictation, pro", "\x03ds2\x01\x00", "audio/x-ds2", "ds2"},
	} {
		f, ok := Detect([]byte(c.head))
		assert.True(t, ok, c.name)
		assert.Equal(t, Format{c.mime, c.ext, false}, f, c.name)
	}
	for name, head := range map[string]string{
		"nothing":                   "",
		"zeros":                     strings.Repeat("\x00", HeadSize),
		"text":                      "This is a visit",
		"avi":                       "RIFF\x24\x08\x00\x00AVI LIST",
		"UTF-16 text":               "\xfe\xff\x00H\x00i",
		"the same, little endian":   "\xff\xfeH\x00i\x00",
		"UTF-8 text with a mark":    "\xef\xbb\xbfHi",
		"aiff cut off":              "FORM\x00\x00\x10\x00AIF",
		"another IFF":               "FORM\x00\x00\x10\x00ILBM",
		"aac of no sampling rate":   "\xff\xf1\x7c\x80",
		"frame of a reserved rate":  "\xff\xfb\xf0\x44",
		"frame of no sampling rate": "\xff\xfb\x9c\x44",
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
		"visit.mp3": {"audio/mpeg", "mp3", true}, "visit.MP3": {"audio/mpeg", "mp3", true}, "a/b.c/visit.mpga": {"audio/mpeg", "mpga", true},
		"visit.mp4": {"audio/mp4", "mp4", true}, "visit.m4a": {"audio/mp4", "m4a", true}, "visit.mpeg": {"video/mpeg", "mpeg", true},
		"visit.wav": {"audio/wav", "wav", true}, ".webm": {"audio/webm", "webm", true},
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

// One container has several names.
func TestContradictsByBytes(t *testing.T) {
	mp4, _ := ByName("visit.m4a")
	wav, _ := ByName("visit.wav")
	for head, c := range map[string]struct {
		claim Format
		want  bool
	}{
		"\x00\x00\x00\x18ftyp3gp4": {mp4, false}, "\x00\x00\x00\x18ftyp3g2a": {mp4, false}, "BW64\xff\xff\xff\xffWAVE": {wav, false},
		"OggS": {mp4, true}, "FORM\x00\x00\x10\x00AIFF": {wav, true},
	} {
		f, ok := Detect([]byte(head))
		assert.True(t, ok, "%q", head)
		assert.Equal(t, c.want, f.Contradicts(c.claim), "%q", head)
	}
}

// FuzzDetect: any bytes, of any length, are looked at without harm, and what is
// found has a type and an extension.
func FuzzDetect(f *testing.F) {
	f.Add([]byte("RIFF    WAVE"), "visit.wav")
	f.Add([]byte("\xff\xfb\x90"), "")
	f.Fuzz(func(t *testing.T, head []byte, name string) {
		found, ok := Detect(head)
		require.Equal(t, ok, found.Ext != "" && found.MIME != "")
		if found.Documented {
			again, ok := ByName("." + found.Ext)
			require.True(t, ok)
			require.Equal(t, found, again)
			require.False(t, found.Contradicts(again))
		}
		_, _ = ByName(name)
	})
}
