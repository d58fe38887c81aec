package ambient_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
	"github.com/ambient-scribe/ambient-go/internal/conformance/harness"
)

// answering returns a client of a server whose next answer has this body.
func answering(t *testing.T, srv *ambienttest.Server, status int, body string) *ambient.Client {
	t.Helper()
	srv.Fault("*", len(srv.Requests())+2, ambienttest.Fault{Status: status, Body: body})
	return harness.NewClient(t, srv)
}

const oddNote = `{ "soap" : {"plan":"a < b & c", "n": 1.50000000000000000001e+2 }, "é":"\u00e9" }`

// What this SDK does not know is kept byte for byte, on its own and within the
// whole answer.
func TestUnknownFieldsAreKept(t *testing.T) {
	type fields = map[string]json.RawMessage
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		body := `{"id": 7, "task_status": "STT_COMPLETED", "raw_text":"hello", "note" : ` + oddNote + `, "n": null, "twice": 1, "twice": [2 ] }`
		tr, err := answering(t, srv, 200, body).Transcriptions.Get(t.Context(), 7)
		require.NoError(t, err)
		assert.Equal(t, fields{"note": json.RawMessage(oddNote), "n": json.RawMessage("null"), "twice": json.RawMessage("[2 ]")}, tr.Extra)
		var whole json.RawMessage
		require.NoError(t, tr.Decode(&whole))
		assert.Equal(t, body, string(whole))
		var own struct {
			Text string `json:"raw_text"`
			Note struct {
				SOAP struct {
					Plan string
					N    json.Number
				}
			}
		}
		require.NoError(t, tr.Decode(&own))
		assert.Equal(t, "hello", own.Text)
		assert.Equal(t, "a < b & c", own.Note.SOAP.Plan)
		assert.EqualValues(t, "1.50000000000000000001e+2", own.Note.SOAP.N)
		assert.Error(t, tr.Decode(new([]int)))

		body = `{"scribe_id": 8, "status": "COMPLETED", "submitted_at": "2025-11-06T14:05:00Z", "id": 9, "note":` + oddNote + "}\n"
		scribe, err := answering(t, srv, 200, body).Scribes.Get(t.Context(), 8)
		require.NoError(t, err)
		assert.Equal(t, fields{"note": json.RawMessage(oddNote), "id": json.RawMessage("9")}, scribe.Extra)
		require.NoError(t, scribe.Decode(&own))
		assert.Equal(t, "a < b & c", own.Note.SOAP.Plan)
	})
}

// The answer of GET /scribe is not published, so no id may be in it.
func TestScribeWithoutAnID(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		scribe, err := answering(t, srv, 200, `{"status":"COMPLETED","note":{}}`).Scribes.Get(t.Context(), 8)
		require.NoError(t, err)
		assert.EqualValues(t, 8, scribe.ID)
	})
}

// A null in a queue is no result, and no error.
func TestNullIsNoResult(t *testing.T) {
	var stored struct {
		T ambient.Transcription
		S ambient.Scribe
	}
	require.NoError(t, json.Unmarshal([]byte(`{"T": null, "S": null}`), &stored))
	assert.Zero(t, stored.T.ID+stored.S.ID)
}

// A number of an id's length goes through a queue unchanged, which float64 would not
// let it.
func TestRequestsKeepTheirNumbers(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		queued, err := json.Marshal(&ambient.TranscriptionRequest{Audio: harness.Visit(), AdditionalContext: map[string]any{"record": int64(9007199254740993)}})
		require.NoError(t, err)
		var r ambient.TranscriptionRequest
		require.NoError(t, json.Unmarshal(queued, &r))
		_, err = harness.NewClient(t, srv).Transcriptions.Submit(t.Context(), &r)
		require.NoError(t, err)
		assert.Equal(t, `{"record":9007199254740993}`, srv.RequestsTo(harness.SubmitRoute)[0].Value("additional_context"))
	})
}

// Optional fields that are null are absent; those of a type that was not
// expected are kept with the unknown ones, and cost no result.
func TestOddFields(t *testing.T) {
	at := time.Date(2025, 11, 6, 14, 5, 0, 0, time.UTC)
	parse := func(t *testing.T, field, value string) ambient.Transcription {
		var tr ambient.Transcription
		require.NoError(t, json.Unmarshal([]byte(`{"id":7,"task_status":"STT_PROCESSING","`+field+`":`+value+`}`), &tr))
		assert.EqualValues(t, 7, tr.ID)
		assert.Equal(t, ambient.TranscriptionProcessing, tr.Status)
		return tr
	}
	for _, field := range []string{"raw_text", "created_at", "updated_at", "workflow_id", "error_message"} {
		tr := parse(t, field, "null")
		assert.Equal(t, ambient.Transcription{ID: 7, Status: "STT_PROCESSING"}.String(), tr.String(), field)
		assert.Empty(t, tr.Extra, field)
		for _, odd := range []string{`{"a":1}`, `[]`, `true`, `1.5`, `-1`} {
			tr := parse(t, field, odd)
			assert.Equal(t, map[string]json.RawMessage{field: json.RawMessage(odd)}, tr.Extra)
		}
	}
	for value, want := range map[string]time.Time{
		`"2025-11-06T14:05:00Z"`:             at,
		`"2025-11-06T09:05:00-05:00"`:        at,
		`"2025-11-06T14:05:00"`:              at, // as Python writes it
		`"2025-11-06 14:05:00+00:00"`:        at,
		`"2025-11-06T14:05:00.123456"`:       at.Add(123456 * time.Microsecond),
		`"2025-11-06T14:05:00.123456+00:00"`: at.Add(123456 * time.Microsecond),
		`"2025-11-06 14:05:00.123456+00"`:    at.Add(123456 * time.Microsecond), // as PostgreSQL writes it
		`"2025-11-06 09:05:00-05"`:           at,
		`"2025-11-06T14:05:00+0000"`:         at,
		`"2025-11-06T19:35:00 +0530"`:        at,
		`"2025-11-06 14:05:00 UTC"`:          at,
		`"2025-11-06 14:05:00utc"`:           at,
		`"2025-11-06T14:05:00 GMT"`:          at,
		`"2025-11-06t14:05:00z"`:             at,
		`"2025-11-06T14:05Z"`:                at,
		`"2025-11-06 14:05"`:                 at,
		`"2025-11-06 14:05+00"`:              at,
		`"2025-11-06T09:05-0500"`:            at,
		`"2025-11-06 14:05:00,5"`:            at.Add(time.Second / 2),
		`" 2025-11-06T14:05:00Z "`:           at,
		`"2025\u002d11-06T14:05:00Z"`:        at,
	} {
		tr := parse(t, "created_at", value)
		assert.True(t, want.Equal(tr.CreatedAt), "%s: %v", value, tr.CreatedAt)
		assert.Empty(t, tr.Extra)
	}
	for _, value := range []string{`""`, `"soon"`, `"2025-11-06"`, `"2025-13-06T14:05:00Z"`, `1762437900`, `"2025-11-06T14:05:00+24:00"`, `"2025-11-06 14:05:00 EST"`, `"2025-11-06 UTC"`, `" "`} {
		tr := parse(t, "created_at", value)
		assert.Zero(t, tr.CreatedAt, value)
		assert.Equal(t, value, string(tr.Extra["created_at"]))
		_, err := json.Marshal(tr)
		assert.NoError(t, err, value)
	}
}

// An id is a positive integer, however a serializer writes it.
func TestIDs(t *testing.T) {
	for text, want := range map[string]int64{
		`123`: 123, `"123"`: 123, `" 123 "`: 123, `"00123"`: 123, `123.0`: 123, `123.000`: 123, `"123.0"`: 123, `1.23e2`: 123, `1E+05`: 100000,
		`9223372036854775807`: 9223372036854775807, `"9007199254740993"`: 9007199254740993, `9007199254740992.0`: 9007199254740992,
		`0`: 0, `-7`: 0, `"-7"`: 0, `1.5`: 0, `"1,234"`: 0, `""`: 0, `"seven"`: 0, `"0x7b"`: 0, `"1_000"`: 0, `"0x1p4"`: 0, `true`: 0, `[123]`: 0, `{"id":123}`: 0, `null`: 0,
		`9223372036854775808`: 0, `9007199254740994.0`: 0, `1e300`: 0, `"NaN"`: 0, `"Inf"`: 0, `"١٢٣"`: 0,
	} {
		var tr ambient.Transcription
		require.NoError(t, json.Unmarshal([]byte(`{"id":`+text+`}`), &tr), text)
		assert.Equal(t, want, tr.ID, text)
		var scribe ambient.Scribe
		require.NoError(t, json.Unmarshal([]byte(`{"scribe_id":`+text+`}`), &scribe), text)
		assert.Equal(t, want, scribe.ID, text)
		if want == 0 {
			continue
		}
		harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
			sub, err := harness.SubmitOf(t.Context(), answering(t, srv, 202, `{"transcription_id":`+text+`}`), harness.Visit())
			require.NoError(t, err)
			assert.Equal(t, want, sub.ID)
		})
	}
}

// A byte order mark before the JSON of any answer is no part of it.
func TestByteOrderMarks(t *testing.T) {
	const mark = "\ufeff"
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		token := ambienttest.Fault{Status: 200, Body: mark + `{"access_token": "` + issuedToken(t, srv) + `", "token_type": "bearer"}`}
		srv.Fault(harness.TokenRoute, 2, token)
		srv.Fault(harness.SubmitRoute, 1, ambienttest.Fault{Status: 202, Body: mark + `{"transcription_id": 7}`})
		srv.Fault(harness.GetRoute, 1, ambienttest.Fault{Status: 200, Body: mark + harness.SomeJob.Body})
		srv.Fault(harness.GetRoute, 2, ambienttest.Fault{Status: 200, Body: mark + harness.SomeJob.Body})
		srv.Fault(harness.GetRoute, 3, ambienttest.Fault{Status: 404, Body: mark + `{"detail": "gone"}`})
		srv.Fault(harness.GetRoute, 4, ambienttest.Fault{Status: 200, Body: mark})
		client := harness.NewClient(t, srv)
		tr, err := client.Transcriptions.SubmitAndWait(t.Context(), &ambient.TranscriptionRequest{Audio: harness.Visit()})
		require.NoError(t, err)
		assert.Equal(t, "hello", tr.RawText)
		var whole json.RawMessage
		require.NoError(t, tr.Decode(&whole))
		assert.Equal(t, harness.SomeJob.Body, string(whole))
		var out struct {
			Text string `json:"raw_text"`
		}
		require.NoError(t, client.Do(t.Context(), "GET", "/transcribe/7", nil, &out))
		assert.Equal(t, "hello", out.Text)
		var missing *ambient.NotFoundError
		require.ErrorAs(t, client.Do(t.Context(), "GET", "/transcribe/7", nil, &out), &missing)
		assert.Equal(t, "gone", missing.Detail)
		assert.NoError(t, client.Do(t.Context(), "GET", "/transcribe/7", nil, &out), "an empty answer")
	})
}

// A documented state is that state in any letters, and only it.
func TestStatusesInOtherLetters(t *testing.T) {
	for text, want := range map[string]ambient.TranscriptionStatus{
		"stt_completed": ambient.TranscriptionCompleted, "Stt_Completed": ambient.TranscriptionCompleted, "stt_error": ambient.TranscriptionError,
		"detected_file": ambient.TranscriptionDetectedFile, "completed": "completed", "stt-completed": "stt-completed", "": "",
	} {
		var tr ambient.Transcription
		require.NoError(t, json.Unmarshal([]byte(`{"id":7,"task_status":"`+text+`"}`), &tr))
		assert.Equal(t, want, tr.Status)
		literal := ambient.Transcription{Status: ambient.TranscriptionStatus(text)}
		assert.Equal(t, strings.HasPrefix(string(want), "STT_"), literal.Done(), text)
		assert.Equal(t, want == ambient.TranscriptionError, literal.Err() != nil, text)
	}
	var scribe ambient.Scribe
	require.NoError(t, json.Unmarshal([]byte(`{"status":"failed"}`), &scribe))
	assert.Equal(t, ambient.ScribeFailed, scribe.Status)
	assert.True(t, (&ambient.Scribe{Status: "Completed"}).Done())
	assert.Error(t, (&ambient.Scribe{Status: "failed"}).Err())
}

// An answer that is no answer to this request is a DecodeError, never a result
// of another job; a submit may have been taken.
func TestUnusableAnswers(t *testing.T) {
	t.Parallel()
	get := func(c *ambient.Client) error { _, err := c.Transcriptions.Get(context.Background(), 7); return err }
	getScribe := func(c *ambient.Client) error { _, err := c.Scribes.Get(context.Background(), 7); return err }
	submit := func(c *ambient.Client) error {
		_, err := c.Transcriptions.Submit(context.Background(), &ambient.TranscriptionRequest{Audio: harness.Visit()})
		return err
	}
	create := func(c *ambient.Client) error {
		_, err := c.Scribes.Create(context.Background(), &ambient.ScribeRequest{TemplateIDs: []int64{7}, Transcripts: []string{"hello"}})
		return err
	}
	regenerate := func(c *ambient.Client) error {
		_, err := c.Scribes.RegenerateFromAudio(context.Background(), 7, []ambient.Audio{harness.Visit()})
		return err
	}
	for _, c := range []struct {
		name, body, problem string
		call                func(*ambient.Client) error
		submitted           bool
	}{
		{"another transcription", `{"id":8,"task_status":"STT_COMPLETED","raw_text":"` + harness.Secret + `"}`, "another job", get, false},
		{"transcription without id", `{"task_status":"STT_COMPLETED"}`, "no id", get, false},
		{"transcription with a text for an id", `{"id":"seven","task_status":"STT_COMPLETED"}`, "no id", get, false},
		{"transcription with id null", `{"id":null,"task_status":"STT_COMPLETED"}`, "no id", get, false},
		{"transcription with id 0", `{"id":0,"task_status":"STT_COMPLETED"}`, "no id", get, false},
		{"transcription with a huge id", `{"id":99999999999999999999,"task_status":"STT_COMPLETED"}`, "no id", get, false},
		{"transcription without status", `{"id":7}`, "no status", get, false},
		{"transcription with status null", `{"id":7,"task_status":null}`, "no status", get, false},
		{"transcription with a number for a status", `{"id":7,"task_status":1}`, "no status", get, false},
		{"a list", `[{"id":7,"task_status":"STT_COMPLETED"}]`, "not a JSON object", get, false},
		{"cut off", `{"id":7,"task_status":"STT_COMPLETED"`, "not a JSON object", get, false},
		{"two objects", `{"id":7,"task_status":"STT_COMPLETED"}{}`, "not a JSON object", get, false},
		{"HTML", "<html>" + harness.Secret, "not a JSON object", get, false},
		{"nothing", "", "not a JSON object", get, false},
		{"another scribe", `{"scribe_id":8,"status":"COMPLETED","note":"` + harness.Secret + `"}`, "another job", getScribe, false},
		{"scribe without status", `{"scribe_id":7}`, "no status", getScribe, false},
		{"submission without id", `{"submitted_at":"2025-11-06T14:05:00Z"}`, "no transcription_id", submit, true},
		{"submission with id null", `{"transcription_id":null}`, "no transcription_id", submit, true},
		{"submission with a text for an id", `{"transcription_id":"0x65"}`, "no transcription_id", submit, true},
		{"submission with nothing", "", "no transcription_id", submit, true},
		{"create with another field's id", `{"id":101,"status":"IN_PROGRESS"}`, "no scribe_id", create, true},
		{"regenerate of another scribe", `{"scribe_id":8,"status":"IN_PROGRESS"}`, "another scribe", regenerate, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				err := c.call(answering(t, srv, http.StatusOK, c.body))
				var unusable *ambient.DecodeError
				require.ErrorAs(t, err, &unusable)
				assert.ErrorContains(t, err, c.problem)
				assert.Equal(t, 200, unusable.StatusCode)
				assert.Equal(t, c.body, string(unusable.Body()))
				assert.Equal(t, c.submitted, ambient.MaybeSubmitted(err))
				assert.False(t, ambient.Retryable(err))
				harness.TellsNothing(t, err)
				srv.AssertCount(t, "*", 2)
			})
		})
	}
}

// Results are queued and stored as JSON: nothing is lost on the way there and
// back, the submission and its doubt included.
func TestResultsSurviveJSON(t *testing.T) {
	t.Parallel()
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv)
		srv.ScriptTranscription(ambienttest.Step{Status: "STT_COMPLETED", Fields: map[string]any{"raw_text": "hello\u2028", "confidence": 0.25, "words": []any{"a", nil}}})
		srv.Fault("POST /transcribe", 1, ambienttest.Fault{Status: 500, Process: true})
		srv.ScriptTranscription(ambienttest.Step{Status: "STT_COMPLETED", Fields: map[string]any{"raw_text": "hello\u2028", "confidence": 0.25, "words": []any{"a", nil}}})
		tr, err := client.Transcriptions.SubmitAndWait(t.Context(), &ambient.TranscriptionRequest{Audio: harness.Visit()})
		require.NoError(t, err)
		require.True(t, tr.Submission.PossibleDuplicate())

		var back ambient.Transcription
		throughJSON(t, tr, &back)
		assert.Equal(t, tr.ID, back.ID)
		assert.Equal(t, tr.Status, back.Status)
		assert.Equal(t, "hello\u2028", back.RawText)
		assert.True(t, tr.CreatedAt.Equal(back.CreatedAt) && tr.UpdatedAt.Equal(back.UpdatedAt) && !back.CreatedAt.IsZero())
		assert.Equal(t, tr.WorkflowID, back.WorkflowID)
		assert.Equal(t, tr.Extra, back.Extra)
		assert.Equal(t, tr.Submission.ID, back.Submission.ID)
		assert.True(t, tr.Submission.SubmittedAt.Equal(back.Submission.SubmittedAt))
		assert.True(t, back.Submission.PossibleDuplicate())
		assert.Empty(t, back.Call, "which holds headers, is left out")
		var own struct{ Confidence float64 }
		require.NoError(t, back.Decode(&own))
		assert.Equal(t, 0.25, own.Confidence)
		var again ambient.Transcription
		throughJSON(t, &back, &again)
		assert.Equal(t, back.String(), again.String())

		scribe, err := client.Scribes.CreateAndWait(t.Context(), &ambient.ScribeRequest{TemplateIDs: []int64{7}, Transcripts: []string{"hello"}})
		require.NoError(t, err)
		var note ambient.Scribe
		throughJSON(t, scribe, &note)
		assert.Equal(t, scribe.ID, note.ID)
		assert.Equal(t, ambient.ScribeCompleted, note.Status)
		assert.JSONEq(t, string(scribe.Extra["note"]), string(note.Extra["note"]))
		assert.Equal(t, scribe.Submission.ID, note.Submission.ID)
		assert.Equal(t, ambient.ScribeInProgress, note.Submission.Status)
		assert.False(t, note.Submission.PossibleDuplicate())
	})
}

func throughJSON(t testing.TB, from, to any) {
	t.Helper()
	b, err := json.Marshal(from)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, to))
}

// A result that came from no answer decodes too.
func TestDecodeOfAResultMadeByHand(t *testing.T) {
	tr := &ambient.Transcription{ID: 7, Status: "STT_COMPLETED", RawText: "hello", Extra: map[string]json.RawMessage{"x": json.RawMessage("1")}}
	var own struct {
		ID int64
		X  int
	}
	require.NoError(t, tr.Decode(&own))
	assert.EqualValues(t, 7, own.ID)
	assert.Equal(t, 1, own.X)
	tr.Extra["x"] = json.RawMessage("{")
	assert.Error(t, tr.Decode(&own))
}

// What is no result says so without repeating it.
func TestBadResultJSON(t *testing.T) {
	for _, bad := range []string{`[]`, `"` + harness.Secret + `"`, `1`} {
		for _, into := range []any{new(ambient.Transcription), new(ambient.Scribe), new(ambient.TranscriptionSubmission), new(ambient.ScribeSubmission)} {
			err := json.Unmarshal([]byte(bad), into)
			require.Error(t, err, "%s into %T", bad, into)
			harness.TellsNothing(t, err)
		}
	}
	var tr ambient.Transcription
	require.NoError(t, json.Unmarshal([]byte(`{"id":7,"_submission":5}`), &tr))
	assert.Nil(t, tr.Submission)
	assert.Equal(t, "5", string(tr.Extra["_submission"]))
}

// FuzzResults: any answer that is taken can be stored and read back, and then
// says the same.
func FuzzResults(f *testing.F) {
	for _, seed := range []string{`{"id":7,"task_status":"STT_COMPLETED","raw_text":"a","created_at":"2025-11-06T14:05:00"}`, `{"scribe_id":8,"status":"x","note":{"a":[1 ,2]}}`, `{"created_at":"9999-12-31T23:59:59-23:59","_submission":{}}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		if strings.ContainsRune(body, '\ufffd') {
			return // JSON has no place for broken text
		}
		var tr, trBack ambient.Transcription
		if json.Unmarshal([]byte(body), &tr) == nil {
			throughJSON(t, tr, &trBack)
			require.Equal(t, tr.RawText, trBack.RawText)
			require.True(t, tr.CreatedAt.Equal(trBack.CreatedAt))
			require.Equal(t, len(tr.Extra), len(trBack.Extra))
		}
		var s, sBack ambient.Scribe
		if json.Unmarshal([]byte(body), &s) == nil {
			throughJSON(t, s, &sBack)
			require.Equal(t, s.Status, sBack.Status)
			require.Equal(t, len(s.Extra), len(sBack.Extra))
		}
	})
}
