package ambient

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync/atomic"
	"time"
)

// Audio is a recording to upload. It is opened for each attempt that sends it. A call
// with a missing or empty source returns a *RequestError.
//
// The API documents mp3, mp4, mpeg, mpga, m4a, wav and webm. Other formats are sent
// too, with an EventAudioFormat. An Audio prints as its kind only. AudioFile and
// AudioBytes marshal to JSON and back, so that a program can queue requests.
type Audio struct{ source secret[audioSource] }

type audioSource struct {
	kind        string       // as it prints
	check       func() error // what is known to be wrong before it is opened; may be nil
	open        func() (recording, error)
	once        bool
	contentType string // set by the caller; if empty, that of the recognised type
	uploadName  string // set by the caller; if empty, a neutral name
	nameHint    string // the name or path of the source, for its type
	path        string // of an AudioFile
	data        []byte // of AudioBytes
}

// A recording is an open audio source. size is -1 if it is unknown, and modified is
// zero if the source has no such time.
type recording struct {
	io.ReadCloser
	size     int64
	modified time.Time
}

// AudioFile is audio in a file. Each attempt opens the file. A file that changes
// while it is sent ends the call with an AudioError.
func AudioFile(path string) Audio {
	check := func() error { return checkFile(os.Stat(path)) } // a pipe would block in open
	return newAudio(audioSource{kind: "file", nameHint: path, path: path, check: check, open: func() (recording, error) {
		if err := check(); err != nil {
			return recording{}, err
		}
		f, err := os.Open(path)
		if err != nil {
			return recording{}, err
		}
		return openedFile(f)
	}})
}

// AudioFS is audio in a file of fsys. Each attempt opens the file once.
func AudioFS(fsys fs.FS, name string) Audio {
	check := func() error {
		if fsys == nil {
			return fs.ErrInvalid
		}
		if s, ok := fsys.(fs.StatFS); ok { // fs.Stat would open the file
			return checkFile(s.Stat(name))
		}
		return nil
	}
	return newAudio(audioSource{kind: "fs.FS file", nameHint: name, check: check, open: func() (recording, error) {
		f, err := fsys.Open(name)
		if err != nil {
			return recording{}, err
		}
		return openedFile(f)
	}})
}

// AudioBytes is audio in memory. name only says the type, e.g. "visit.mp3". b must
// not change until the call returns, and is not read after that.
func AudioBytes(name string, b []byte) Audio {
	return newAudio(audioSource{kind: "bytes", nameHint: name, data: b, check: notEmpty(int64(len(b))), open: func() (recording, error) {
		return recording{io.NopCloser(bytes.NewReader(b)), int64(len(b)), time.Time{}}, nil
	}})
}

// AudioReaderAt is the first size bytes of r. A size below 1 is refused, and an r
// that has less ends the call with an AudioError. name only says the type.
func AudioReaderAt(name string, r io.ReaderAt, size int64) Audio {
	check := notEmpty(size)
	if r == nil || size < 0 {
		check = func() error { return fs.ErrInvalid }
	}
	return newAudio(audioSource{kind: "io.ReaderAt", nameHint: name, check: check, open: func() (recording, error) {
		return recording{io.NopCloser(io.NewSectionReader(r, 0, size)), size, time.Time{}}, nil
	}})
}

// AudioReader is audio that can be read only once. The first Read comes when the call
// has a token and a permit to send. The token is renewed first if it is about to
// expire. Once a byte was sent the call is not repeated, and its error says so. Where r
// has a method Len() int, as *bytes.Buffer has, the body has a Content-Length. Else it
// is sent in chunks. r is not closed.
//
// No Read begins after the call has returned. A Read that is still running then may
// end later, and what it reads is dropped.
func AudioReader(name string, r io.Reader) Audio {
	size := func() int64 {
		if l, ok := r.(interface{ Len() int }); ok {
			return int64(l.Len())
		}
		return -1
	}
	return audioReader(name, r, size)
}

// AudioReaderSize is an AudioReader of size bytes, such as the body of an HTTP request
// that has a Content-Length. The upload has a Content-Length then, which some gateways
// require. A size below 1 is refused. An r that has more or less ends the call with an
// AudioError.
func AudioReaderSize(name string, r io.Reader, size int64) Audio {
	return audioReader(name, r, func() int64 { return max(size, 0) })
}

func audioReader(name string, r io.Reader, size func() int64) Audio {
	var used atomic.Bool
	check := func() error {
		switch {
		case r == nil:
			return fs.ErrInvalid
		case used.Load():
			return errUsedReader
		case size() == 0:
			return errEmpty
		}
		return nil
	}
	return newAudio(audioSource{kind: "io.Reader", nameHint: name, once: true, check: check, open: func() (recording, error) {
		if used.Swap(true) {
			return recording{}, errUsedReader
		}
		return recording{io.NopCloser(r), size(), time.Time{}}, nil
	}})
}

// checkFile says what is wrong with a file before it is opened.
func checkFile(info fs.FileInfo, err error) error {
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return errNotRegular
	case info.Size() == 0:
		return errEmpty
	}
	return nil
}

func newAudio(s audioSource) Audio { return Audio{newSecret(s)} }

func notEmpty(size int64) func() error {
	return func() error {
		if size < 1 {
			return errEmpty
		}
		return nil
	}
}

var (
	errNoAudio    = errors.New("is missing: use AudioFile, AudioFS, AudioBytes, AudioReaderAt or AudioReader")
	errEmpty      = errors.New("is empty")
	errBadName    = errors.New("has an upload name or content type with bytes that are no UTF-8")
	errNotRegular = errors.New("not a regular file; use AudioReader for pipes and devices")
	errUsedReader = errors.New("this reader was sent before; give a new AudioReader to each call")
	errChanged    = errors.New("the file changed while it was being sent")
)

// WithContentType returns a copy of a with the media type mime, such as audio/mpeg. If
// mime is empty, the media type follows from the first bytes.
func (a Audio) WithContentType(mime string) Audio {
	return a.with(func(s *audioSource) { s.contentType = mime })
}

// WithUploadName returns a copy of a whose file name in the request is the last element
// of name. If name is empty, the file name is neutral, such as audio-1.mp3, since the
// names of recordings often contain those of patients.
func (a Audio) WithUploadName(name string) Audio {
	return a.with(func(s *audioSource) { s.uploadName = name })
}

func (a Audio) with(set func(*audioSource)) Audio {
	if a.source.get() == nil {
		return a
	}
	s := *a.source.get()
	set(&s)
	return newAudio(s)
}

func (a Audio) String() string {
	if s := a.source.get(); s != nil {
		return "Audio(" + s.kind + ")"
	}
	return "Audio(none)"
}

// openedFile returns the recording in an open file. At the end, the file must still have
// the size and time of modification that it has now.
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

// queuedAudio is the JSON form of AudioFile and AudioBytes.
type queuedAudio struct {
	Path        string `json:"path,omitempty"`
	Name        string `json:"name,omitempty"`
	Data        []byte `json:"data,omitempty"`
	ContentType string `json:"content_type,omitempty"`
	UploadName  string `json:"upload_name,omitempty"`
}

// MarshalJSON returns the path of an AudioFile or the content of AudioBytes. Other
// sources are an error.
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
	return marshal("audio", q)
}

// UnmarshalJSON reads the output of MarshalJSON.
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
