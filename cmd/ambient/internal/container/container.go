// Package container notices a stream of audio that ends too early.
package container

import (
	"encoding/binary"
	"errors"
	"io"
)

// ErrEndsEarly is the error of a stream that has less than it announced.
var ErrEndsEarly = errors.New("the recording ends before the length that it announces")

const (
	headerSize = 8 // of a RIFF chunk and of an MP4 box
	longHeader = 16
	streamed   = 0x7fff0000 // a RIFF size that a program gives which does not know it
	slack      = 8          // bytes by which writers of RIFF sizes are wrong
)

// A Reader passes a stream on. Where the stream is a WAV or an MP4 file, which
// announce the length of their parts, and ends within one, Read ends with
// ErrEndsEarly in place of io.EOF. Other streams cannot be checked.
type Reader struct {
	r      io.Reader
	header []byte // of the present part, so far
	rest   int64  // of the present part
	wav    bool
	mp4    bool
	loose  bool // nothing can be said of what follows
}

// NewReader returns a Reader of r.
func NewReader(r io.Reader) *Reader { return &Reader{r: r} }

func (c *Reader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.follow(p[:n])
	if err == io.EOF && c.within() {
		err = ErrEndsEarly
	}
	return n, err
}

func (c *Reader) within() bool {
	known := c.wav || c.mp4
	return known && !c.loose && (c.rest > 0 || len(c.header) > 0)
}

// follow keeps count of where in the structure the stream is.
func (c *Reader) follow(b []byte) {
	for len(b) > 0 && !c.loose {
		if c.rest > 0 {
			n := min(c.rest, int64(len(b)))
			c.rest -= n
			b = b[n:]
			c.loose = c.rest == 0 && c.wav // a WAV is one chunk; more may follow
			continue
		}
		c.header = append(c.header, b[0])
		b = b[1:]
		if len(c.header) >= headerSize {
			c.begin()
		}
	}
}

// begin reads the header of a part.
func (c *Reader) begin() {
	h := c.header
	name := string(h[4:8])
	switch {
	case string(h[:4]) == "RIFF" && !c.mp4:
		c.wav = true
		c.part(int64(binary.LittleEndian.Uint32(h[4:]))-slack, streamed)
	case name != "ftyp" && !c.mp4:
		c.loose = true
	case binary.BigEndian.Uint32(h) == 1 && len(h) < longHeader: // the size follows
		c.mp4 = true
	case len(h) == longHeader:
		c.part(int64(binary.BigEndian.Uint64(h[8:]))-longHeader, 1<<62) //nolint:gosec // part takes a negative size for loose
	default:
		c.mp4 = true
		c.part(int64(binary.BigEndian.Uint32(h))-headerSize, 1<<62)
	}
}

// part begins a part with that much after its header. A size that cannot be, or
// means "to the end", says nothing.
func (c *Reader) part(rest, limit int64) {
	c.header = nil
	c.rest = rest
	c.loose = rest < 0 || rest >= limit
}
