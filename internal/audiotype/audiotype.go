// Package audiotype recognises audio containers by their first bytes. It knows those
// that the API documents, and others that recorders and browsers write.
package audiotype

import (
	"bytes"
	"path"
	"strings"
)

// A Format is a type of audio file.
type Format struct {
	MIME       string // e.g. audio/mpeg
	Ext        string // e.g. mp3, without a dot
	Documented bool   // the API documents it
}

// HeadSize is how many leading bytes Detect looks at.
const HeadSize = 64

// signatures are containers that begin with fixed bytes.
var signatures = []struct {
	at    int
	magic string
	Format
}{
	{0, "ID3", Format{"audio/mpeg", "mp3", true}},
	{0, "\x00\x00\x01\xba", Format{"video/mpeg", "mpeg", true}}, // MPEG program stream, ISO/IEC 13818-1
	{4, "ftypM4A", Format{"audio/mp4", "m4a", true}},
	{4, "ftypM4B", Format{"audio/mp4", "m4a", true}},
	{4, "ftyp3g2", Format{"audio/3gpp2", "3g2", false}}, // RFC 4393
	{4, "ftyp3g", Format{"audio/3gpp", "3gp", false}},   // RFC 3839
	{4, "ftyp", Format{"audio/mp4", "mp4", true}},       // ISO/IEC 14496-12
	{0, "OggS", Format{"audio/ogg", "ogg", false}},      // RFC 3533
	{0, "fLaC", Format{"audio/flac", "flac", false}},    // RFC 9639
	{0, "ADIF", Format{"audio/aac", "aac", false}},
	{0, "caff", Format{"audio/x-caf", "caf", false}},
	{0, "#!AMR-WB", Format{"audio/amr-wb", "awb", false}}, // RFC 4867
	{0, "#!AMR", Format{"audio/amr", "amr", false}},
	{0, "\x30\x26\xb2\x75\x8e\x66\xcf\x11", Format{"audio/x-ms-wma", "wma", false}}, // Advanced Systems Format
	{1, "dss", Format{"audio/x-dss", "dss", false}},                                 // dictation recorders
	{1, "ds2", Format{"audio/x-ds2", "ds2", false}},
}

// Detect recognises a container by its first bytes. ok is false where it recognises
// none.
func Detect(head []byte) (f Format, ok bool) {
	has := func(at int, magic string) bool {
		return len(head) >= at && bytes.HasPrefix(head[at:], []byte(magic))
	}
	for _, s := range signatures {
		if has(s.at, s.magic) {
			return s.Format, true
		}
	}
	switch {
	case has(8, "WAVE") && (has(0, "RIFF") || has(0, "RF64")): // RF64 (EBU Tech 3306) is the form beyond 4 GiB
		return Format{"audio/wav", "wav", true}, true
	case has(8, "WAVE") && has(0, "BW64"): // ITU-R BS.2088
		return Format{"audio/wav", "wav", false}, true
	case has(0, "FORM") && (has(8, "AIFF") || has(8, "AIFC")):
		return Format{"audio/aiff", "aiff", false}, true
	case has(0, "\x1a\x45\xdf\xa3") && bytes.Contains(head, []byte("matroska")): // RFC 9559
		return Format{"audio/matroska", "mka", false}, true
	case has(0, "\x1a\x45\xdf\xa3"): // EBML, RFC 8794
		return Format{"audio/webm", "webm", true}, true
	case isFrame(head):
		return Format{"audio/mpeg", "mp3", true}, true
	case isADTS(head):
		return Format{"audio/aac", "aac", false}, true
	}
	return Format{}, false
}

// isFrame reports whether head starts with an MPEG audio frame header (ISO/IEC
// 11172-3). That is eleven set bits, then a version, layer, bit rate and sampling rate
// that exist. Layer I does not count. No recorder writes it, and its header is the byte
// order mark of UTF-16.
func isFrame(head []byte) bool {
	return len(head) >= 3 && head[0] == 0xff && head[1]&0xe0 == 0xe0 &&
		head[1]&0x18 != 0x08 && head[1]&0x06 != 0 && head[1]&0x06 != 0x06 && head[2]&0xf0 != 0xf0 && head[2]&0x0c != 0x0c
}

// isADTS reports whether head starts with the header of an AAC frame (ISO/IEC 13818-7).
// That is twelve set bits, the layer that is none, and one of 13 sampling rates.
func isADTS(head []byte) bool {
	return len(head) >= 3 && head[0] == 0xff && head[1]&0xf6 == 0xf0 && head[2]>>2&0x0f < 13
}

// ByName returns the format that the extension of a file name claims. ok is false where
// it claims no documented format.
func ByName(name string) (f Format, ok bool) {
	ext := strings.ToLower(strings.TrimPrefix(path.Ext(name), "."))
	switch ext {
	case "wav":
		return Format{"audio/wav", ext, true}, true
	case "webm":
		return Format{"audio/webm", ext, true}, true
	case "m4a", "mp4":
		return Format{"audio/mp4", ext, true}, true
	case "mp3", "mpga":
		return Format{"audio/mpeg", ext, true}, true
	case "mpeg":
		return Format{"video/mpeg", ext, true}, true
	}
	return Format{}, false
}

// Contradicts reports whether content recognised as f cannot be what claim
// says. mp3, mpga and mpeg are used for one another, and so are mp4, m4a and 3gp,
// which are one container.
func (f Format) Contradicts(claim Format) bool { return f.family() != claim.family() }

func (f Format) family() string {
	_, sub, _ := strings.Cut(f.MIME, "/")
	if strings.HasPrefix(sub, "3gpp") {
		return "mp4"
	}
	return sub
}
