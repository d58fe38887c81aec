package conformance_test

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
	"github.com/ambient-scribe/ambient-go/internal/conformance/harness"
)

// A request that cannot be valid is a RequestError. It names the field and the remedy,
// and shows nothing of the content. The server gets no request.
func TestBadRequests(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, harness.Secret+".mp3")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	fsys := fstest.MapFS{harness.Secret + ".wav": {}, "dir": {Mode: fs.ModeDir}}

	submit := func(a ambient.Audio) func(*ambient.Client) error {
		return func(c *ambient.Client) error {
			_, err := c.Transcriptions.Submit(t.Context(), &ambient.TranscriptionRequest{Audio: a, PatientName: harness.Secret})
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
			_, err := c.Transcriptions.Submit(t.Context(), &ambient.TranscriptionRequest{Audio: harness.Visit(), AdditionalContext: v})
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
		{"no audio with a name", submit(ambient.Audio{}.WithUploadName(harness.Secret).WithContentType("audio/wav")), "audio_file", "use AudioFile"},
		{"missing file", submit(ambient.AudioFile(filepath.Join(dir, harness.Secret))), "audio_file", "no such file"},
		{"empty path", submit(ambient.AudioFile("")), "audio_file", "no such file"},
		{"empty file", submit(ambient.AudioFile(empty)), "audio_file", "is empty"},
		{"directory", submit(ambient.AudioFile(dir)), "audio_file", "use AudioReader"},
		{"missing file of an fs.FS", submit(ambient.AudioFS(fsys, harness.Secret)), "audio_file", "file does not exist"},
		{"bad name in an fs.FS", submit(ambient.AudioFS(os.DirFS(dir), "../"+harness.Secret)), "audio_file", "invalid"},
		{"empty file of an fs.FS", submit(ambient.AudioFS(fsys, harness.Secret+".wav")), "audio_file", "is empty"},
		{"directory of an fs.FS", submit(ambient.AudioFS(fsys, "dir")), "audio_file", "not a regular file"},
		{"nil fs.FS", submit(ambient.AudioFS(nil, harness.Secret)), "audio_file", "invalid"},
		{"empty bytes", submit(ambient.AudioBytes(harness.Secret, nil)), "audio_file", "is empty"},
		{"nil io.ReaderAt", submit(ambient.AudioReaderAt(harness.Secret, nil, 4)), "audio_file", "invalid"},
		{"empty io.ReaderAt", submit(ambient.AudioReaderAt(harness.Secret, strings.NewReader(""), 0)), "audio_file", "is empty"},
		{"negative size", submit(ambient.AudioReaderAt(harness.Secret, strings.NewReader("ID3"), -1)), "audio_file", "invalid"},
		{"nil io.Reader", submit(ambient.AudioReader(harness.Secret, nil)), "audio_file", "invalid"},
		{"empty io.Reader", submit(ambient.AudioReader(harness.Secret, strings.NewReader(""))), "audio_file", "is empty"},
		{"broken io.Reader", submit(ambient.AudioReader(harness.Secret, iotest.ErrReader(errors.New(harness.Secret)))), "audio_file", "cannot be read"},
		{"io.Reader that gives nothing", submit(ambient.AudioReader(harness.Secret, harness.Idle{})), "audio_file", "cannot be read"},
		{"io.Reader used before", submit(used), "audio_file", "give a new AudioReader to each call"},

		{"no templates", note(&ambient.ScribeRequest{Transcripts: []string{harness.Secret}}), "template_ids", "at least one"},
		{"template 0", note(&ambient.ScribeRequest{TemplateIDs: []int64{7, 0}, Transcripts: []string{harness.Secret}}), "template_ids", "1 or more"},
		{"neither audio nor transcripts", note(&ambient.ScribeRequest{TemplateIDs: []int64{7}, PatientName: harness.Secret}), "audio_files", "audio or transcripts"},
		{"empty transcript", note(&ambient.ScribeRequest{TemplateIDs: []int64{7}, Transcripts: []string{harness.Secret, ""}}), "transcripts", "transcript 2 is empty"},
		{"second audio is missing", note(&ambient.ScribeRequest{TemplateIDs: []int64{7}, Audio: []ambient.Audio{harness.Visit(), {}}}), "audio_files", "audio 2"},
		{"regenerate from nothing", func(c *ambient.Client) error {
			_, err := c.Scribes.RegenerateFromAudio(t.Context(), 5, nil)
			return err
		}, "audio_files", "at least one"},
		{"regenerate without an id", func(c *ambient.Client) error {
			_, err := c.Scribes.RegenerateFromAudio(t.Context(), 0, []ambient.Audio{harness.Visit()})
			return err
		}, "scribe_id", "1 or more"},

		{"context is a string", about(`{"age": 44}` + harness.Secret), "additional_context", "JSON object"},
		{"context is bytes", about([]byte(`{"age": 44}`)), "additional_context", "JSON object"},
		{"context is a list", about([]string{harness.Secret}), "additional_context", "JSON object"},
		{"context is a raw list", about(json.RawMessage(`["` + harness.Secret + `"]`)), "additional_context", "JSON object"},
		{"context is no JSON", about(json.RawMessage(`{'age': '` + harness.Secret + `'}`)), "additional_context", "cannot be marshalled"},
		{"context is a number", about(44), "additional_context", "JSON object"},
		{"context is a nil map", about(map[string]any(nil)), "additional_context", "JSON object"},
		{"context is a channel", about(make(chan int)), "additional_context", "cannot be marshalled"},
		{"context has a function", about(map[string]any{harness.Secret: func() {}}), "additional_context", "cannot be marshalled"},
		{"context does not marshal", about(harness.BadMarshaler{}), "additional_context", "cannot be marshalled"},
		{"date beyond RFC 3339", func(c *ambient.Client) error {
			_, err := c.Transcriptions.Submit(t.Context(), &ambient.TranscriptionRequest{Audio: harness.Visit(), DateOfService: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)})
			return err
		}, "date_of_service", "RFC 3339"},
		{"two things are wrong: the first", func(c *ambient.Client) error {
			_, err := c.Transcriptions.Submit(t.Context(), &ambient.TranscriptionRequest{AdditionalContext: harness.Secret})
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
	client := harness.NewClient(t, srv)
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			err := r.call(client)
			var bad *ambient.RequestError
			require.ErrorAs(t, err, &bad)
			assert.Equal(t, r.field, bad.Field)
			assert.Contains(t, bad.Problem, r.problem)
			assert.Contains(t, err.Error(), r.field)
			assert.False(t, ambient.Retryable(err))
			harness.TellsNothing(t, err)
		})
	}
	srv.AssertCount(t, harness.SubmitRoute, 0)
	srv.AssertCount(t, "POST /scribe", 0)
}

// submitElsewhere sends audio to a new server.
func submitElsewhere(t testing.TB, a ambient.Audio) error {
	srv := ambienttest.StartInMemory(t)
	_, err := harness.NewClient(t, srv).Transcriptions.Submit(t.Context(), &ambient.TranscriptionRequest{Audio: a})
	return err
}

// The causes of a RequestError can be told apart by errors.Is.
func TestBadAudioHasItsCause(t *testing.T) {
	client := harness.NewClient(t, ambienttest.StartInMemory(t))
	for want, audio := range map[error]ambient.Audio{
		fs.ErrNotExist:   ambient.AudioFile(filepath.Join(t.TempDir(), harness.Secret)),
		fs.ErrInvalid:    ambient.AudioFS(os.DirFS(t.TempDir()), "/"+harness.Secret),
		io.ErrNoProgress: ambient.AudioReader("visit.mp3", harness.Idle{}),
	} {
		_, err := client.Transcriptions.Submit(context.Background(), &ambient.TranscriptionRequest{Audio: audio})
		assert.ErrorIs(t, err, want)
	}
}

// Nil options are skipped, since callers build lists of options with conditions.
func TestNilCallOptions(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv)
		_, err := client.Transcriptions.Submit(t.Context(), &ambient.TranscriptionRequest{Audio: harness.Visit()}, nil)
		assert.NoError(t, err)
		_, err = client.Transcriptions.SubmitAndWait(t.Context(), &ambient.TranscriptionRequest{Audio: harness.Visit()}, nil, ambient.WithOnPoll(nil), ambient.WithCallInfo(nil), ambient.WithProgress(nil))
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
		{"plain http", ambient.WithBaseURL("http://" + harness.Secret + ".example.com/v1"), "WithBaseURL", "https://"},
		{"plain http to what looks like loopback", ambient.WithBaseURL("http://localhost.example.com"), "WithBaseURL", "https://"},
		{"plain http past a loopback user", ambient.WithBaseURL("http://localhost:80@example.com"), "WithBaseURL", "https://"},
		{"another scheme", ambient.WithBaseURL("ftp://127.0.0.1"), "WithBaseURL", "https://"},
		{"user and password", ambient.WithBaseURL("https://" + harness.Secret + ":" + harness.Secret + "@api.example.com"), "WithBaseURL", "no user name"},
		{"a query", ambient.WithBaseURL("https://api.example.com?key=" + harness.Secret), "WithBaseURL", "query"},
		{"a fragment", ambient.WithBaseURL("https://api.example.com#" + harness.Secret), "WithBaseURL", "fragment"},
		{"no scheme", ambient.WithBaseURL("api.example.com/" + harness.Secret), "WithBaseURL", "absolute URL"},
		{"no URL", ambient.WithBaseURL("https://%zz" + harness.Secret), "WithBaseURL", "absolute URL"},
		{"empty", ambient.WithBaseURL(""), "WithBaseURL", "absolute URL"},
		{"no user", ambient.WithCredentials("", harness.Secret), "WithCredentials", "both required"},
		{"no password", ambient.WithCredentials(harness.Secret, ""), "WithCredentials", "both required"},
		{"nil option", nil, "NewClient", "nil"},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, err := ambient.NewClient(append(good, c.option)...)
			assert.Nil(t, client)
			var bad *ambient.RequestError
			require.ErrorAs(t, err, &bad)
			assert.Equal(t, c.field, bad.Field)
			assert.Contains(t, bad.Problem, c.problem)
			harness.TellsNothing(t, err)
		})
	}
}

func TestMissingCredentials(t *testing.T) {
	for _, env := range [][2]string{{"", ""}, {harness.Secret, ""}, {"", harness.Secret}} {
		t.Setenv("AMBIENT_USERNAME", env[0])
		t.Setenv("AMBIENT_PASSWORD", env[1])
		t.Setenv("AMBIENT_BASE_URL", "http://"+harness.Secret+".example.com")
		_, err := ambient.NewClient()
		require.Error(t, err)
		assert.ErrorContains(t, err, "WithCredentials")
		assert.ErrorContains(t, err, "AMBIENT_PASSWORD")
		assert.ErrorContains(t, err, "AMBIENT_BASE_URL", "both errors are told")
		harness.TellsNothing(t, err)
	}
}
