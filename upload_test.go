package ambient_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
	"github.com/ambient-scribe/ambient-go/internal/conformance/harness"
)

// ways lists all kinds of audio of the same content.
func ways(t testing.TB, content []byte) map[string]ambient.Audio {
	const name = "visit.mp3"
	path := harness.TempFile(t, content)
	size := int64(len(content))
	return map[string]ambient.Audio{
		"file":                   ambient.AudioFile(path),
		"relative file":          ambient.AudioFS(os.DirFS(strings.TrimSuffix(path, name)), name),
		"fs.FS":                  ambient.AudioFS(fstest.MapFS{"a/" + name: {Data: content}}, "a/"+name),
		"bytes":                  ambient.AudioBytes(name, content),
		"io.ReaderAt":            ambient.AudioReaderAt(name, bytes.NewReader(content), size),
		"start of a io.ReaderAt": ambient.AudioReaderAt(name, bytes.NewReader(append(bytes.Clone(content), "more"...)), size),
		"io.Reader":              ambient.AudioReader(name, harness.ReaderAt(content)),
		"io.Reader with Len":     ambient.AudioReader(name, bytes.NewBuffer(bytes.Clone(content))),
		"io.Reader, short reads": ambient.AudioReader(name, iotest.HalfReader(bytes.NewReader(content))),
		"io.Reader, early end":   ambient.AudioReader(name, iotest.DataErrReader(bytes.NewReader(content))),
	}
}

// Whatever the audio comes from, it arrives byte for byte and as long as the
// Content-Length says. Only a reader that does not know its length is sent in
// chunks.
func TestEverySourceArrivesWhole(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 11, 12, 13, 70_000} {
		content := harness.Pattern(max(size, 4))[:size]
		for name, audio := range ways(t, content) {
			t.Run(name+" of "+strconv.Itoa(size), func(t *testing.T) {
				harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
					sub, err := harness.SubmitOf(t.Context(), harness.NewClient(t, srv), audio)
					require.NoError(t, err)
					r := srv.RequestsTo(harness.SubmitRoute)[0]
					assert.True(t, r.Complete)
					assert.Equal(t, harness.Digest(content), r.Files[0].SHA256)
					assert.EqualValues(t, size, r.Files[0].Size)
					assert.Equal(t, r.BodySize, sub.Call.Attempts[0].BytesSent)
					if strings.HasPrefix(name, "io.Reader") && name != "io.Reader with Len" && name != "io.ReaderAt" {
						assert.Empty(t, r.Header.Get("Content-Length"))
						return
					}
					assert.Equal(t, strconv.FormatInt(r.BodySize, 10), r.Header.Get("Content-Length"))
				})
			})
		}
	}
}

// All kinds in one request, in the order given, with transcripts of any text.
func TestManyPartsInOneRequest(t *testing.T) {
	t.Parallel()
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv)
		var audio []ambient.Audio
		var want []string
		for i := range 3 {
			content := harness.Pattern(10_000 + i)
			for _, a := range ways(t, content) {
				audio = append(audio, a)
				want = append(want, harness.Digest(content))
			}
		}
		transcripts := []string{"one", "--boundary\r\n\r\n--\r\n", strings.Repeat("long ", 20_000), "Ünï\x00cödé\n", "one"}
		sub, err := client.Scribes.Create(t.Context(), &ambient.ScribeRequest{TemplateIDs: []int64{1, 2, 1}, Audio: audio, Transcripts: transcripts})
		require.NoError(t, err)
		_, err = client.Scribes.RegenerateFromAudio(t.Context(), sub.ID, []ambient.Audio{harness.Visit(), ambient.AudioBytes("", harness.Pattern(77))})
		require.NoError(t, err)

		r := srv.RequestsTo("POST /scribe")[0]
		assert.Equal(t, transcripts, r.Values("transcripts"))
		assert.Equal(t, []string{"1", "2", "1"}, r.Values("template_ids"))
		var got []string
		for i, f := range r.Files {
			got = append(got, f.SHA256)
			assert.Equal(t, "audio-"+strconv.Itoa(i+1)+".mp3", f.Filename)
		}
		assert.Equal(t, want, got)
		assert.Len(t, srv.RequestsTo("POST /scribe/{id}/regenerate/audio")[0].Files, 2)
	})
}

// Bytes that are no UTF-8 would reach the service as U+FFFD, or be refused by it when the
// recording has been uploaded. They are found first, wherever they are.
func TestTextThatIsNoUTF8(t *testing.T) {
	t.Parallel()
	const bad = "J\xe9r\xf4me" // ISO 8859-1
	type visitor struct {
		Notes []map[string]any `json:"notes"`
		Sent  string           `json:"-"`
	}
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv)
		refused := func(field string, err error) {
			t.Helper()
			request, ok := errors.AsType[*ambient.RequestError](err)
			require.True(t, ok, "%v", err)
			assert.Equal(t, field, request.Field)
			assert.NotContains(t, fmt.Sprintf("%+v %#v", err, err), "\xe9r")
			assert.NotContains(t, err.Error(), "\xe9r")
			assert.False(t, ambient.MaybeSubmitted(err))
		}
		for name, r := range map[string]*ambient.TranscriptionRequest{
			"patient_name": {Audio: harness.Visit(), PatientName: bad},
			"audio_file":   {Audio: harness.Visit().WithUploadName(bad + ".mp3")},
		} {
			_, err := client.Transcriptions.Submit(t.Context(), r)
			refused(name, err)
		}
		_, err := client.Scribes.Create(t.Context(), &ambient.ScribeRequest{TemplateIDs: []int64{7}, Transcripts: []string{"hello", bad}})
		refused("transcripts", err)
		for _, v := range []any{
			map[string]any{"name": bad}, map[string]string{bad: "x"}, map[string]any{"a": []any{1, map[string]any{"b": []string{bad}}}},
			visitor{Notes: []map[string]any{{"a": bad}}}, &visitor{Notes: []map[string]any{{"a\\": bad}}}, json.RawMessage(`{"a":"` + bad + `"}`),
			map[string]any{"a": "\xed\xa0\x80"}, map[string]any{"a": "cut \xe5\xaf"},
		} {
			r := ambient.TranscriptionRequest{Audio: harness.Visit(), AdditionalContext: v}
			_, err := client.Transcriptions.Submit(t.Context(), &r)
			refused("additional_context", err)
			_, err = json.Marshal(r)
			refused("additional_context", err)
			refused("body", client.Do(t.Context(), "POST", "/transcribe", v, nil))
		}
		for _, queued := range []any{
			ambient.TranscriptionRequest{PatientName: bad}, ambient.ScribeRequest{PatientName: bad}, ambient.ScribeRequest{Transcripts: []string{bad}},
			ambient.TranscriptionRequest{Audio: ambient.AudioFile("/visits/" + bad)},
		} {
			_, err := json.Marshal(queued)
			_, ok := errors.AsType[*ambient.RequestError](err)
			assert.True(t, ok, "%v", err)
		}
		srv.AssertCount(t, "*", 0)

		// What is UTF-8 is sent as it is, be it U+FFFD, and so is what a Marshaler wrote.
		for _, v := range []any{
			map[string]any{"name": "Jérôme 密 \ufffd", `back\slash\ufffd`: `\ufffd`}, visitor{Sent: bad}, json.RawMessage(`{"name":"\ufffd"}`),
		} {
			_, err := client.Transcriptions.Submit(t.Context(), &ambient.TranscriptionRequest{Audio: harness.Visit(), PatientName: "Jérôme \ufffd", AdditionalContext: v})
			require.NoError(t, err)
		}
		assert.JSONEq(t, `{"name": "Jérôme 密 \ufffd", "back\\slash\\ufffd": "\\ufffd"}`, srv.RequestsTo(harness.SubmitRoute)[0].Value("additional_context"))
	})
}

// steps are what WithProgress told, without repetition.
type steps struct {
	sent, total []int64
}

func (s *steps) add(sent, total int64) {
	s.sent, s.total = append(s.sent, sent), append(s.total, total)
}

// drops counts how often the progress went back, and checks that it rose
// otherwise.
func (s *steps) drops(t testing.TB) (n int) {
	for i := 1; i < len(s.sent); i++ {
		assert.NotEqual(t, s.sent[i-1], s.sent[i])
		if s.sent[i] < s.sent[i-1] {
			n++
		}
	}
	return n
}

// Progress is the bytes of the current attempt: it rises to the total, and a
// repeated attempt shows as a drop.
func TestProgress(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		faults []ambienttest.Fault
		drops  int
	}{
		{"at once", nil, 0},
		{"after a 503", []ambienttest.Fault{ambienttest.Answer(503)}, 1},
		{"after two resets", []ambienttest.Fault{{Reset: ambienttest.ResetMidBody}, {Reset: ambienttest.ResetMidBody}}, 2},
		{"after a 429 that cost no body", []ambienttest.Fault{{Status: 429, Early: true}}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				harness.Plan(srv, c.faults...)
				var progress steps
				_, err := harness.SubmitOf(t.Context(), harness.NewClient(t, srv), ambient.AudioBytes("visit.mp3", harness.Pattern(expectFrom+1)), ambient.WithProgress(progress.add))
				require.NoError(t, err)
				arrived := srv.RequestsTo(harness.SubmitRoute)
				size := arrived[len(arrived)-1].BodySize
				assert.Equal(t, size, progress.sent[len(progress.sent)-1])
				assert.Equal(t, c.drops, progress.drops(t))
				assert.Greater(t, len(progress.sent), 20, "an upload can be watched")
				for _, total := range progress.total {
					assert.Equal(t, size, total)
				}
			})
		})
	}
}

func TestProgressOfUnknownLength(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		var progress steps
		_, err := harness.SubmitOf(t.Context(), harness.NewClient(t, srv), ambient.AudioReader("visit.mp3", harness.ReaderAt(harness.Pattern(50_000))), ambient.WithProgress(progress.add))
		require.NoError(t, err)
		assert.Equal(t, srv.RequestsTo(harness.SubmitRoute)[0].BodySize, progress.sent[len(progress.sent)-1])
		assert.EqualValues(t, -1, progress.total[0])
		assert.Zero(t, progress.drops(t))
	})
}

// expectFrom is the size up to which a body is sent without asking first.
const expectFrom = 1 << 20
