package ambient_test

import (
	"bytes"
	"io"
	"io/fs"
	"strconv"
	"time"
)

// pattern is n bytes that begin like an MP3 and in which no two blocks are
// alike, so that a lost or repeated stretch shows in a digest.
func pattern(n int) []byte {
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

func readerAt(b []byte) io.Reader { return io.MultiReader(bytes.NewReader(b)) } // hides Len

// brokenAt fails from an offset on.
type brokenAt struct {
	content []byte
	from    int64
	err     error
}

func (b brokenAt) ReadAt(p []byte, off int64) (int, error) {
	if off >= b.from {
		return 0, b.err
	}
	return copy(p, b.content[off:b.from]), nil
}

// growingFS is a recorder that has not stopped: its file has another time of
// modification each time one asks.
type growingFS struct {
	content []byte
}

func (g *growingFS) Open(string) (fs.File, error) {
	return &growingFile{Reader: bytes.NewReader(g.content), fs: g}, nil
}

type growingFile struct {
	*bytes.Reader
	fs   *growingFS
	seen int
}

func (f *growingFile) Close() error { return nil }

// Stat tells the truth at an open, and something newer at the end.
func (f *growingFile) Stat() (fs.FileInfo, error) {
	f.seen++
	return fileInfo{size: int64(len(f.fs.content)), modified: time.Unix(int64(f.seen), 0)}, nil
}

type fileInfo struct {
	size     int64
	modified time.Time
}

func (i fileInfo) Name() string       { return "visit.mp3" }
func (i fileInfo) Size() int64        { return i.size }
func (i fileInfo) Mode() fs.FileMode  { return 0o400 }
func (i fileInfo) ModTime() time.Time { return i.modified }
func (i fileInfo) IsDir() bool        { return false }
func (i fileInfo) Sys() any           { return nil }
