package ambient_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
)

// A disk is a file system of one file, which may be another one each time it is
// opened: first to look at it, then once per attempt. It counts its handles.
type disk struct {
	opens []diskFile // the last one stays

	mu             sync.Mutex
	opened, closed int
}

type diskFile struct {
	content  []byte
	size     int64 // as Stat tells; 0 = that of content
	modified time.Time
	changed  time.Time // modified once its end was read; zero = unchanged
	openErr  error
	readErr  error // at the end of content
	statErr  error // once its end was read
	mode     fs.FileMode
}

func (d *disk) Open(name string) (fs.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.opens[min(d.opened, len(d.opens)-1)]
	if f.openErr != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: f.openErr}
	}
	d.opened++
	return &diskHandle{disk: d, file: f, rest: bytes.NewReader(f.content)}, nil
}

// handles is how many are still open.
func (d *disk) handles() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.opened - d.closed
}

type diskHandle struct {
	disk  *disk
	file  diskFile
	rest  *bytes.Reader
	ended bool
}

func (h *diskHandle) Close() error {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	h.disk.closed++
	return nil
}

func (h *diskHandle) Read(p []byte) (int, error) {
	n, err := h.rest.Read(p)
	if err == io.EOF {
		if h.ended = true; h.file.readErr != nil {
			err = h.file.readErr
		}
	}
	return n, err
}

func (h *diskHandle) Stat() (fs.FileInfo, error) {
	f := h.file
	if h.ended && f.statErr != nil {
		return nil, f.statErr
	}
	info := diskInfo{fileInfo{size: f.size, modified: f.modified}, f.mode}
	if info.size == 0 {
		info.size = int64(len(f.content))
	}
	if h.ended && !f.changed.IsZero() {
		info.modified = f.changed
	}
	return info, nil
}

type diskInfo struct {
	fileInfo
	mode fs.FileMode
}

func (i diskInfo) Mode() fs.FileMode { return i.mode }

var errDisk = errors.New("I/O error on " + secret)

// A source that fails, ends early, goes on too long or is another file at its
// end ends the call: no server ever has a whole request of it, no text names
// it, and no handle stays open.
func TestSourcesThatChangeWhileTheyAreSent(t *testing.T) {
	t.Parallel()
	const size = 40_000
	content := pattern(size)
	good := diskFile{content: content, modified: time.Unix(1, 0)}
	change := func(f func(*diskFile)) diskFile { c := good; f(&c); return c }
	for _, c := range []struct {
		name   string
		opens  []diskFile
		offset int64
		cause  error
	}{
		{"fails", []diskFile{good, change(func(f *diskFile) { f.content, f.size, f.readErr = content[:700], size, errDisk })}, 700, errDisk},
		{"fails at its first byte", []diskFile{good, change(func(f *diskFile) { f.content, f.size, f.readErr = nil, size, errDisk })}, 0, errDisk},
		{"fails at its end", []diskFile{good, change(func(f *diskFile) { f.readErr = errDisk })}, size, errDisk},
		{"shrinks", []diskFile{good, change(func(f *diskFile) { f.content, f.size = content[:700], size })}, 700, nil},
		{"is cut to nothing", []diskFile{good, change(func(f *diskFile) { f.content, f.size = nil, size })}, 0, nil},
		{"grows", []diskFile{good, change(func(f *diskFile) { f.content, f.size = append(bytes.Clone(content), 1), size })}, size, nil},
		{"is written to", []diskFile{good, change(func(f *diskFile) { f.changed = time.Unix(2, 0) })}, size, nil},
		{"is gone from its handle", []diskFile{good, change(func(f *diskFile) { f.statErr = errDisk })}, size, nil},
		{"has shrunk since", []diskFile{good, change(func(f *diskFile) { f.content = content[:700] })}, 0, nil},
		{"has grown since", []diskFile{good, change(func(f *diskFile) { f.content = append(bytes.Clone(content), 1) })}, 0, nil},
		{"was written to since", []diskFile{good, change(func(f *diskFile) { f.modified = time.Unix(2, 0) })}, 0, nil},
		{"was deleted since", []diskFile{good, {openErr: fs.ErrNotExist}}, 0, fs.ErrNotExist},
		{"may not be read any more", []diskFile{good, {openErr: fs.ErrPermission}}, 0, fs.ErrPermission},
		{"is a directory since", []diskFile{good, change(func(f *diskFile) { f.mode = fs.ModeDir })}, 0, nil},
	} {
		for part, name := range []string{"first", "second"} {
			t.Run(c.name+", "+name+" of two", func(t *testing.T) {
				inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
					bad, other := &disk{opens: c.opens}, &disk{opens: []diskFile{good}}
					audio := []ambient.Audio{ambient.AudioFS(bad, secret+".mp3"), ambient.AudioFS(other, "other.mp3")}
					if part == 1 {
						audio[0], audio[1] = audio[1], audio[0]
					}
					_, err := newClient(t, srv).Scribes.Create(t.Context(), &ambient.ScribeRequest{TemplateIDs: []int64{7}, Audio: audio, PatientName: secret})
					var broken *ambient.AudioError
					require.ErrorAs(t, err, &broken)
					assert.Equal(t, part, broken.Part)
					assert.Equal(t, c.offset, broken.Offset)
					if c.cause != nil {
						assert.ErrorIs(t, err, c.cause)
					}
					tellsNothing(t, err)
					assert.False(t, ambient.MaybeSubmitted(err))
					assert.False(t, ambient.Retryable(err))
					synctest.Wait()
					for _, r := range srv.RequestsTo("POST /scribe") {
						assert.False(t, r.Complete)
						assert.NotEqual(t, 202, r.Status)
					}
					assert.Zero(t, bad.handles())
					assert.Zero(t, other.handles())
				})
			})
		}
	}
}

// A file that is replaced between two attempts is not sent as if it were the
// same; that the first attempt may have been taken is not forgotten.
func TestSourcesThatChangeBetweenAttempts(t *testing.T) {
	t.Parallel()
	content := pattern(40_000)
	for status, submitted := range map[int]bool{503: false, 429: false, 500: true} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				path := tempFile(t, content)
				plan(srv, ambienttest.Fault{Status: status, Process: submitted})
				client := newClient(t, srv, ambient.WithObserver(func(e ambient.Event) {
					if e.Kind == ambient.EventAttempt && e.Route == "/transcribe" {
						// The same size, another content: as a recorder that starts over.
						assert.NoError(t, os.WriteFile(path, pattern(40_001)[1:], 0o600))
						assert.NoError(t, os.Chtimes(path, time.Unix(1, 0), time.Unix(1, 0)))
					}
				}))
				_, err := submitOf(t.Context(), client, ambient.AudioFile(path))
				var changed *ambient.AudioError
				require.ErrorAs(t, err, &changed)
				assert.Zero(t, changed.Offset)
				assert.ErrorContains(t, err, "changed")
				assert.NotContains(t, err.Error(), path)
				assert.Equal(t, submitted, ambient.MaybeSubmitted(err))
				synctest.Wait()
				arrived := srv.RequestsTo(submitRoute)
				assert.True(t, arrived[0].Complete)
				for _, r := range arrived[1:] {
					assert.False(t, r.Complete)
				}
			})
		})
	}
}

// Short reads are no failure.
func TestShortReads(t *testing.T) {
	content := pattern(40_000)
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		_, err := submitOf(t.Context(), newClient(t, srv), ambient.AudioReaderAt("visit.mp3", hesitant{content}, int64(len(content))))
		require.NoError(t, err)
		assert.Equal(t, digest(content), srv.RequestsTo(submitRoute)[0].Files[0].SHA256)
	})
}

// hesitant gives half of what it is asked for, and breaks io.ReaderAt's rule to
// give a reason.
type hesitant struct{ content []byte }

func (h hesitant) ReadAt(p []byte, off int64) (int, error) {
	return copy(p[:(len(p)+1)/2], h.content[off:]), nil
}

// Every handle is closed, however the call ends.
func TestHandlesAreClosed(t *testing.T) {
	t.Parallel()
	content := pattern(100_000)
	for name, test := range map[string]struct {
		faults []ambienttest.Fault
		cancel time.Duration
	}{
		"success":             {},
		"refused at once":     {faults: []ambienttest.Fault{{Status: 400, Early: true}}},
		"refused when read":   {faults: []ambienttest.Fault{ambienttest.Answer(422)}},
		"repeated":            {faults: []ambienttest.Fault{ambienttest.Answer(503), {Reset: ambienttest.ResetMidBody}, ambienttest.Answer(429), {Reset: ambienttest.ResetBeforeRead}}},
		"cancelled":           {faults: []ambienttest.Fault{{Delay: time.Hour}}, cancel: time.Minute},
		"cancelled half way":  {faults: []ambienttest.Fault{{Reset: ambienttest.ResetMidBody, Delay: time.Hour}}, cancel: 30 * time.Second},
		"cancelled at once":   {cancel: time.Nanosecond},
		"cut for its silence": {faults: []ambienttest.Fault{{Reset: ambienttest.ResetMidBody, Delay: time.Hour}}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				plan(srv, test.faults...)
				ctx := t.Context()
				if test.cancel > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, test.cancel)
					defer cancel()
				}
				d := &disk{opens: []diskFile{{content: content}}}
				path := tempFile(t, content)
				_, _ = newClient(t, srv).Scribes.Create(ctx, &ambient.ScribeRequest{TemplateIDs: []int64{7}, Audio: []ambient.Audio{ambient.AudioFS(d, "visit.mp3")}})
				_, _ = submitOf(ctx, newClient(t, srv), ambient.AudioFS(d, "visit.mp3"))
				_, _ = submitOf(ctx, newClient(t, srv), ambient.AudioFile(path))
				synctest.Wait()
				assert.Zero(t, d.handles())
				assert.NotContains(t, openFiles(), path)
			})
		})
	}
}
