package conformance_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
	"github.com/ambient-scribe/ambient-go/internal/conformance/harness"
)

var dateOfService = time.Date(2025, 11, 6, 14, 5, 0, 0, time.UTC)

// patientContext is one way to write AdditionalContext.
type patientContext struct {
	Age    int    `json:"age"`
	Gender string `json:"gender"`
}

// everyCall makes each call of the API with every field it has, and once with
// none that is optional.
func everyCall(t testing.TB, client *ambient.Client) {
	ctx := context.Background()
	mp3 := ambient.AudioBytes("Alex Example.mp3", []byte("ID3 synthetic mp3"))
	wav := ambient.AudioBytes("visits/Alex Example.wav", []byte("RIFF....WAVEsynthetic wav"))

	sub, err := client.Transcriptions.Submit(ctx, &ambient.TranscriptionRequest{
		Audio: mp3, PatientName: "Alex Exämple", DateOfService: dateOfService, AdditionalContext: patientContext{44, "female"},
	})
	require.NoError(t, err)
	_, err = client.Transcriptions.Get(ctx, sub.ID)
	require.NoError(t, err)
	_, err = client.Transcriptions.Submit(ctx, &ambient.TranscriptionRequest{Audio: mp3})
	require.NoError(t, err)

	note, err := client.Scribes.Create(ctx, &ambient.ScribeRequest{
		TemplateIDs: []int64{234234, 7}, Audio: []ambient.Audio{mp3, wav}, Transcripts: []string{"Doctor: hello.\nPatient: hello.", "the second"},
		PatientName: "Alex Exämple", DateOfService: dateOfService.In(time.FixedZone("", -5*3600)), AdditionalContext: map[string]any{"age": 44},
	})
	require.NoError(t, err)
	_, err = client.Scribes.Create(ctx, &ambient.ScribeRequest{TemplateIDs: []int64{7}, Transcripts: []string{"only this"}})
	require.NoError(t, err)
	_, err = client.Scribes.RegenerateFromAudio(ctx, note.ID, []ambient.Audio{wav, mp3})
	require.NoError(t, err)
	_, err = client.Scribes.Get(ctx, note.ID)
	require.NoError(t, err)
}

// A wiretap writes down what arrives at a server, byte for byte but for what
// differs from run to run.
type wiretap struct {
	log bytes.Buffer
}

var (
	bearer  = regexp.MustCompile(`^Bearer \S+\.\S+\.\S+$`)
	product = regexp.MustCompile(`^ambient-go/\S+ \(go\S+\)$`)
)

func (w *wiretap) tap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		_, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))

		fmt.Fprintf(&w.log, ">>> %s %s\n", r.Method, r.URL)
		for _, name := range slices.Sorted(maps.Keys(r.Header)) {
			value := strings.Join(r.Header[name], " | ")
			value = bearer.ReplaceAllString(value, "Bearer TOKEN")
			value = product.ReplaceAllString(value, "ambient-go/VERSION (GO)")
			fmt.Fprintf(&w.log, "%s: %s\n", name, mark(value, params["boundary"]))
		}
		fmt.Fprintf(&w.log, "\n%s\n", mark(strings.ReplaceAll(string(body), "\r\n", "\n"), params["boundary"]))
		next.ServeHTTP(rw, r)
	})
}

func mark(s, boundary string) string {
	if boundary == "" {
		return s
	}
	return strings.ReplaceAll(s, boundary, "BOUNDARY")
}

// The golden file has every byte that every call sends. Run with -update after a change
// that is meant, and compare with the API's pages.
func TestWireIsGolden(t *testing.T) {
	var w wiretap
	fake := ambienttest.StartInMemory(t)
	srv := httptest.NewServer(w.tap(fake.Handler()))
	defer srv.Close()
	client, err := ambient.NewClient(ambient.WithBaseURL(srv.URL+ambienttest.BasePath), ambient.WithCredentials(fake.Username, fake.Password))
	require.NoError(t, err)
	everyCall(t, client)
	client.CloseIdleConnections()

	const golden = "testdata/wire.golden"
	if *harness.Update {
		require.NoError(t, os.WriteFile(golden, w.log.Bytes(), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	assert.Equal(t, string(want), w.log.String())
}

// The server reads from the same requests what the API documents, and nothing else.
func TestWireIsWhatTheAPIDocuments(t *testing.T) {
	t.Parallel()
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		everyCall(t, harness.NewClient(t, srv))
		type (
			field  struct{ name, value string }
			fields = []field
			file   struct{ field, name, contentType string }
		)
		requests := srv.Requests()
		for i, want := range []struct {
			route, path string
			fields      fields
			files       []file
		}{
			{"POST /auth/token", "/auth/token", fields{{"password", srv.Password}, {"username", srv.Username}}, nil},
			{"POST /transcribe", "/transcribe", fields{
				{"patient_name", "Alex Exämple"}, {"date_of_service", "2025-11-06T14:05:00Z"}, {"additional_context", `{"age":44,"gender":"female"}`},
			}, []file{{"audio_file", "audio-1.mp3", "audio/mpeg"}}},
			{"GET /transcribe/{id}", "/transcribe/101", nil, nil},
			{"POST /transcribe", "/transcribe", nil, []file{{"audio_file", "audio-1.mp3", "audio/mpeg"}}},
			{"POST /scribe", "/scribe", fields{
				{"template_ids", "234234"}, {"template_ids", "7"}, {"transcripts", "Doctor: hello.\nPatient: hello."}, {"transcripts", "the second"},
				{"patient_name", "Alex Exämple"}, {"date_of_service", "2025-11-06T09:05:00-05:00"}, {"additional_context", `{"age":44}`},
			}, []file{{"audio_files", "audio-1.mp3", "audio/mpeg"}, {"audio_files", "audio-2.wav", "audio/wav"}}},
			{"POST /scribe", "/scribe", fields{{"template_ids", "7"}, {"transcripts", "only this"}}, nil},
			{"POST /scribe/{id}/regenerate/audio", "/scribe/103/regenerate/audio", nil, []file{{"audio_files", "audio-1.wav", "audio/wav"}, {"audio_files", "audio-2.mp3", "audio/mpeg"}}},
			{"GET /scribe/{id}", "/scribe/103", nil, nil},
		} {
			require.Less(t, i, len(requests))
			got := requests[i]
			assert.Equal(t, want.route, got.Route)
			assert.Equal(t, ambienttest.BasePath+want.path, got.Path)
			var values fields
			for _, f := range got.Fields {
				values = append(values, field{f.Name, f.Value})
			}
			assert.Equal(t, want.fields, values, want.route)
			var files []file
			for _, f := range got.Files {
				files = append(files, file{f.Field, f.Filename, f.ContentType})
			}
			assert.Equal(t, want.files, files, want.route)
			assert.True(t, got.Complete)
			assert.Less(t, got.Status, 300)
			authorization := got.Header["Authorization"]
			if want.route == "POST /auth/token" {
				assert.Empty(t, authorization)
				assert.Equal(t, "application/x-www-form-urlencoded", got.Header.Get("Content-Type"))
			} else {
				require.Len(t, authorization, 1)
				assert.Regexp(t, bearer, authorization[0])
			}
		}
		assert.Len(t, requests, 8)
	})
}
