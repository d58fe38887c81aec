package ambienttest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

const (
	maxRaw   = 1 << 20 // bytes of a body that is not multipart
	maxValue = 8 << 20 // bytes of one value of a multipart form
)

// meter counts and hashes a body on its way in.
type meter struct {
	body io.Reader
	hash hash.Hash
	size int64
	end  error // the first error: io.EOF, or what broke the body off
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.body.Read(p)
	m.hash.Write(p[:n])
	m.size += int64(n)
	if m.end == nil {
		m.end = err
	}
	return n, err
}

// readBody reads the request's body to its end and records what it held. A body that is
// not well-formed is answered as Starlette does. A body that breaks off ends the
// exchange.
func (e *exchange) readBody() (answer, bool) {
	m := &meter{body: e.r.Body, hash: sha256.New()}
	var got Request
	err := got.parse(e.r.Header.Get("Content-Type"), m)
	_, _ = io.Copy(io.Discard, m) // an epilogue, or the rest after an error
	got.Complete = m.end == io.EOF && err == nil
	e.recordBody(got, m)
	if m.end != io.EOF {
		panic(http.ErrAbortHandler)
	}
	if err != nil {
		return detail(http.StatusBadRequest, "There was an error parsing the body"), false
	}
	return answer{}, true
}

// readHalf reads half of the body, or 64 KiB where its length is not known.
func (e *exchange) readHalf() {
	half := int64(64 << 10)
	if e.r.ContentLength >= 0 {
		half = e.r.ContentLength / 2
	}
	m := &meter{body: e.r.Body, hash: sha256.New()}
	_, _ = io.CopyN(io.Discard, m, half)
	e.recordBody(Request{}, m)
}

func (e *exchange) recordBody(got Request, m *meter) {
	e.server.mu.Lock()
	defer e.server.mu.Unlock()
	rec := e.record
	rec.Fields, rec.Files, rec.Raw, rec.Complete = got.Fields, got.Files, got.Raw, got.Complete
	rec.BodySize = m.size
	if e.r.ContentLength != 0 {
		rec.BodySHA256 = hex.EncodeToString(m.hash.Sum(nil))
	}
}

// parse reads a body of the given type into Fields, Files and Raw.
func (r *Request) parse(contentType string, body io.Reader) error {
	mediaType, params, err := mime.ParseMediaType(contentType)
	if err == nil && mediaType == multiparts && params["boundary"] != "" {
		return r.parseMultipart(body, params["boundary"])
	}
	if r.Raw, err = io.ReadAll(io.LimitReader(body, maxRaw)); err != nil {
		return err
	}
	if mediaType == urlencoded {
		return r.parseURLEncoded(string(r.Raw))
	}
	return nil
}

// parseURLEncoded keeps the order of the fields, which url.ParseQuery does not.
func (r *Request) parseURLEncoded(raw string) error {
	if raw == "" {
		return nil
	}
	for pair := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			return err
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return err
		}
		r.Fields = append(r.Fields, Field{name, value})
	}
	return nil
}

// parseMultipart accepts a form only if it ends after its closing boundary.
// multipart.Reader alone accepts one that ends after any boundary.
func (r *Request) parseMultipart(body io.Reader, boundary string) error {
	beyond := io.MultiReader(strings.NewReader("\r\n"), noMore{})
	form := multipart.NewReader(io.MultiReader(body, beyond), boundary)
	for {
		part, err := form.NextRawPart()
		if err == io.EOF {
			return nil // only after the closing boundary
		}
		if err != nil {
			return err
		}
		if err := r.parsePart(part); err != nil {
			return err
		}
	}
}

// parsePart reads the disposition itself, because Part.FileName would hide a directory
// that the client let through.
func (r *Request) parsePart(part *multipart.Part) error {
	kind, params, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
	if err != nil || kind != "form-data" || params["name"] == "" {
		return errors.New("a part that is not form data")
	}
	if filename, ok := params["filename"]; ok {
		hash := sha256.New()
		size, err := io.Copy(hash, part)
		r.Files = append(r.Files, File{params["name"], filename, part.Header.Get("Content-Type"), size,
			hex.EncodeToString(hash.Sum(nil))})
		return err
	}
	value, err := io.ReadAll(io.LimitReader(part, maxValue+1))
	if err == nil && (len(value) > maxValue || !utf8.Valid(value)) {
		err = errors.New("a value that is too long or not UTF-8")
	}
	r.Fields = append(r.Fields, Field{params["name"], string(value)})
	return err
}

// noMore is what lies beyond the end of a form.
type noMore struct{}

func (noMore) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
