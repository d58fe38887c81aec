package ambient_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"mime/multipart"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
	"github.com/ambient-scribe/ambient-go/internal/conformance/harness"
)

// sound is a recording that begins like one of a type.
func sound(head string) []byte { return append([]byte(head), make([]byte, 2048)...) }

// The type is told by the first bytes, and spelled as the caller's name spells
// it. What is not recognised, or is not what it claims to be, is sent all the
// same: the service knows best. No name of the caller's reaches it.
func TestAudioTypes(t *testing.T) {
	t.Parallel()
	const dir = "visits/" + harness.Secret + "/" + harness.Secret
	for _, c := range []struct {
		name     string
		audio    ambient.Audio
		filename string
		mime     string
		warning  string
	}{
		{"mp3", ambient.AudioBytes(dir+".mp3", sound(harness.HeadMP3)), "audio-1.mp3", "audio/mpeg", ""},
		{"mp4", ambient.AudioBytes(dir+".mp4", sound(harness.HeadMP4)), "audio-1.mp4", "audio/mp4", ""},
		{"mpeg", ambient.AudioBytes(dir+".mpeg", sound(harness.HeadMPEG)), "audio-1.mpeg", "video/mpeg", ""},
		{"mpga", ambient.AudioBytes(dir+".mpga", sound(harness.HeadMPGA)), "audio-1.mpga", "audio/mpeg", ""},
		{"m4a", ambient.AudioBytes(dir+".m4a", sound(harness.HeadM4A)), "audio-1.m4a", "audio/mp4", ""},
		{"wav", ambient.AudioBytes(dir+".WAV", sound(harness.HeadWAV)), "audio-1.wav", "audio/wav", ""},
		{"webm", ambient.AudioBytes(dir+".webm", sound(harness.HeadWebM)), "audio-1.webm", "audio/webm", ""},
		{"mpeg that is mp3", ambient.AudioBytes(dir+".mpeg", sound(harness.HeadMP3)), "audio-1.mpeg", "video/mpeg", ""},
		{"m4a that is mp4", ambient.AudioBytes(dir+".m4a", sound(harness.HeadMP4)), "audio-1.m4a", "audio/mp4", ""},

		{"no name", ambient.AudioBytes("", sound(harness.HeadM4A)), "audio-1.m4a", "audio/mp4", ""},
		{"a name without type", ambient.AudioBytes(dir, sound(harness.HeadWAV)), "audio-1.wav", "audio/wav", ""},
		{"a name of another world", ambient.AudioBytes(dir+".dat", sound(harness.HeadWebM)), "audio-1.webm", "audio/webm", ""},
		{"shorter than a header", ambient.AudioBytes(dir+".mp3", []byte("ID3")), "audio-1.mp3", "audio/mpeg", ""},

		{"wav in name only", ambient.AudioBytes(dir+".wav", sound(harness.HeadMP3)), "audio-1.mp3", "audio/mpeg", "audio 1 has the first bytes of mp3 and a name that ends in wav"},
		{"unknown bytes, known name", ambient.AudioBytes(dir+".mp3", sound(harness.HeadNone)), "audio-1.mp3", "audio/mpeg", "audio 1 has the first bytes of no documented audio type"},
		{"unknown in all", ambient.AudioBytes(dir+".mid", sound(harness.HeadNone)), "audio-1", "application/octet-stream", "audio 1 has the first bytes of no documented audio type"},
		{"text in UTF-16", ambient.AudioBytes(dir+".mp3", []byte("\xff\xfeH\x00i\x00")), "audio-1.mp3", "audio/mpeg", "audio 1 has the first bytes of no documented audio type"},
		{"one byte", ambient.AudioBytes("", []byte{1}), "audio-1", "application/octet-stream", "audio 1 has the first bytes of no documented audio type"},

		{"content type given", ambient.AudioBytes("", sound(harness.HeadNone)).WithContentType("audio/mpeg"), "audio-1", "audio/mpeg", "audio 1 has the first bytes of no documented audio type"},
		{"content type agrees", ambient.AudioBytes("", sound(harness.HeadWAV)).WithContentType("audio/x-wav; codecs=1"), "audio-1.wav", "audio/x-wav; codecs=1", ""},
		{"content type contradicts", ambient.AudioBytes("", sound(harness.HeadWAV)).WithContentType("audio/flac"), "audio-1.wav", "audio/flac", "audio 1 has the first bytes of wav and another content type"},
		{"content type on two lines", ambient.AudioBytes("", sound(harness.HeadWAV)).WithContentType("audio/wav\r\nX-Evil: 1"), "audio-1.wav", "audio/wavX-Evil: 1", "audio 1 has the first bytes of wav and another content type"},
		{"upload name given", ambient.AudioBytes("", sound(harness.HeadWAV)).WithUploadName("visit 1.wav"), "visit 1.wav", "audio/wav", ""},
		{"upload name with folders", ambient.AudioBytes("", sound(harness.HeadWAV)).WithUploadName(`C:\visits\` + harness.Secret + `/visit.wav`), "visit.wav", "audio/wav", ""},
		{"options leave the original alone", withOptions(ambient.AudioBytes("", sound(harness.HeadWAV))), "audio-1.wav", "audio/wav", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				var told harness.Events
				_, err := harness.NewClient(t, srv, ambient.WithObserver(told.Observe)).Transcriptions.Submit(t.Context(), &ambient.TranscriptionRequest{Audio: c.audio})
				require.NoError(t, err)
				file := srv.RequestsTo(harness.SubmitRoute)[0].Files[0]
				assert.Equal(t, c.filename, file.Filename)
				assert.Equal(t, c.mime, file.ContentType)
				var warnings []string
				for _, e := range told.Of(ambient.EventAudioFormat) {
					warnings = append(warnings, e.Note)
					assert.Equal(t, "POST /transcribe", e.Method+" "+e.Route)
				}
				assert.Equal(t, c.warning, strings.Join(warnings, ", "))
			})
		})
	}
}

// A recording of a type that the API does not document is named after what it is,
// since services judge by the extension, and is warned about.
func TestUndocumentedAudioTypes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, head, filename, mime string }{
		{"visit.opus", "OggS\x00\x02", "audio-1.ogg", "audio/ogg"},
		{"visit.ogg", "OggS\x00\x02", "audio-1.ogg", "audio/ogg"},
		{"", "OggS\x00\x02", "audio-1.ogg", "audio/ogg"},
		{"visit.mp3", "OggS\x00\x02", "audio-1.ogg", "audio/ogg"},
		{"visit.flac", "fLaC\x00\x00\x00\x22", "audio-1.flac", "audio/flac"},
		{"visit.aac", "\xff\xf1\x50\x80", "audio-1.aac", "audio/aac"},
		{"visit.aif", "FORM\x00\x00\x10\x00AIFF", "audio-1.aiff", "audio/aiff"},
		{"visit.caf", "caff\x00\x01", "audio-1.caf", "audio/x-caf"},
		{"visit.amr", "#!AMR\n", "audio-1.amr", "audio/amr"},
		{"visit.3gp", "\x00\x00\x00\x18ftyp3gp4", "audio-1.3gp", "audio/3gpp"},
		{"visit.m4a", "\x00\x00\x00\x18ftyp3gp4", "audio-1.m4a", "audio/mp4"},
		{"visit.wma", "\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9", "audio-1.wma", "audio/x-ms-wma"},
		{"visit.wav", "BW64\xff\xff\xff\xffWAVE", "audio-1.wav", "audio/wav"},
		{"visit.dss", "\x02dss", "audio-1.dss", "audio/x-dss"},
		{"visit.mka", "\x1a\x45\xdf\xa3\x8b\x42\x82\x88matroska", "audio-1.mka", "audio/matroska"},
	} {
		t.Run(c.name, func(t *testing.T) {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				var told harness.Events
				_, err := harness.SubmitOf(t.Context(), harness.NewClient(t, srv, ambient.WithObserver(told.Observe)), ambient.AudioBytes(c.name, sound(c.head)))
				require.NoError(t, err)
				file := srv.RequestsTo(harness.SubmitRoute)[0].Files[0]
				assert.Equal(t, c.filename, file.Filename)
				assert.Equal(t, c.mime, file.ContentType)
				assert.Len(t, told.Of(ambient.EventAudioFormat), 1)
			})
		})
	}
}

func withOptions(a ambient.Audio) ambient.Audio {
	_ = a.WithContentType("audio/mpeg").WithUploadName("other.mp3")
	return a
}

// Each audio of a request has its number in name and warning.
func TestAudioIsNumbered(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		var told harness.Events
		_, err := harness.NewClient(t, srv, ambient.WithObserver(told.Observe)).Scribes.Create(t.Context(), &ambient.ScribeRequest{TemplateIDs: []int64{7}, Audio: []ambient.Audio{
			ambient.AudioBytes("", sound(harness.HeadWAV)), ambient.AudioBytes("a.wav", sound(harness.HeadMP3)), ambient.AudioBytes("", sound(harness.HeadM4A)),
		}})
		require.NoError(t, err)
		var names []string
		for _, f := range srv.RequestsTo("POST /scribe")[0].Files {
			names = append(names, f.Filename)
		}
		assert.Equal(t, []string{"audio-1.wav", "audio-2.mp3", "audio-3.m4a"}, names)
		warnings := told.Of(ambient.EventAudioFormat)
		require.Len(t, warnings, 1)
		assert.Contains(t, warnings[0].Note, "audio 2")
	})
}

func TestSyntheticVisitIsRecognised(t *testing.T) {
	t.Parallel()
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		var told harness.Events
		client := harness.NewClient(t, srv, ambient.WithObserver(told.Observe))
		for _, name := range []string{"visit.mp3", "visit.wav"} {
			b, err := os.ReadFile("testdata/" + name)
			require.NoError(t, err)
			_, err = client.Transcriptions.Submit(t.Context(), &ambient.TranscriptionRequest{Audio: ambient.AudioFile("testdata/" + name)})
			require.NoError(t, err)
			requests := srv.RequestsTo(harness.SubmitRoute)
			assert.Equal(t, harness.Digest(b), requests[len(requests)-1].Files[0].SHA256)
		}
		assert.Empty(t, told.Of(ambient.EventAudioFormat))
	})
}

// Requests are queued as JSON: audio of a file or of bytes goes along.
func TestAudioSurvivesJSON(t *testing.T) {
	t.Parallel()
	path := harness.TempFile(t, sound(harness.HeadWAV))
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv)
		for _, audio := range []ambient.Audio{
			ambient.AudioFile(path).WithUploadName("visit.wav").WithContentType("audio/x-wav"),
			ambient.AudioBytes("visit.mp3", sound(harness.HeadWAV)).WithUploadName("visit.wav").WithContentType("audio/x-wav"),
		} {
			var back ambient.TranscriptionRequest
			throughJSON(t, ambient.TranscriptionRequest{Audio: audio, PatientName: "Alex Example"}, &back)
			_, err := client.Transcriptions.Submit(t.Context(), &back)
			require.NoError(t, err)
		}
		for _, r := range srv.RequestsTo(harness.SubmitRoute) {
			assert.Equal(t, "Alex Example", r.Value("patient_name"))
			assert.Equal(t, "visit.wav", r.Files[0].Filename)
			assert.Equal(t, "audio/x-wav", r.Files[0].ContentType)
			assert.Equal(t, harness.Digest(sound(harness.HeadWAV)), r.Files[0].SHA256)
		}
	})
	var none ambient.TranscriptionRequest
	throughJSON(t, ambient.TranscriptionRequest{}, &none)
	assert.Equal(t, "Audio(none)", none.Audio.String())
	_, err := ambient.AudioReader(harness.Secret, strings.NewReader(harness.Secret)).MarshalJSON()
	assert.ErrorContains(t, err, "io.Reader cannot be marshalled")
	harness.TellsNothing(t, err)
	assert.Error(t, none.Audio.UnmarshalJSON([]byte(`"`+harness.Secret+`"`)))
}

// A disk is a file system of one file, which may be another one each time it is
// opened, once per attempt. It counts its handles.
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
	info := diskInfo{harness.FileInfo{Bytes: f.size, Modified: f.modified}, f.mode}
	if info.Bytes == 0 {
		info.Bytes = int64(len(f.content))
	}
	if h.ended && !f.changed.IsZero() {
		info.Modified = f.changed
	}
	return info, nil
}

type diskInfo struct {
	harness.FileInfo
	mode fs.FileMode
}

func (i diskInfo) Mode() fs.FileMode { return i.mode }

var errDisk = errors.New("I/O error on " + harness.Secret)

// A source that fails, ends early, goes on too long or is another file at its
// end ends the call: no server ever has a whole request of it, no text names
// it, and no handle stays open.
func TestSourcesThatChangeWhileTheyAreSent(t *testing.T) {
	t.Parallel()
	const size = 40_000
	content := harness.Pattern(size)
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
				harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
					bad, other := &disk{opens: c.opens}, &disk{opens: []diskFile{good}}
					audio := []ambient.Audio{ambient.AudioFS(bad, harness.Secret+".mp3"), ambient.AudioFS(other, "other.mp3")}
					if part == 1 {
						audio[0], audio[1] = audio[1], audio[0]
					}
					srv.Fault("POST /scribe", 1, ambienttest.Fault{Status: 503}) // the second attempt opens the file again
					_, err := harness.NewClient(t, srv).Scribes.Create(t.Context(), &ambient.ScribeRequest{TemplateIDs: []int64{7}, Audio: audio, PatientName: harness.Secret})
					var broken *ambient.AudioError
					require.ErrorAs(t, err, &broken)
					assert.Equal(t, part, broken.Part)
					assert.Equal(t, c.offset, broken.Offset)
					if c.cause != nil {
						assert.ErrorIs(t, err, c.cause)
					}
					harness.TellsNothing(t, err)
					assert.False(t, ambient.MaybeSubmitted(err))
					assert.False(t, ambient.Retryable(err))
					synctest.Wait()
					for _, r := range srv.RequestsTo("POST /scribe")[1:] {
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
	content := harness.Pattern(40_000)
	for status, submitted := range map[int]bool{503: false, 429: false, 500: true} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				path := harness.TempFile(t, content)
				harness.Plan(srv, ambienttest.Fault{Status: status, Process: submitted})
				client := harness.NewClient(t, srv, ambient.WithObserver(func(_ context.Context, e ambient.Event) {
					if e.Kind == ambient.EventAttempt && e.Route == "/transcribe" {
						// The same size, another content: as a recorder that starts over.
						assert.NoError(t, os.WriteFile(path, harness.Pattern(40_001)[1:], 0o600))
						assert.NoError(t, os.Chtimes(path, time.Unix(1, 0), time.Unix(1, 0)))
					}
				}))
				_, err := harness.SubmitOf(t.Context(), client, ambient.AudioFile(path))
				var changed *ambient.AudioError
				require.ErrorAs(t, err, &changed)
				assert.Zero(t, changed.Offset)
				assert.ErrorContains(t, err, "changed")
				assert.NotContains(t, err.Error(), path)
				assert.Equal(t, submitted, ambient.MaybeSubmitted(err))
				synctest.Wait()
				arrived := srv.RequestsTo(harness.SubmitRoute)
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
	content := harness.Pattern(40_000)
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		_, err := harness.SubmitOf(t.Context(), harness.NewClient(t, srv), ambient.AudioReaderAt("visit.mp3", hesitant{content}, int64(len(content))))
		require.NoError(t, err)
		assert.Equal(t, harness.Digest(content), srv.RequestsTo(harness.SubmitRoute)[0].Files[0].SHA256)
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
	content := harness.Pattern(100_000)
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
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				harness.Plan(srv, test.faults...)
				ctx := t.Context()
				if test.cancel > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, test.cancel)
					defer cancel()
				}
				d := &disk{opens: []diskFile{{content: content}}}
				path := harness.TempFile(t, content)
				_, _ = harness.NewClient(t, srv).Scribes.Create(ctx, &ambient.ScribeRequest{TemplateIDs: []int64{7}, Audio: []ambient.Audio{ambient.AudioFS(d, "visit.mp3")}})
				_, _ = harness.SubmitOf(ctx, harness.NewClient(t, srv), ambient.AudioFS(d, "visit.mp3"))
				_, _ = harness.SubmitOf(ctx, harness.NewClient(t, srv), ambient.AudioFile(path))
				synctest.Wait()
				assert.Zero(t, d.handles())
				assert.NotContains(t, harness.OpenFiles(), path)
			})
		})
	}
}

// A reader is sent once. A refusal that came before any of it was read, for
// which Expect: 100-continue sees to, costs nothing and is repeated.
func TestAReaderIsRepeatedOnlyUnread(t *testing.T) {
	t.Parallel()
	content := harness.Pattern(20_000)
	early := func(status int) ambienttest.Fault {
		f := ambienttest.Answer(status)
		f.Early = true
		return f
	}
	for _, c := range []struct {
		name   string
		fault  ambienttest.Fault
		again  bool
		status int
	}{
		{"429 before the body", early(429), true, 0},
		{"503 before the body", early(503), true, 0},
		{"401 before the body", early(401), true, 0},
		{"408 before the body", early(408), true, 0},
		{"429 after the body", ambienttest.Answer(429), false, 429},
		{"503 after the body", ambienttest.Answer(503), false, 503},
		{"500 after the body", ambienttest.Answer(500), false, 500},
		{"401 after the body", ambienttest.Answer(401), false, 401},
		{"reset before the body", ambienttest.Fault{Reset: ambienttest.ResetBeforeRead}, true, 0},
		{"reset in the body", ambienttest.Fault{Reset: ambienttest.ResetMidBody}, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				harness.Plan(srv, c.fault)
				var info ambient.CallInfo
				_, err := harness.SubmitOf(t.Context(), harness.NewClient(t, srv), ambient.AudioReader("visit.mp3", bytes.NewBuffer(bytes.Clone(content))), ambient.WithCallInfo(&info))
				arrived := srv.RequestsTo(harness.SubmitRoute)
				assert.Equal(t, "100-continue", arrived[0].Header.Get("Expect"))
				if c.again {
					require.NoError(t, err)
					require.Len(t, arrived, 2)
					assert.Zero(t, info.Attempts[0].BytesSent)
					assert.Equal(t, harness.Digest(content), arrived[1].Files[0].SHA256)
					return
				}
				require.Error(t, err)
				assert.ErrorContains(t, err, "cannot be read twice")
				assert.Len(t, arrived, 1)
				var api *ambient.APIError
				if c.status != 0 {
					require.ErrorAs(t, err, &api)
					assert.Equal(t, c.status, api.StatusCode)
				}
				assert.Equal(t, c.status == 500, ambient.MaybeSubmitted(err))
			})
		})
	}
}

// A server that does not know Expect says 417 and gets the body without it.
func TestAServerThatDoesNotKnowExpect(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		harness.Plan(srv, ambienttest.Fault{Status: 417, Early: true})
		_, err := harness.SubmitOf(t.Context(), harness.NewClient(t, srv), ambient.AudioReader("visit.mp3", bytes.NewReader(harness.Pattern(20_000))))
		require.NoError(t, err)
		assert.Empty(t, srv.RequestsTo(harness.SubmitRoute)[1].Header.Get("Expect"))
	})
}

// The same reader in a second call would send what is left of it. It is refused,
// also after the first call failed, and also within one request.
func TestAReaderIsUsedOnce(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv)
		harness.Plan(srv, ambienttest.Answer(400))
		audio := ambient.AudioReader("visit.mp3", bytes.NewReader(harness.Pattern(20_000)))
		_, err := harness.SubmitOf(t.Context(), client, audio)
		var refused *ambient.BadRequestError
		require.ErrorAs(t, err, &refused)
		var bad *ambient.RequestError
		_, err = harness.SubmitOf(t.Context(), client, audio.WithUploadName("other.mp3"))
		require.ErrorAs(t, err, &bad)
		assert.ErrorContains(t, err, "give a new AudioReader to each call")
		twice := ambient.AudioReader("visit.mp3", bytes.NewReader(harness.Pattern(20_000)))
		_, err = client.Scribes.Create(t.Context(), &ambient.ScribeRequest{TemplateIDs: []int64{7}, Audio: []ambient.Audio{twice, twice}})
		require.ErrorAs(t, err, &bad)
		assert.ErrorContains(t, err, "audio 2")
		srv.AssertCount(t, "POST /scribe", 0)
		srv.AssertCount(t, harness.SubmitRoute, 1)
	})
}

// A request that is refused for something else has read nothing of it.
func TestARefusedRequestReadsNothing(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client, r := harness.NewClient(t, srv), harness.ReaderAt(harness.Pattern(20_000))
		_, err := client.Transcriptions.Submit(t.Context(), &ambient.TranscriptionRequest{Audio: ambient.AudioReader("visit.mp3", r), AdditionalContext: "no object"})
		assert.True(t, harness.IsA[*ambient.RequestError](err), "%v", err)
		_, err = client.Scribes.Create(t.Context(), &ambient.ScribeRequest{TemplateIDs: []int64{7}, Audio: []ambient.Audio{ambient.AudioReader("visit.mp3", r)}, Transcripts: []string{""}})
		assert.True(t, harness.IsA[*ambient.RequestError](err), "%v", err)
		_, err = harness.SubmitOf(t.Context(), client, ambient.AudioReader("visit.mp3", r))
		require.NoError(t, err)
		assert.Equal(t, harness.Digest(harness.Pattern(20_000)), srv.RequestsTo(harness.SubmitRoute)[0].Files[0].SHA256)
	})
}

// A reader that fails is an AudioError with the place where it did; one that
// does not keep to its Len is, too.
func TestReadersThatFail(t *testing.T) {
	t.Parallel()
	errReader := errors.New("tape torn: " + harness.Secret)
	content := harness.Pattern(20_000)
	for _, c := range []struct {
		name   string
		reader io.Reader
		offset int64
		cause  error
	}{
		{"fails", io.MultiReader(bytes.NewReader(content), broken{errReader}), 20_000, errReader},
		{"is short", sized{bytes.NewReader(content), 30_000}, 20_000, nil},
		{"is long", sized{bytes.NewReader(content), 15_000}, 15_000, nil},
		{"stops giving", io.MultiReader(bytes.NewReader(content), harness.Idle{}), 20_000, io.ErrNoProgress},
	} {
		t.Run(c.name, func(t *testing.T) {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				_, err := harness.SubmitOf(t.Context(), harness.NewClient(t, srv), ambient.AudioReader(harness.Secret, c.reader))
				var broken *ambient.AudioError
				require.ErrorAs(t, err, &broken)
				assert.Equal(t, c.offset, broken.Offset)
				if c.cause != nil {
					assert.ErrorIs(t, err, c.cause)
				}
				harness.TellsNothing(t, err)
				synctest.Wait()
				arrived := srv.RequestsTo(harness.SubmitRoute)
				require.Len(t, arrived, 1)
				assert.False(t, arrived[0].Complete)
			})
		})
	}
}

// A handler bounds the body of a request, and answers by the error.
func TestAReaderThatIsTooLarge(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		bounded := http.MaxBytesReader(nil, io.NopCloser(bytes.NewReader(harness.Pattern(20_001))), 20_000)
		_, err := harness.SubmitOf(t.Context(), harness.NewClient(t, srv), ambient.AudioReader("visit.mp3", bounded))
		assert.IsType(t, &ambient.AudioError{}, err)
		var tooLarge *http.MaxBytesError
		require.ErrorAs(t, err, &tooLarge)
		assert.Equal(t, int64(20_000), tooLarge.Limit)
	})
}

// The handler of Example AudioReader (Browser) answers a browser that stalls, though a
// Read of its body still runs. net/http answers when the Read is over.
func TestStalledBrowserIsAnswered(t *testing.T) {
	client := harness.NewClient(t, ambienttest.Start(t), ambient.WithStallTimeout(300*time.Millisecond))
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	file, err := form.CreateFormFile("audio", "visit.webm")
	require.NoError(t, err)
	_, err = file.Write(harness.Pattern(200_000))
	require.NoError(t, err)
	for name, length := range map[string]int64{"chunks": -1, "Content-Length": 300_000} {
		t.Run(name, func(t *testing.T) {
			harness.StalledBrowser(t, passOn(client), "/", form.FormDataContentType(), length, body.Bytes(), http.StatusBadGateway)
		})
	}
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

// sized claims another length than it has.
type sized struct {
	io.Reader
	size int
}

func (s sized) Len() int { return s.size }

// stuck gives some bytes, hangs for a day and fails.
type stuck struct {
	gives int
	hung  int // Reads that hung
}

func (s *stuck) Read(p []byte) (int, error) {
	if s.gives == 0 {
		s.hung++
		time.Sleep(day)
		return 0, io.ErrUnexpectedEOF
	}
	n := copy(p[:min(s.gives, len(p))], harness.Pattern(max(s.gives, 4)))
	s.gives -= n
	return n, nil
}

func (s *stuck) ReadAt(p []byte, _ int64) (int, error) { return s.Read(p) }

const day = 24 * time.Hour

// A source that hangs holds nothing up: the call ends with its context, whether
// the first byte or one in the middle is waited for. After that the source is
// let alone.
func TestBlockedSourcesDoNotHoldTheCall(t *testing.T) {
	t.Parallel()
	for _, before := range []int{0, 5, 20_000} {
		for name, audio := range map[string]func(*stuck) ambient.Audio{
			"reader":    func(s *stuck) ambient.Audio { return ambient.AudioReader("visit.mp3", s) },
			"reader at": func(s *stuck) ambient.Audio { return ambient.AudioReaderAt("visit.mp3", s, 40_000) },
		} {
			t.Run(name+" that gives "+strconv.Itoa(before), func(t *testing.T) {
				harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
					cause := errors.New("shutting down")
					ctx, cancel := context.WithTimeoutCause(t.Context(), 20*time.Second, cause)
					defer cancel()
					start := time.Now()
					source := &stuck{gives: before}
					_, err := harness.SubmitOf(ctx, harness.NewClient(t, srv), audio(source))
					assert.ErrorIs(t, err, context.DeadlineExceeded)
					assert.ErrorIs(t, err, cause)
					assert.False(t, ambient.MaybeSubmitted(err))
					assert.Equal(t, 20*time.Second, time.Since(start))
					time.Sleep(2 * day)
					synctest.Wait()
					assert.Equal(t, 1, source.hung, "the Read that was under way, and no further one")
				})
			})
		}
	}
}
