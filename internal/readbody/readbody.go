// Package readbody reads the body of a response within bounds.
package readbody

import (
	"bufio"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
)

// ErrTooLong is a success that is longer than its limit.
var ErrTooLong = errors.New("response body too long")

// A Reader reads one body.
type Reader struct {
	Success, Error int                  // how many bytes are read of a 2xx, and of any other response
	Moved          interface{ Moved() } // hears of bytes that arrive

	body    io.Reader
	empty   int
	limited io.LimitedReader // of what is decoded
}

// All reads the body to its end, or to the limit, and closes it. A success that is
// longer is ErrTooLong, with what fits. What is allocated is what arrives, whatever
// length was announced. With an error comes what came before.
func (r *Reader) All(resp *http.Response) ([]byte, error) {
	if resp.Body == nil {
		return nil, nil
	}
	defer resp.Body.Close()
	limit, tooLong := r.Error, error(nil)
	if resp.StatusCode/100 == 2 {
		limit, tooLong = r.Success, ErrTooLong
	}
	r.body = resp.Body
	r.limited = io.LimitedReader{R: (*arriving)(r), N: int64(limit) + 1}
	if strings.Contains(strings.ToLower(resp.Header.Get("Content-Encoding")), "gzip") {
		plain, err := gunzip((*arriving)(r))
		if err != nil {
			return nil, err
		}
		r.limited.R = plain
	}
	body, err := io.ReadAll(&r.limited)
	if len(body) > limit {
		return body[:limit], tooLong
	}
	return body, err
}

// gunzip decodes what the transport did not ask for and so left as it is. What is
// called gzip and does not begin like it is something else.
func gunzip(r io.Reader) (io.Reader, error) {
	buffered := bufio.NewReader(r)
	if head, _ := buffered.Peek(2); string(head) != "\x1f\x8b" {
		return buffered, nil
	}
	return gzip.NewReader(buffered)
}

// MaxEmpty reads in a row that give nothing, without an error, are a broken body.
const MaxEmpty = 100

// ErrBadCount is a reader that says it gave less than nothing, or more than was asked for.
var ErrBadCount = errors.New("a read gave a count that cannot be")

// arriving is the body as it arrives.
type arriving Reader

func (r *arriving) Read(p []byte) (int, error) {
	n, err := r.body.Read(p)
	switch {
	case n < 0 || n > len(p):
		return 0, ErrBadCount
	case n > 0 || err != nil:
		r.empty = 0
		r.Moved.Moved()
	case r.empty == MaxEmpty:
		return 0, io.ErrNoProgress
	default:
		r.empty++
	}
	return n, err
}
