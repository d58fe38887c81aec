// Package audiotype recognises the audio containers that the API takes by
// their first bytes.
package audiotype

import (
	"bytes"
	"path"
	"strings"
)

// A Format is one of the documented audio types.
type Format struct {
	MIME string // e.g. audio/mpeg
	Ext  string // e.g. mp3, without a dot
}

// HeadSize is how many leading bytes Detect looks at.
const HeadSize = 12

// Detect recognises a container by its first bytes; ok is false for others.
func Detect(head []byte) (f Format, ok bool) {
	has := func(at int, magic string) bool {
		return len(head) >= at && bytes.HasPrefix(head[at:], []byte(magic))
	}
	switch {
	case (has(0, "RIFF") || has(0, "RF64")) && has(8, "WAVE"): // RF64 (EBU Tech 3306) is the form beyond 4 GiB
		return Format{"audio/wav", "wav"}, true
	case has(0, "\x1a\x45\xdf\xa3"): // EBML, RFC 8794
		return Format{"audio/webm", "webm"}, true
	case has(4, "ftypM4A"), has(4, "ftypM4B"):
		return Format{"audio/mp4", "m4a"}, true
	case has(4, "ftyp"): // ISO/IEC 14496-12
		return Format{"audio/mp4", "mp4"}, true
	case has(0, "\x00\x00\x01\xba"): // MPEG program stream, ISO/IEC 13818-1
		return Format{"video/mpeg", "mpeg"}, true
	case has(0, "ID3"), isFrameSync(head):
		return Format{"audio/mpeg", "mp3"}, true
	}
	return Format{}, false
}

// isFrameSync reports whether head starts with an MPEG audio frame header:
// eleven set bits, then a version and layer that exist, ISO/IEC 11172-3.
func isFrameSync(head []byte) bool {
	return len(head) >= 3 && head[0] == 0xff && head[1]&0xe0 == 0xe0 &&
		head[1]&0x18 != 0x08 && head[1]&0x06 != 0 && head[2]&0xf0 != 0xf0
}

// ByName is the format that a file name's extension claims; ok is false where
// it claims none of the documented ones.
func ByName(name string) (f Format, ok bool) {
	ext := strings.ToLower(strings.TrimPrefix(path.Ext(name), "."))
	switch ext {
	case "wav":
		return Format{"audio/wav", ext}, true
	case "webm":
		return Format{"audio/webm", ext}, true
	case "m4a", "mp4":
		return Format{"audio/mp4", ext}, true
	case "mp3", "mpga":
		return Format{"audio/mpeg", ext}, true
	case "mpeg":
		return Format{"video/mpeg", ext}, true
	}
	return Format{}, false
}

// Contradicts reports whether content recognised as f cannot be what claim
// says. mp3, mpga and mpeg are used for one another, and so are mp4 and m4a.
func (f Format) Contradicts(claim Format) bool { return f.family() != claim.family() }

func (f Format) family() string {
	_, sub, _ := strings.Cut(f.MIME, "/")
	return sub
}
