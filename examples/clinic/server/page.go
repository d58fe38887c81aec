package server

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"time"
)

// page serves index.html and its assets from memory. A browser asks each time whether a file has changed, so that a
// new version of the server never meets scripts of an old one.
type page struct{ files map[string]asset }

type asset struct {
	content []byte
	etag    string
	kind    string
}

func readPage(fsys fs.FS) (*page, error) {
	p := &page{map[string]asset{}}
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		content, err := fs.ReadFile(fsys, entry.Name())
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(content)
		p.files[entry.Name()] = asset{content, `"` + hex.EncodeToString(sum[:8]) + `"`, kindOf(entry.Name())}
	}
	return p, nil
}

// kindOf does not ask the machine's own table of types, which may say anything of .js.
func kindOf(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	return mime.TypeByExtension(path.Ext(name))
}

func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	if name == "" {
		name = "index.html"
	}
	file, found := p.files[name]
	if !found {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", file.kind)
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("ETag", file.etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(file.content))
}
