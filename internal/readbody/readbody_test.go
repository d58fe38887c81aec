package readbody

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
)

type counter int

func (c *counter) Moved() { *c++ }

type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }

func read(status int, r io.Reader, encoding string) ([]byte, int, error) {
	body := &closing{Reader: r}
	var moved counter
	resp := &http.Response{StatusCode: status, Header: http.Header{"Content-Encoding": {encoding}}, Body: body, ContentLength: 1 << 40}
	b, err := (&Reader{Success: 2000, Error: 1000, Moved: &moved}).All(resp)
	if !body.closed {
		panic("not closed")
	}
	return b, int(moved), err
}

func compressed(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}

// TestLimits checks that an error's body is cut, and that a success which is too long is
// an error. What is decoded counts.
func TestLimits(t *testing.T) {
	for _, c := range []struct {
		status, size, kept int
		err                error
	}{
		{500, 10, 10, nil}, {500, 1000, 1000, nil}, {500, 5000, 1000, nil}, {302, 5000, 1000, nil},
		{200, 2000, 2000, nil}, {200, 2001, 2000, ErrTooLong}, {200, 1 << 20, 2000, ErrTooLong}, {204, 0, 0, nil},
	} {
		text := strings.Repeat("x", c.size)
		for _, r := range []io.Reader{strings.NewReader(text), iotest.OneByteReader(strings.NewReader(text)), iotest.DataErrReader(strings.NewReader(text))} {
			b, moved, err := read(c.status, r, "")
			assert.Equal(t, c.err, err)
			assert.Len(t, b, c.kept)
			assert.Positive(t, moved)
		}
		b, _, err := read(c.status, strings.NewReader(compressed(text)), "gzip")
		assert.Equal(t, c.err, err)
		assert.Len(t, b, c.kept)
	}
}

// TestGzip is decoded where it was not asked for, whatever it is called.
func TestGzip(t *testing.T) {
	whole := compressed("hello")
	for _, encoding := range []string{"gzip", "x-gzip", "GZIP", "gzip, identity"} {
		b, _, err := read(200, strings.NewReader(whole), encoding)
		assert.NoError(t, err)
		assert.Equal(t, "hello", string(b))
		for missing := 1; missing < 9; missing++ { // of the trailer
			b, _, err = read(200, strings.NewReader(whole[:len(whole)-missing]), encoding)
			assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
			assert.Equal(t, "hello", string(b))
		}
	}
	for _, text := range []string{"", "h", "hello"} {
		b, _, err := read(200, strings.NewReader(text), "gzip")
		assert.NoError(t, err)
		assert.Equal(t, text, string(b), "is called gzip and is not")
	}
	b, _, err := read(200, strings.NewReader(whole), "")
	assert.NoError(t, err)
	assert.Equal(t, whole, string(b), "is not called gzip")
	_, _, err = read(200, strings.NewReader(whole[:5]), "gzip")
	assert.Error(t, err)
}

type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, nil }

// wild is a reader that gives a count which cannot be.
type wild func(asked int) int

func (w wild) Read(p []byte) (int, error) { return w(len(p)), nil }

// TestBrokenBodies give what came before.
func TestBrokenBodies(t *testing.T) {
	errLost := errors.New("lost")
	b, _, err := read(200, io.MultiReader(strings.NewReader("hel"), iotest.ErrReader(errLost)), "")
	assert.Equal(t, errLost, err)
	assert.Equal(t, "hel", string(b))
	b, _, err = read(200, io.MultiReader(strings.NewReader("hel"), nothing{}), "")
	assert.ErrorIs(t, err, io.ErrNoProgress)
	assert.Equal(t, "hel", string(b))
	for _, encoding := range []string{"", "gzip"} {
		for _, count := range []wild{func(int) int { return -1 }, func(asked int) int { return asked + 1 }} {
			b, _, err = read(500, io.MultiReader(strings.NewReader("hel"), count), encoding)
			assert.Equal(t, ErrBadCount, err)
			assert.Equal(t, "hel", string(b))
		}
	}
	b, err = (&Reader{}).All(&http.Response{StatusCode: 204})
	assert.NoError(t, err)
	assert.Empty(t, b)
}
