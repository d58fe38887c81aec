package ambient

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"sync/atomic"
	"time"
)

// Audio is a recording to upload: a recipe that is opened when it is sent, and
// again for each further attempt. mp3, mp4, mpeg, mpga, m4a, wav and webm are
// documented; other formats are sent too, and reported with an EventAudioFormat. A
// source that is missing or empty is a *RequestError of the call that would send it.
// It prints as its kind only; a file or bytes marshal to JSON and back, so that a
// request can be queued.
type Audio struct{ source secret[audioSource] }

type audioSource struct {
	kind        string // as it prints
	open        func() (recording, error)
	once        bool
	contentType string // set by the caller; empty = recognised
	uploadName  string // set by the caller; empty = neutral
	nameHint    string // the name that the caller's audio goes by
	path        string // of an AudioFile
	data        []byte // of AudioBytes
}

// A recording is one opened audio source. size is -1 when unknown; modified is
// zero where there is no such time.
type recording struct {
	io.ReadCloser
	size     int64
	modified time.Time
}

// AudioFile is audio in a file. Each attempt opens it anew; a file that changes
// while it is sent ends the call with an AudioError.
func AudioFile(path string) Audio {
	return Audio{newSecret(audioSource{kind: "file", nameHint: path, path: path, open: func() (recording, error) {
		// A pipe would block in open, so look before.
		if info, err := os.Stat(path); err != nil {
			return recording{}, err
		} else if !info.Mode().IsRegular() {
			return recording{}, errNotRegular
		}
		f, err := os.Open(path)
		if err != nil {
			return recording{}, err
		}
		return openedFile(f)
	}})}
}

// AudioFS is audio in a file of fsys, opened anew for each attempt.
func AudioFS(fsys fs.FS, name string) Audio {
	return Audio{newSecret(audioSource{kind: "fs.FS file", nameHint: name, open: func() (recording, error) {
		if fsys == nil {
			return recording{}, fs.ErrInvalid
		}
		f, err := fsys.Open(name)
		if err != nil {
			return recording{}, err
		}
		return openedFile(f)
	}})}
}

// AudioBytes is audio in memory. name only tells its type, e.g. "visit.mp3". b
// must not change until the call returns.
func AudioBytes(name string, b []byte) Audio {
	return Audio{newSecret(audioSource{kind: "bytes", nameHint: name, data: b, open: func() (recording, error) {
		return recording{io.NopCloser(bytes.NewReader(b)), int64(len(b)), time.Time{}}, nil
	}})}
}

// AudioReaderAt is the first size bytes of r. A size of 0 is refused, and an r
// that has less ends the call with an AudioError. name only tells the type.
func AudioReaderAt(name string, r io.ReaderAt, size int64) Audio {
	return Audio{newSecret(audioSource{kind: "io.ReaderAt", nameHint: name, open: func() (recording, error) {
		if r == nil || size < 0 {
			return recording{}, fs.ErrInvalid
		}
		return recording{io.NopCloser(io.NewSectionReader(r, 0, size)), size, time.Time{}}, nil
	}})}
}

// AudioReader is audio that can be read only once. The token is renewed first if
// it is about to expire. Once a byte was sent the call is not repeated, and its
// error says so. Where r has a method Len() int, as *bytes.Buffer has, the body has
// a Content-Length; else it is sent in chunks. r is not closed. Its first 16 bytes
// are read, to tell its type, even by a call that then sends nothing: after an error
// start again with a reader from the beginning.
func AudioReader(name string, r io.Reader) Audio {
	var used atomic.Bool
	return Audio{newSecret(audioSource{kind: "io.Reader", nameHint: name, once: true, open: func() (recording, error) {
		if r == nil {
			return recording{}, fs.ErrInvalid
		}
		if used.Swap(true) {
			return recording{}, errUsedReader
		}
		size := int64(-1)
		if l, ok := r.(interface{ Len() int }); ok {
			size = int64(l.Len())
		}
		return recording{io.NopCloser(r), size, time.Time{}}, nil
	}})}
}

var (
	errNotRegular = errors.New("not a regular file; use AudioReader for pipes and devices")
	errUsedReader = errors.New("this reader was sent before; give a new AudioReader to each call")
	errChanged    = errors.New("the file changed while it was being sent")
)

// WithContentType sets the media type of the upload, e.g. audio/mpeg, where the
// one recognised by the first bytes is not right. Empty is that one.
func (a Audio) WithContentType(mime string) Audio {
	return a.with(func(s *audioSource) { s.contentType = mime })
}

// WithUploadName sets the file name that the API is told. The default is
// neutral, e.g. audio-1.mp3, since names of recordings often hold those of
// patients; empty is that one. Directories are left out.
func (a Audio) WithUploadName(name string) Audio {
	return a.with(func(s *audioSource) { s.uploadName = name })
}

func (a Audio) with(set func(*audioSource)) Audio {
	if a.source.get() == nil {
		return a
	}
	s := *a.source.get()
	set(&s)
	return Audio{newSecret(s)}
}

func (a Audio) String() string {
	if s := a.source.get(); s != nil {
		return "Audio(" + s.kind + ")"
	}
	return "Audio(none)"
}

func (a Audio) Format(s fmt.State, verb rune) { formatText(s, verb, a.String()) }
func (a Audio) LogValue() slog.Value          { return slog.StringValue(a.String()) }

// openedFile describes an open file and watches it: when its end is read it
// must have the size and time of modification that it was opened with.
func openedFile(f fs.File) (recording, error) {
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errNotRegular
	}
	if err != nil {
		f.Close()
		return recording{}, err
	}
	return recording{&watchedFile{f, info}, info.Size(), info.ModTime()}, nil
}

type watchedFile struct {
	fs.File
	opened fs.FileInfo
}

func (f *watchedFile) Read(p []byte) (int, error) {
	n, err := f.File.Read(p)
	if err == io.EOF {
		if info, serr := f.Stat(); serr != nil || info.Size() != f.opened.Size() || !info.ModTime().Equal(f.opened.ModTime()) {
			return n, errChanged
		}
	}
	return n, err
}

// queuedAudio is the JSON form of the sources that can have one.
type queuedAudio struct {
	Path        string `json:"path,omitempty"`
	Name        string `json:"name,omitempty"`
	Data        []byte `json:"data,omitempty"`
	ContentType string `json:"content_type,omitempty"`
	UploadName  string `json:"upload_name,omitempty"`
}

// MarshalJSON writes an AudioFile as its path and AudioBytes as their content.
// Other sources cannot be marshalled.
func (a Audio) MarshalJSON() ([]byte, error) {
	s := a.source.get()
	switch {
	case s == nil:
		return []byte("null"), nil
	case s.path == "" && s.data == nil:
		return nil, fmt.Errorf("ambient: audio from an %s cannot be marshalled", s.kind)
	}
	q := queuedAudio{Path: s.path, Data: s.data, ContentType: s.contentType, UploadName: s.uploadName}
	if s.path == "" {
		q.Name = s.nameHint
	}
	return json.Marshal(q)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (a *Audio) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*a = Audio{}
		return nil
	}
	var q queuedAudio
	if err := json.Unmarshal(b, &q); err != nil {
		return errors.New("ambient: not an audio in JSON")
	}
	if q.Path != "" {
		*a = AudioFile(q.Path)
	} else {
		*a = AudioBytes(q.Name, q.Data)
	}
	s := a.source.get()
	s.contentType, s.uploadName = q.ContentType, q.UploadName
	return nil
}
