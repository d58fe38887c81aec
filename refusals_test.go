package ambient_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
)

// everyError walks the tree of an error.
func everyError(err error) func(func(error) bool) {
	var walk func(error, func(error) bool) bool
	walk = func(err error, yield func(error) bool) bool {
		if err == nil {
			return true
		}
		if !yield(err) {
			return false
		}
		if e, ok := err.(interface{ Unwrap() []error }); ok {
			for _, err := range e.Unwrap() {
				if !walk(err, yield) {
					return false
				}
			}
		}
		return walk(errors.Unwrap(err), yield)
	}
	return func(yield func(error) bool) { walk(err, yield) }
}

// badMarshaler fails and says of what.
type badMarshaler struct{}

func (badMarshaler) MarshalJSON() ([]byte, error) { return nil, errors.New("cannot marshal " + secret) }

// A request that cannot be right is a RequestError that names the field and
// what to do, and nothing of the request's content; the server sees nothing.
func TestBadRequests(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, secret+".mp3")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	fsys := fstest.MapFS{secret + ".wav": {}, "dir": {Mode: fs.ModeDir}}

	submit := func(a ambient.Audio) func(*ambient.Client) error {
		return func(c *ambient.Client) error {
			_, err := c.Transcriptions.Submit(t.Context(), &ambient.TranscriptionRequest{Audio: a, PatientName: secret})
			return err
		}
	}
	note := func(r *ambient.ScribeRequest) func(*ambient.Client) error {
		return func(c *ambient.Client) error {
			_, err := c.Scribes.Create(t.Context(), r)
			return err
		}
	}
	about := func(v any) func(*ambient.Client) error {
		return func(c *ambient.Client) error {
			_, err := c.Transcriptions.Submit(t.Context(), &ambient.TranscriptionRequest{Audio: visit(), AdditionalContext: v})
			return err
		}
	}
	used := ambient.AudioReader("visit.mp3", strings.NewReader("ID3 and more"))
	require.NoError(t, submitElsewhere(t, used))
	var nilNote *ambient.ScribeRequest

	type row struct {
		name           string
		call           func(*ambient.Client) error
		field, problem string
	}
	rows := []row{
		{"no request", func(c *ambient.Client) error { _, err := c.Transcriptions.Submit(t.Context(), nil); return err }, "request", "is nil"},
		{"no request to wait for", func(c *ambient.Client) error { _, err := c.Transcriptions.SubmitAndWait(t.Context(), nil); return err }, "request", "is nil"},
		{"no scribe request", note(nilNote), "request", "is nil"},
		{"no scribe request to wait for", func(c *ambient.Client) error { _, err := c.Scribes.CreateAndWait(t.Context(), nil); return err }, "request", "is nil"},

		{"no audio", submit(ambient.Audio{}), "audio_file", "use AudioFile"},
		{"no audio with a name", submit(ambient.Audio{}.WithUploadName(secret).WithContentType("audio/wav")), "audio_file", "use AudioFile"},
		{"missing file", submit(ambient.AudioFile(filepath.Join(dir, secret))), "audio_file", "no such file"},
		{"empty path", submit(ambient.AudioFile("")), "audio_file", "no such file"},
		{"empty file", submit(ambient.AudioFile(empty)), "audio_file", "is empty"},
		{"directory", submit(ambient.AudioFile(dir)), "audio_file", "use AudioReader"},
		{"missing file of an fs.FS", submit(ambient.AudioFS(fsys, secret)), "audio_file", "file does not exist"},
		{"bad name in an fs.FS", submit(ambient.AudioFS(os.DirFS(dir), "../"+secret)), "audio_file", "invalid"},
		{"empty file of an fs.FS", submit(ambient.AudioFS(fsys, secret+".wav")), "audio_file", "is empty"},
		{"directory of an fs.FS", submit(ambient.AudioFS(fsys, "dir")), "audio_file", "not a regular file"},
		{"nil fs.FS", submit(ambient.AudioFS(nil, secret)), "audio_file", "invalid"},
		{"empty bytes", submit(ambient.AudioBytes(secret, nil)), "audio_file", "is empty"},
		{"nil io.ReaderAt", submit(ambient.AudioReaderAt(secret, nil, 4)), "audio_file", "invalid"},
		{"empty io.ReaderAt", submit(ambient.AudioReaderAt(secret, strings.NewReader(""), 0)), "audio_file", "is empty"},
		{"negative size", submit(ambient.AudioReaderAt(secret, strings.NewReader("ID3"), -1)), "audio_file", "invalid"},
		{"nil io.Reader", submit(ambient.AudioReader(secret, nil)), "audio_file", "invalid"},
		{"empty io.Reader", submit(ambient.AudioReader(secret, strings.NewReader(""))), "audio_file", "is empty"},
		{"broken io.Reader", submit(ambient.AudioReader(secret, iotest.ErrReader(errors.New(secret)))), "audio_file", "cannot be read"},
		{"io.Reader that gives nothing", submit(ambient.AudioReader(secret, idle{})), "audio_file", "cannot be read"},
		{"io.Reader used before", submit(used), "audio_file", "give a new AudioReader to each call"},

		{"no templates", note(&ambient.ScribeRequest{Transcripts: []string{secret}}), "template_ids", "at least one"},
		{"template 0", note(&ambient.ScribeRequest{TemplateIDs: []int64{7, 0}, Transcripts: []string{secret}}), "template_ids", "1 or more"},
		{"neither audio nor transcripts", note(&ambient.ScribeRequest{TemplateIDs: []int64{7}, PatientName: secret}), "audio_files", "audio or transcripts"},
		{"empty transcript", note(&ambient.ScribeRequest{TemplateIDs: []int64{7}, Transcripts: []string{secret, ""}}), "transcripts", "transcript 2 is empty"},
		{"second audio is missing", note(&ambient.ScribeRequest{TemplateIDs: []int64{7}, Audio: []ambient.Audio{visit(), {}}}), "audio_files", "audio 2"},
		{"regenerate from nothing", func(c *ambient.Client) error {
			_, err := c.Scribes.RegenerateFromAudio(t.Context(), 5, nil)
			return err
		}, "audio_files", "at least one"},
		{"regenerate without an id", func(c *ambient.Client) error {
			_, err := c.Scribes.RegenerateFromAudio(t.Context(), 0, []ambient.Audio{visit()})
			return err
		}, "scribe_id", "1 or more"},

		{"context is a string", about(`{"age": 44}` + secret), "additional_context", "JSON object"},
		{"context is bytes", about([]byte(`{"age": 44}`)), "additional_context", "JSON object"},
		{"context is a list", about([]string{secret}), "additional_context", "JSON object"},
		{"context is a raw list", about(json.RawMessage(`["` + secret + `"]`)), "additional_context", "JSON object"},
		{"context is no JSON", about(json.RawMessage(`{'age': '` + secret + `'}`)), "additional_context", "cannot be marshalled"},
		{"context is a number", about(44), "additional_context", "JSON object"},
		{"context is a nil map", about(map[string]any(nil)), "additional_context", "JSON object"},
		{"context is a channel", about(make(chan int)), "additional_context", "cannot be marshalled"},
		{"context has a function", about(map[string]any{secret: func() {}}), "additional_context", "cannot be marshalled"},
		{"context does not marshal", about(badMarshaler{}), "additional_context", "cannot be marshalled"},
		{"date beyond RFC 3339", func(c *ambient.Client) error {
			_, err := c.Transcriptions.Submit(t.Context(), &ambient.TranscriptionRequest{Audio: visit(), DateOfService: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)})
			return err
		}, "date_of_service", "RFC 3339"},
		{"two things are wrong: the first", func(c *ambient.Client) error {
			_, err := c.Transcriptions.Submit(t.Context(), &ambient.TranscriptionRequest{AdditionalContext: secret})
			return err
		}, "additional_context", "JSON object"},
	}
	for _, id := range []int64{0, -1} {
		rows = append(rows,
			row{"transcription id", func(c *ambient.Client) error { _, err := c.Transcriptions.Get(t.Context(), id); return err }, "transcription_id", "1 or more"},
			row{"scribe id", func(c *ambient.Client) error { _, err := c.Scribes.Get(t.Context(), id); return err }, "scribe_id", "1 or more"},
			row{"transcription to wait for", func(c *ambient.Client) error { _, err := c.Transcriptions.Wait(t.Context(), id); return err }, "transcription_id", "1 or more"},
			row{"scribe to wait for", func(c *ambient.Client) error { _, err := c.Scribes.Wait(t.Context(), id); return err }, "scribe_id", "1 or more"},
		)
	}

	srv := ambienttest.StartInMemory(t)
	client := newClient(t, srv)
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			err := r.call(client)
			var bad *ambient.RequestError
			require.ErrorAs(t, err, &bad)
			assert.Equal(t, r.field, bad.Field)
			assert.Contains(t, bad.Problem, r.problem)
			assert.Contains(t, err.Error(), r.field)
			assert.False(t, ambient.Retryable(err))
			tellsNothing(t, err)
		})
	}
	srv.AssertCount(t, "*", 0)
}

// idle is a reader that is broken in a way of its own.
type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

// submitElsewhere sends audio to a server of its own.
func submitElsewhere(t testing.TB, a ambient.Audio) error {
	srv := ambienttest.StartInMemory(t)
	_, err := newClient(t, srv).Transcriptions.Submit(t.Context(), &ambient.TranscriptionRequest{Audio: a})
	return err
}

// The causes of a RequestError can be told apart by errors.Is.
func TestBadAudioHasItsCause(t *testing.T) {
	client := newClient(t, ambienttest.StartInMemory(t))
	for want, audio := range map[error]ambient.Audio{
		fs.ErrNotExist:   ambient.AudioFile(filepath.Join(t.TempDir(), secret)),
		fs.ErrInvalid:    ambient.AudioFS(os.DirFS(t.TempDir()), "/"+secret),
		io.ErrNoProgress: ambient.AudioReader("visit.mp3", idle{}),
	} {
		_, err := client.Transcriptions.Submit(context.Background(), &ambient.TranscriptionRequest{Audio: audio})
		assert.ErrorIs(t, err, want)
	}
}

// Nil options are skipped: callers build them with conditions.
func TestNilCallOptions(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := newClient(t, srv)
		_, err := client.Transcriptions.Submit(t.Context(), &ambient.TranscriptionRequest{Audio: visit()}, nil)
		assert.NoError(t, err)
		_, err = client.Transcriptions.SubmitAndWait(t.Context(), &ambient.TranscriptionRequest{Audio: visit()}, nil, ambient.WithOnPoll(nil), ambient.WithCallInfo(nil), ambient.WithProgress(nil))
		assert.NoError(t, err)
	})
}

// NewClient names the option and the remedy, and neither prints what it was
// given nor reaches anything.
func TestBadClients(t *testing.T) {
	good := []ambient.Option{ambient.WithCredentials("user", "password"), ambient.WithBaseURL("https://api.example.com/v1")}
	for _, c := range []struct {
		name           string
		option         ambient.Option
		field, problem string
	}{
		{"plain http", ambient.WithBaseURL("http://" + secret + ".example.com/v1"), "WithBaseURL", "https://"},
		{"plain http to what looks like loopback", ambient.WithBaseURL("http://localhost.example.com"), "WithBaseURL", "https://"},
		{"plain http past a loopback user", ambient.WithBaseURL("http://localhost:80@example.com"), "WithBaseURL", "https://"},
		{"another scheme", ambient.WithBaseURL("ftp://127.0.0.1"), "WithBaseURL", "https://"},
		{"user and password", ambient.WithBaseURL("https://" + secret + ":" + secret + "@api.example.com"), "WithBaseURL", "no user name"},
		{"a query", ambient.WithBaseURL("https://api.example.com?key=" + secret), "WithBaseURL", "query"},
		{"a fragment", ambient.WithBaseURL("https://api.example.com#" + secret), "WithBaseURL", "fragment"},
		{"no scheme", ambient.WithBaseURL("api.example.com/" + secret), "WithBaseURL", "absolute URL"},
		{"no URL", ambient.WithBaseURL("https://%zz" + secret), "WithBaseURL", "absolute URL"},
		{"empty", ambient.WithBaseURL(""), "WithBaseURL", "absolute URL"},
		{"no user", ambient.WithCredentials("", secret), "WithCredentials", "both required"},
		{"no password", ambient.WithCredentials(secret, ""), "WithCredentials", "both required"},
		{"nil option", nil, "NewClient", "nil"},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, err := ambient.NewClient(append(good, c.option)...)
			assert.Nil(t, client)
			var bad *ambient.RequestError
			require.ErrorAs(t, err, &bad)
			assert.Equal(t, c.field, bad.Field)
			assert.Contains(t, bad.Problem, c.problem)
			tellsNothing(t, err)
		})
	}
}

func TestMissingCredentials(t *testing.T) {
	for _, env := range [][2]string{{"", ""}, {secret, ""}, {"", secret}} {
		t.Setenv("AMBIENT_USERNAME", env[0])
		t.Setenv("AMBIENT_PASSWORD", env[1])
		t.Setenv("AMBIENT_BASE_URL", "http://"+secret+".example.com")
		_, err := ambient.NewClient()
		require.Error(t, err)
		assert.ErrorContains(t, err, "WithCredentials")
		assert.ErrorContains(t, err, "AMBIENT_PASSWORD")
		assert.ErrorContains(t, err, "AMBIENT_BASE_URL", "both errors are told")
		tellsNothing(t, err)
	}
}
