package ambient_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
)

// A reader is sent once. A refusal that came before any of it was read, for
// which Expect: 100-continue sees to, costs nothing and is repeated.
func TestAReaderIsRepeatedOnlyUnread(t *testing.T) {
	t.Parallel()
	content := pattern(20_000)
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
			inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				plan(srv, c.fault)
				var info ambient.CallInfo
				_, err := submitOf(t.Context(), newClient(t, srv), ambient.AudioReader("visit.mp3", bytes.NewBuffer(bytes.Clone(content))), ambient.WithCallInfo(&info))
				arrived := srv.RequestsTo(submitRoute)
				assert.Equal(t, "100-continue", arrived[0].Header.Get("Expect"))
				if c.again {
					require.NoError(t, err)
					require.Len(t, arrived, 2)
					assert.Zero(t, info.Attempts[0].BytesSent)
					assert.Equal(t, digest(content), arrived[1].Files[0].SHA256)
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
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		plan(srv, ambienttest.Fault{Status: 417, Early: true})
		_, err := submitOf(t.Context(), newClient(t, srv), ambient.AudioReader("visit.mp3", bytes.NewReader(pattern(20_000))))
		require.NoError(t, err)
		assert.Empty(t, srv.RequestsTo(submitRoute)[1].Header.Get("Expect"))
	})
}

// The same reader in a second call would send what is left of it. It is refused,
// also after the first call failed, and also within one request.
func TestAReaderIsUsedOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := newClient(t, srv)
		plan(srv, ambienttest.Answer(400))
		audio := ambient.AudioReader("visit.mp3", bytes.NewReader(pattern(20_000)))
		_, err := submitOf(t.Context(), client, audio)
		var refused *ambient.BadRequestError
		require.ErrorAs(t, err, &refused)
		var bad *ambient.RequestError
		_, err = submitOf(t.Context(), client, audio.WithUploadName("other.mp3"))
		require.ErrorAs(t, err, &bad)
		assert.ErrorContains(t, err, "give a new AudioReader to each call")
		twice := ambient.AudioReader("visit.mp3", bytes.NewReader(pattern(20_000)))
		_, err = client.Scribes.Create(t.Context(), &ambient.ScribeRequest{TemplateIDs: []int64{7}, Audio: []ambient.Audio{twice, twice}})
		require.ErrorAs(t, err, &bad)
		assert.ErrorContains(t, err, "audio 2")
		srv.AssertCount(t, "POST /scribe", 0)
		srv.AssertCount(t, submitRoute, 1)
	})
}

// A request that is refused for something else has read nothing of it.
func TestARefusedRequestReadsNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client, r := newClient(t, srv), readerAt(pattern(20_000))
		_, err := client.Transcriptions.Submit(t.Context(), &ambient.TranscriptionRequest{Audio: ambient.AudioReader("visit.mp3", r), AdditionalContext: "no object"})
		assert.True(t, isA[*ambient.RequestError](err), "%v", err)
		_, err = client.Scribes.Create(t.Context(), &ambient.ScribeRequest{TemplateIDs: []int64{7}, Audio: []ambient.Audio{ambient.AudioReader("visit.mp3", r)}, Transcripts: []string{""}})
		assert.True(t, isA[*ambient.RequestError](err), "%v", err)
		_, err = submitOf(t.Context(), client, ambient.AudioReader("visit.mp3", r))
		require.NoError(t, err)
		assert.Equal(t, digest(pattern(20_000)), srv.RequestsTo(submitRoute)[0].Files[0].SHA256)
	})
}

// A reader that fails is an AudioError with the place where it did; one that
// does not keep to its Len is, too.
func TestReadersThatFail(t *testing.T) {
	t.Parallel()
	errReader := errors.New("tape torn: " + secret)
	content := pattern(20_000)
	for _, c := range []struct {
		name   string
		reader io.Reader
		offset int64
		cause  error
	}{
		{"fails", io.MultiReader(bytes.NewReader(content), broken{errReader}), 20_000, errReader},
		{"is short", sized{bytes.NewReader(content), 30_000}, 20_000, nil},
		{"is long", sized{bytes.NewReader(content), 15_000}, 15_000, nil},
		{"stops giving", io.MultiReader(bytes.NewReader(content), idle{}), 20_000, io.ErrNoProgress},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				_, err := submitOf(t.Context(), newClient(t, srv), ambient.AudioReader(secret, c.reader))
				var broken *ambient.AudioError
				require.ErrorAs(t, err, &broken)
				assert.Equal(t, c.offset, broken.Offset)
				if c.cause != nil {
					assert.ErrorIs(t, err, c.cause)
				}
				tellsNothing(t, err)
				synctest.Wait()
				arrived := srv.RequestsTo(submitRoute)
				require.Len(t, arrived, 1)
				assert.False(t, arrived[0].Complete)
			})
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
	n := copy(p[:min(s.gives, len(p))], pattern(max(s.gives, 4)))
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
				inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
					cause := errors.New("shutting down")
					ctx, cancel := context.WithTimeoutCause(t.Context(), 20*time.Second, cause)
					defer cancel()
					start := time.Now()
					source := &stuck{gives: before}
					_, err := submitOf(ctx, newClient(t, srv), audio(source))
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
