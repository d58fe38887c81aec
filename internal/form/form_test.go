package form

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ambient-scribe/ambient-go/internal/readbody"
)

// source is a file part whose opens and closes are counted.
type source struct {
	reader        func() io.Reader
	openErr       error
	closeErr      error
	opened, ended int
}

func (s *source) open() (io.ReadCloser, error) {
	if s.openErr != nil {
		return nil, s.openErr
	}
	s.opened++
	return struct {
		io.Reader
		io.Closer
	}{s.reader(), closer(func() error { s.ended++; return s.closeErr })}, nil
}

type closer func() error

func (c closer) Close() error { return c() }

func text(s string) func() io.Reader { return func() io.Reader { return strings.NewReader(s) } }

// build makes a form of one field and the given files.
func build(size int64, sources ...*source) *Form {
	b := New()
	b.Field("patient_name", "Alex Example")
	for _, s := range sources {
		b.File(File{Field: "audio_files", Filename: "audio-1.wav", ContentType: "audio/wav", Size: size, Open: s.open})
	}
	b.End()
	return b
}

func TestFormIsReadByMimeMultipart(t *testing.T) {
	b := New()
	b.Field("template_ids", "7")
	b.Field("template_ids", "8")
	b.File(File{Field: "audio_files", Filename: "audio-1.wav", ContentType: "audio/wav", Size: 5, Open: (&source{reader: text("first")}).open})
	b.Field("transcripts", "line\r\n--line\r\n")
	b.File(File{Field: "audio_files", Filename: "a\"b\r\nc.mp3", ContentType: "audio/mpeg\r\nX-Bad: 1", Size: 0, Open: (&source{reader: text("")}).open})
	b.End()
	f := b

	body, err := io.ReadAll(f.Open())
	require.NoError(t, err)
	assert.EqualValues(t, len(body), f.Len())

	kind, params, err := mime.ParseMediaType(f.ContentType())
	require.NoError(t, err)
	assert.Equal(t, "multipart/form-data", kind)
	type part struct{ name, filename, contentType, content string }
	var got []part
	for r := multipart.NewReader(bytes.NewReader(body), params["boundary"]); ; {
		p, err := r.NextPart()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		content, err := io.ReadAll(p)
		require.NoError(t, err)
		assert.Empty(t, p.Header["X-Bad"])
		got = append(got, part{p.FormName(), p.FileName(), p.Header.Get("Content-Type"), string(content)})
	}
	assert.Equal(t, []part{
		{"template_ids", "", "", "7"}, {"template_ids", "", "", "8"},
		{"audio_files", "audio-1.wav", "audio/wav", "first"},
		{"transcripts", "", "", "line\r\n--line\r\n"},
		{"audio_files", "a\"b%0D%0Ac.mp3", "audio/mpegX-Bad: 1", ""},
	}, got)
}

func TestBoundariesDiffer(t *testing.T) {
	assert.NotEqual(t, build(0).ContentType(), build(0).ContentType())
}

func TestLenIsUnknownWithOneUnknownFile(t *testing.T) {
	b := New()
	b.File(File{Size: -1, OneShot: true, Open: (&source{reader: text("some")}).open})
	b.File(File{Size: 4, Open: (&source{reader: text("more")}).open})
	b.End()
	f := b
	assert.EqualValues(t, -1, f.Len())
	assert.False(t, f.Replayable())
	assert.True(t, build(0).Replayable())
	body, err := io.ReadAll(f.Open())
	require.NoError(t, err)
	assert.Contains(t, string(body), "some")
	assert.Contains(t, string(body), "more")
}

// Each reader has handles of its own: an attempt whose writer still reads
// cannot shift the next one's content.
func TestReadersAreIndependent(t *testing.T) {
	s := &source{reader: text("0123456789")}
	f := build(10, s)
	a, b := f.Open(), f.Open()
	_, err := io.CopyN(io.Discard, a, f.Len()-100)
	require.NoError(t, err)
	whole, err := io.ReadAll(b)
	require.NoError(t, err)
	assert.Contains(t, string(whole), "\r\n\r\n0123456789\r\n--")
	require.NoError(t, a.Close())
	assert.Equal(t, s.opened, s.ended)
}

// However a source hands out its bytes, the body is the same.
func TestWaysOfReading(t *testing.T) {
	const content = "0123456789abcdef"
	for name, wrap := range map[string]func(io.Reader) io.Reader{
		"plain": func(r io.Reader) io.Reader { return r }, "half": iotest.HalfReader, "one byte": iotest.OneByteReader,
		"end with the last byte": iotest.DataErrReader, "pauses": func(r io.Reader) io.Reader { return &pausing{r: r} },
	} {
		for _, size := range []int64{int64(len(content)), -1} {
			s := &source{reader: func() io.Reader { return wrap(strings.NewReader(content)) }}
			f := build(size, s, s)
			body, err := io.ReadAll(iotest.OneByteReader(f.Open()))
			require.NoError(t, err, name)
			assert.Equal(t, 2, strings.Count(string(body), "\r\n\r\n"+content+"\r\n--"), name)
			assert.Equal(t, 2, s.opened, name)
			assert.Equal(t, 2, s.ended, name)
		}
	}
}

// pausing gives nothing, without an error, at every second call.
type pausing struct {
	r    io.Reader
	gave bool
}

func (p *pausing) Read(b []byte) (int, error) {
	if p.gave = !p.gave; p.gave {
		return 0, nil
	}
	return p.r.Read(b[:min(1, len(b))])
}

// The end comes with the last bytes: a server that has read the closing boundary
// of a chunked body may answer before another Read, and that is not too early.
func TestTheEndComesWithTheLastBytes(t *testing.T) {
	for _, size := range []int64{5, -1} {
		r := build(size, &source{reader: text("first")}).Open()
		var last []byte
		var err error
		for err == nil {
			p := make([]byte, 1000)
			var n int
			n, err = r.Read(p)
			last = p[:n]
		}
		assert.Equal(t, io.EOF, err)
		assert.True(t, bytes.HasSuffix(last, []byte("--\r\n")), "%q", last)
	}
}

// A body whose source fails ends at that byte, without the closing boundary,
// and the error says where.
func TestBrokenSources(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		name   string
		source *source
		size   int64
		want   error
		offset int64
	}{
		{"does not open", &source{openErr: broken}, 4, broken, 0},
		{"fails at once", &source{reader: func() io.Reader { return iotest.ErrReader(broken) }}, 4, broken, 0},
		{"fails half way", &source{reader: func() io.Reader { return io.MultiReader(strings.NewReader("01"), iotest.ErrReader(broken)) }}, 4, broken, 2},
		{"fails with its last byte", &source{reader: func() io.Reader { return failing{strings.NewReader("0123"), broken} }}, 4, broken, 4},
		{"fails behind its size", &source{reader: func() io.Reader { return io.MultiReader(strings.NewReader("0123"), iotest.ErrReader(broken)) }}, 4, broken, 4},
		{"unknown size, fails", &source{reader: func() io.Reader { return io.MultiReader(strings.NewReader("01"), iotest.ErrReader(broken)) }}, -1, broken, 2},
		{"short", &source{reader: text("012")}, 4, ErrShort, 3},
		{"empty", &source{reader: text("")}, 4, ErrShort, 0},
		{"short, end with the last byte", &source{reader: func() io.Reader { return iotest.DataErrReader(strings.NewReader("012")) }}, 4, ErrShort, 3},
		{"long", &source{reader: text("01234")}, 4, ErrLong, 4},
		{"not empty", &source{reader: text("0")}, 0, ErrLong, 0},
		{"does not close", &source{reader: text("0123"), closeErr: broken}, 4, broken, 4},
		{"says that it gave more than was asked for", &source{reader: func() io.Reader { return wild(5) }}, 4, readbody.ErrBadCount, 0},
		{"says that it gave less than nothing", &source{reader: func() io.Reader { return wild(-1) }}, 4, readbody.ErrBadCount, 0},
		{"gives nothing for ever", &source{reader: func() io.Reader { return nothing{} }}, 4, io.ErrNoProgress, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			good := &source{reader: text("0123")}
			if c.size < 0 {
				good.reader = text("")
			}
			f := build(c.size, good, c.source)
			if c.size == 0 {
				good.reader = text("")
			}
			r := f.Open()
			body, err := io.ReadAll(r)
			require.ErrorIs(t, err, c.want)
			var at *FileError
			require.ErrorAs(t, err, &at)
			assert.Equal(t, 1, at.File)
			assert.Equal(t, c.offset, at.Offset)
			assert.NotContains(t, string(body), boundaryOf(f)+"--")
			assert.Equal(t, 2, strings.Count(string(body), "audio_files"), "no part behind the broken one begins")

			again, err := r.Read(make([]byte, 1))
			assert.Zero(t, again)
			require.ErrorAs(t, err, &at, "the error stays")
			require.NoError(t, closeOf(r, c.source))
			assert.Equal(t, good.opened, good.ended)
			assert.Equal(t, c.source.opened, c.source.ended)
		})
	}
}

type failing struct {
	r   io.Reader
	err error
}

func (f failing) Read(p []byte) (int, error) {
	n, _ := f.r.Read(p)
	return n, f.err
}

// wild reads count so many bytes, whatever was asked for.
type wild int

func (w wild) Read([]byte) (int, error) { return int(w), nil }

type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, nil }

func boundaryOf(f *Form) string {
	_, params, _ := mime.ParseMediaType(f.ContentType())
	return params["boundary"]
}

// closeOf closes a reader whose source may fail in that too.
func closeOf(r io.Closer, s *source) error {
	if err := r.Close(); err != s.closeErr {
		return err
	}
	return nil
}

func TestFileErrorSaysWhere(t *testing.T) {
	assert.EqualError(t, &FileError{File: 1, Offset: 20, Err: io.ErrUnexpectedEOF}, "file 1, byte 20: unexpected EOF")
}

// Closing in the middle closes the open file, and nothing is opened after.
func TestClose(t *testing.T) {
	for read := range int64(400) {
		a, b := &source{reader: text("0123")}, &source{reader: text("0123")}
		r := build(4, a, b).Open()
		if _, err := io.CopyN(io.Discard, r, read); err == io.EOF {
			break
		}
		require.NoError(t, r.Close())
		assert.Equal(t, a.opened, a.ended)
		assert.Equal(t, b.opened, b.ended)
		opened := a.opened + b.opened
		_, _ = io.ReadAll(r)
		assert.Equal(t, opened, a.opened+b.opened)
		require.NoError(t, r.Close())
	}
}

// A transport may close the body while a Read of a file hangs. Close does not wait for
// that Read, and the file is closed when it is over.
func TestCloseDuringABlockedRead(t *testing.T) {
	hanging, release := make(chan struct{}), make(chan struct{})
	blocked := &source{reader: func() io.Reader {
		return readerFunc(func(p []byte) (int, error) {
			close(hanging)
			<-release
			return copy(p, "late"), nil
		})
	}}
	r := build(-1, blocked).Open()
	done := make(chan error)
	go func() {
		_, err := io.Copy(io.Discard, r)
		done <- err
	}()
	<-hanging
	require.NoError(t, r.Close())
	assert.Zero(t, blocked.ended)
	close(release)
	assert.ErrorIs(t, <-done, errClosed)
	assert.Equal(t, 1, blocked.ended)
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// After Close no memory of the caller is read. The race detector looks on.
func TestNoMemoryIsReadAfterClose(t *testing.T) {
	for range 50 {
		content := make([]byte, 1<<20)
		f := New()
		f.File(File{Field: "audio_file", Size: int64(len(content)), Bytes: content})
		f.End()
		r := f.Open()
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = io.Copy(io.Discard, io.LimitReader(r, 1<<30))
		}()
		for range 100 {
			runtime.Gosched()
		}
		require.NoError(t, r.Close())
		clear(content)
		<-done
	}
}

// Content in memory is a file like any other.
func TestContentInMemory(t *testing.T) {
	f := New()
	f.Field("patient_name", "Alex Example")
	f.File(File{Field: "audio_files", Size: 5, Bytes: []byte("first")})
	broken := &source{openErr: errors.New("broken")}
	f.File(File{Field: "audio_files", Size: 5, Open: broken.open})
	f.End()
	assert.True(t, f.Replayable())
	body, err := io.ReadAll(f.Open())
	assert.Contains(t, string(body), "\r\n\r\nfirst\r\n--")
	var at *FileError
	require.ErrorAs(t, err, &at)
	assert.Equal(t, 1, at.File)
}

// At is the place that a Read has come to, also while it hangs.
func TestAt(t *testing.T) {
	pr, pw := io.Pipe()
	r := build(-1, &source{reader: text("0123")}, &source{reader: func() io.Reader { return pr }}).Open()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(io.Discard, r)
	}()
	_, err := pw.Write([]byte("first"))
	require.NoError(t, err)
	_, err = pw.Write([]byte("!")) // the first bytes are counted now
	require.NoError(t, err)
	var at *FileError
	require.ErrorAs(t, r.At(io.ErrNoProgress), &at)
	assert.Equal(t, 1, at.File)
	assert.GreaterOrEqual(t, at.Offset, int64(5))
	assert.ErrorIs(t, at, io.ErrNoProgress)
	require.NoError(t, pw.Close())
	<-done
}
