package harness

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"os"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
)

// Visit is a recording that only looks like one.
func Visit() ambient.Audio {
	return ambient.AudioBytes("visit.mp3", append([]byte("ID3\x04"), make([]byte, 4096)...))
}

// ShortVisit is a recording that no buffer on the way holds whole.
var ShortVisit = sync.OnceValue(func() []byte { return Pattern(256 << 10) })

// AnnouncedVisit is large enough to be announced with Expect: 100-continue.
var AnnouncedVisit = sync.OnceValue(func() []byte { return Pattern(1<<20 + 1) })

// AudioOf is such a recording, from a good source or one that breaks half way.
func AudioOf(source string) ambient.Audio {
	b := ShortVisit()
	size := int64(len(b))
	switch source {
	case "reader":
		return ambient.AudioReader("visit.mp3", io.LimitReader(ReaderAt(b), size))
	case "failing":
		return ambient.AudioReaderAt("visit.mp3", BrokenAt{b, size / 2, syscall.EIO}, size)
	case "short":
		return ambient.AudioReaderAt("visit.mp3", BrokenAt{b, size / 2, io.EOF}, size)
	case "changed":
		return ambient.AudioFS(&GrowingFS{content: b}, "visit.mp3")
	}
	return ambient.AudioBytes("visit.mp3", b)
}

func TempFile(t testing.TB, content []byte) string {
	t.Helper()
	path := t.TempDir() + "/visit.mp3"
	require.NoError(t, os.WriteFile(path, content, 0o600))
	return path
}

func Digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Pattern is n bytes that begin like an MP3 and in which no two blocks are
// alike, so that a lost or repeated stretch shows in a digest.
func Pattern(n int) []byte {
	const block = 4096
	b := make([]byte, n)
	state := uint32(1)
	for i := range min(n, block) {
		state = state*1664525 + 1013904223
		b[i] = byte(state >> 24)
	}
	for at := block; at < n; at += block {
		copy(b[at:], b[:block])
		copy(b[at:], strconv.Itoa(at))
	}
	copy(b, "ID3\x04")
	return b
}

func ReaderAt(b []byte) io.Reader { return io.MultiReader(bytes.NewReader(b)) } // hides Len

// BrokenAt fails from an offset on.
type BrokenAt struct {
	Content []byte
	From    int64
	Err     error
}

func (b BrokenAt) ReadAt(p []byte, off int64) (int, error) {
	if off >= b.From {
		return 0, b.Err
	}
	return copy(p, b.Content[off:b.From]), nil
}

// GrowingFS is a recorder that is still writing. Its file has another time of
// modification at each Stat.
type GrowingFS struct {
	content []byte
}

func (g *GrowingFS) Open(string) (fs.File, error) {
	return &GrowingFile{Reader: bytes.NewReader(g.content), fs: g}, nil
}

type GrowingFile struct {
	*bytes.Reader
	fs   *GrowingFS
	seen int
}

func (f *GrowingFile) Close() error { return nil }

// Stat returns a later time of modification each time.
func (f *GrowingFile) Stat() (fs.FileInfo, error) {
	f.seen++
	return FileInfo{Bytes: int64(len(f.fs.content)), Modified: time.Unix(int64(f.seen), 0)}, nil
}

type FileInfo struct {
	Bytes    int64
	Modified time.Time
}

func (i FileInfo) Name() string       { return "visit.mp3" }
func (i FileInfo) Size() int64        { return i.Bytes }
func (i FileInfo) Mode() fs.FileMode  { return 0o400 }
func (i FileInfo) ModTime() time.Time { return i.Modified }
func (i FileInfo) IsDir() bool        { return false }
func (i FileInfo) Sys() any           { return nil }

// First bytes of the documented types.
const (
	HeadMP3  = "ID3\x04"
	HeadMPGA = "\xff\xfd\x90\x04"
	HeadMPEG = "\x00\x00\x01\xba\x44"
	HeadMP4  = "\x00\x00\x00\x20ftypisom"
	HeadM4A  = "\x00\x00\x00\x20ftypM4A "
	HeadWAV  = "RIFF\x24\x08\x00\x00WAVEfmt "
	HeadWebM = "\x1a\x45\xdf\xa3\x9f"
	HeadNone = "MThd\x00\x00\x00\x06"
)
