package conformance_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/internal/conformance/harness"
)

// A canary is a marked word. Whoever finds one in a text has found a leak.
// They come as a word, with digits, in capitals, beyond ASCII, as a number and
// as a date.
const (
	canary     = "Zanqxine ZANQXINE zanqx7731x Zanqx-Жанкхова ЖАНКХ 77310042 1987-03-29"
	canaryWord = "zanqxford"
)

var canaryDate = time.Date(1987, 3, 29, 4, 5, 6, 0, time.UTC)

// canaryForms are the shapes in which fmt, slog and json may show a canary.
var canaryForms = func() (forms []string) {
	for _, core := range []string{"zanqx", "Zanqx", "ZANQX", "жанкх", "Жанкх", "ЖАНКХ", "77310042", "1987-03"} {
		forms = append(forms, core, url.QueryEscape(core), strings.Trim(strconv.QuoteToASCII(core), `"`))
		for _, verb := range []string{"% x", "% X", "%x", "%X", "%d", "%o", "%b", "%#v", "%c", "%U", "%q"} {
			bytesForm := strings.Trim(strings.TrimPrefix(fmt.Sprintf(verb, []byte(core)), "[]byte"), "[]{}")
			runesForm := strings.Trim(strings.TrimPrefix(fmt.Sprintf(verb, []rune(core)), "[]int32"), "[]{}")
			forms = append(forms, strings.Trim(bytesForm, `"`), strings.Trim(runesForm, `"`))
		}
		for pad := range 3 { // what stands before shifts base64 by 0, 2 or 4 bits
			b := base64.StdEncoding.EncodeToString([]byte("xxx"[:pad] + core + "xxx"))
			forms = append(forms, b[(pad*4+2)/3:(pad+len(core))*4/3])
		}
	}
	return forms
}()

// formsByPrefix has the forms by their first two bytes, so that a text is read
// once for all of them.
var formsByPrefix = func() (by [1 << 16][]string) {
	for _, form := range canaryForms {
		if i := prefix(form); !slices.Contains(by[i], form) {
			by[i] = append(by[i], form)
		}
	}
	return by
}()

func prefix(s string) int { return int(s[0])<<8 | int(s[1]) }

// leak is the first canary in a text, with what stands around it.
func leak(text string) string {
	for i := range len(text) - 1 {
		for _, form := range formsByPrefix[prefix(text[i:])] {
			if strings.HasPrefix(text[i:], form) {
				return text[max(0, i-300):min(len(text), i+100)]
			}
		}
	}
	return ""
}

// The canaries must be found in whatever shape they come.
func TestCanariesAreFound(t *testing.T) {
	for _, v := range []any{canary, []byte(canary), []rune(canary), errors.New(canary), struct{ s string }{canary}} {
		for _, format := range []string{"%v", "%+v", "%#v", "%q", "%+q", "%x", "%X", "% x", "%d", "%o", "%c", "%U"} {
			assert.NotEmpty(t, leak(fmt.Sprintf(format, v)), "%s of %T", format, v)
		}
	}
	assert.NotEmpty(t, leak(canaryDate.String()))
	text, _ := json.Marshal([]any{[]byte("a" + canary), canary})
	assert.NotEmpty(t, leak(string(text)))
	assert.Empty(t, leak("ambient: GET /transcribe/7: 404 Not Found"))
}

// Formats with every verb and flag. %p and %w of a value that is neither pointer
// nor error are mistakes that vet refuses and that fmt answers with all fields,
// whatever methods they have.
var (
	everyFormat = func() string {
		var b strings.Builder
		for _, verb := range "vsqxXdtTUeEfFgGobcO" {
			for _, flag := range []string{"", "+", "#", " ", "30", "-030", ".99"} {
				fmt.Fprintf(&b, "%%%s[1]%c\n", flag, verb)
			}
		}
		return b.String()
	}()
	wrongFormat   = "%w"
	plainFormat   = "%[1]v\n%+[1]v\n%#[1]v\n%[1]s\n%[1]q\n%[1]x\n%[1]d\n%[1]t\n"
	pointerFormat = "%[1]v\n%+[1]v\n%#[1]v\n%[1]d\n%[1]x\n%[1]p\n" // verbs that are right for a pointer
)

// printed is what fmt makes of v, by itself and in whatever holds it.
func printed(format string, v any) string {
	var b strings.Builder
	one := reflect.MakeSlice(reflect.SliceOf(reflect.TypeOf(v)), 1, 1)
	one.Index(0).Set(reflect.ValueOf(v))
	for _, holder := range []any{
		v, []any{v}, map[string]any{"k": v}, struct{ V any }{v}, &struct{ V any }{v}, &v, one.Interface(), one.Index(0).Addr().Interface(),
	} {
		fmt.Fprintf(&b, format, holder)
	}
	return b.String()
}

// logged is what slog makes of v at its top level.
func logged(v any) string {
	var b bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&b, nil), slog.NewJSONHandler(&b, nil)} {
		l := slog.New(h)
		l.Info("value", "v", v, slog.Group("group", "v", v))
		l.With("v", v).WithGroup("g").Error("value", slog.Any("error", v))
	}
	return b.String()
}

// marshalled is the JSON of v, by itself and in whatever holds it.
func marshalled(t *testing.T, v any) string {
	text, err := json.Marshal([]any{v, struct{ V any }{v}, map[string]any{"k": v}})
	require.NoError(t, err)
	indented, err := json.MarshalIndent(v, "", "  ")
	require.NoError(t, err)
	return string(text) + string(indented)
}

// panicked is what a program prints that panics with v.
func panicked(v any) (text string) {
	defer func() { text = fmt.Sprint("panic: ", recover()) }()
	panic(v)
}

// showsNoError checks an error, every link of its chain and the report of it,
// in every way of printing.
func showsNoError(t *testing.T, err error) {
	t.Helper()
	var b strings.Builder
	harness.EachLink(err, func(link error) {
		fmt.Fprintf(&b, plainFormat, link)
		fmt.Fprintf(&b, plainFormat, []any{link, struct{ V error }{link}, &link, map[string]any{"k": link}})
		fmt.Fprintf(&b, pointerFormat, struct{ v any }{link}) // unexported
		b.WriteString(logged(link) + marshalled(t, link) + panicked(link))
	})
	b.WriteString(ambient.SupportReport(err) + ambient.SupportReport(fmt.Errorf("visit 3: %w", err)))
	assert.Empty(t, leak(b.String()), "%T", err)
}

// showsNoErrorAtAll is showsNoError with every verb, flag and holder.
func showsNoErrorAtAll(t *testing.T, err error) {
	t.Helper()
	showsNoError(t, err)
	harness.EachLink(err, func(link error) {
		assert.Empty(t, leak(printed(everyFormat, link)), "%T", link)
		assert.Empty(t, leak(logged([]any{link})+logged(struct{ Err error }{link})+logged(map[string]error{"k": link})), "%T in slog", link)
	})
}

// Values of other types show ids, states, counts and sizes. Their JSON is in full, so
// that a program can store them.
func TestValuesPrintWithoutData(t *testing.T) {
	t.Parallel()
	secret := ambient.NewToken(canary, time.Time{})
	client, err := ambient.NewClient(ambient.WithCredentials(canary, canary), ambient.WithHeader("X-Clinic", "zanqx"), ambient.WithUserAgent("zanqx"))
	require.NoError(t, err)
	job := &ambient.Transcription{}
	require.NoError(t, job.UnmarshalJSON([]byte(`{"id": 7, "task_status": "`+canary+`", "raw_text": "`+canary+`", "error_message": "`+canary+`", "`+canaryWord+`": "`+canary+`"}`)))
	scribe := &ambient.Scribe{}
	require.NoError(t, scribe.UnmarshalJSON([]byte(`{"scribe_id": 7, "status": "`+canary+`", "`+canaryWord+`": "`+canary+`"}`)))
	call := ambient.CallInfo{RequestID: canary, Header: loudHeader(), Attempts: []ambient.Attempt{{StatusCode: 200}}}
	job.Call, scribe.Call = call, call
	job.Submission = &ambient.TranscriptionSubmission{ID: 7, Call: call}
	scribe.Submission = &ambient.ScribeSubmission{ID: 7, Status: canary, Call: call}
	transcription, note := loudTranscription(), loudScribe()

	for _, v := range []any{
		ambient.FieldError{Path: canary, Message: canary, Type: canary}, secret, &secret, client, *client, client.Transcriptions, client.Scribes, job, *job, scribe, *scribe, call, &call,
		*job.Submission, job.Submission, *scribe.Submission, scribe.Submission, transcription, *transcription, note, *note,
		note.Audio[0], &note.Audio[0], ambient.AudioFile("/" + canary), ambient.AudioReader(canary, strings.NewReader(canary)),
		ambient.AudioBytes(canary, nil).WithContentType(canary), ambient.AudioFS(loudFS{}, canary), ambient.AudioReaderAt(canary, strings.NewReader(canary), 9),
	} {
		assert.Empty(t, leak(printed(everyFormat, v)), "%T", v)
		assert.Empty(t, leak(logged(v)), "%T in slog", v)
		assert.Empty(t, leak(panicked(v)), "%T", v)
	}
	fields := []ambient.FieldError{{Path: canary, Message: canary, Type: canary}}
	assert.Empty(t, leak(printed(everyFormat, fields)+marshalled(t, fields)+logged(fields)), "the fields of a 422, as they are logged")
	assert.Empty(t, leak(printed(everyFormat, note.Audio)), "whose JSON is in full in slog too")
	for _, v := range []any{secret, &secret, client, struct{ T ambient.Token }{secret}, map[string]any{"t": secret}, call, []ambient.CallInfo{call}} {
		assert.Empty(t, leak(marshalled(t, v)), "%T in JSON", v)
	}
	assert.NotEmpty(t, leak(marshalled(t, job)), "results marshal in full")
	assert.NotEmpty(t, leak(marshalled(t, transcription)), "requests marshal in full")
}

// A copy of an error is no error any more, but prints and marshals as safely.
func TestErrorsByValueShowNoData(t *testing.T) {
	var values []any
	for status := range harness.StatusTypes {
		_, err := canned(t, &loudWatch{}, reply(status, loudBodies[0])).Transcriptions.Get(t.Context(), 7)
		api, ok := errors.AsType[*ambient.APIError](err)
		require.True(t, ok)
		values = append(values, *api, reflect.ValueOf(err).Elem().Interface())
	}
	_, err := canned(t, &loudWatch{}, harness.FailWith{Err: textError(canary)}).Transcriptions.Get(t.Context(), 7)
	values = append(values, reflect.ValueOf(err).Elem().Interface())
	job := &ambient.Transcription{ID: 7, Status: ambient.TranscriptionError, RawText: canary, ErrorMessage: canary}
	values = append(values, ambient.TranscriptionFailedError{Transcription: job}, ambient.TranscriptionIncompleteError{Transcription: job},
		ambient.ScribeFailedError{Scribe: &ambient.Scribe{Extra: map[string]json.RawMessage{"note": []byte(`"` + canary + `"`)}}})
	for _, v := range values {
		assert.Empty(t, leak(fmt.Sprintf(plainFormat, v)+fmt.Sprint([]any{v})), "%T", v)
		assert.Empty(t, leak(marshalled(t, v)+logged(v)+logged([]any{v})), "%T", v)
	}
}

// The error of a value that does not fit has the name of its field and not its content.
func TestDecodingTellsNoData(t *testing.T) {
	job := &ambient.Transcription{}
	require.NoError(t, job.UnmarshalJSON([]byte(`{"id": 7, "born": "`+canary+`", "note": "`+canary+`", "age": 12345678901}`)))
	for _, v := range []any{
		new(struct{ Born time.Time }),
		new(struct {
			Note int `json:",string"`
		}),
		new(struct{ Age int8 }),
		new(struct{ Note struct{ Plan string } }),
	} {
		err := job.Decode(v)
		require.Error(t, err)
		assert.Empty(t, leak(err.Error()))
		assert.NotContains(t, err.Error(), "12345678901")
	}
	assert.EqualError(t, job.Decode(new(struct{ Age int8 })), "ambient: the answer's Age is no int8")
	assert.ErrorContains(t, job.Decode(struct{}{}), "non-pointer", "the caller's mistake")
	for _, v := range []any{new(ambient.TranscriptionRequest), new(ambient.ScribeRequest)} {
		err := json.Unmarshal([]byte(`{"PatientName": "Alex", "DateOfService": "`+canary+`"}`), v)
		require.Error(t, err)
		assert.Empty(t, leak(err.Error()))
	}
}

// fmt prints an unexported field of somebody else's type without asking us.
// Secrets and audio are then addresses.
func TestSecretsInOthersUnexportedFieldsAreAddresses(t *testing.T) {
	client, err := ambient.NewClient(ambient.WithCredentials(canary, canary))
	require.NoError(t, err)
	for _, v := range []any{
		struct{ v ambient.Token }{ambient.NewToken(canary, time.Time{})},
		struct{ v ambient.Audio }{ambient.AudioFile(canary)},
		struct{ v ambient.Audio }{ambient.AudioBytes(canary, []byte(canary))},
		struct{ v *ambient.Client }{client},
		struct{ v any }{client},
		struct{ v *ambient.Transcription }{&ambient.Transcription{RawText: canary}},
		struct{ v *ambient.ScribeRequest }{loudScribe()},
	} {
		assert.Empty(t, leak(fmt.Sprintf(pointerFormat, v)), "%T", v)
	}
}

// For a verb that is wrong for a pointer, such as %s, fmt follows it once, in
// unexported fields too. Secrets and audio must be a step further away.
func TestSecretsInOthersUnexportedFieldsUnderWrongVerbs(t *testing.T) {
	client, err := ambient.NewClient(ambient.WithCredentials(canary, canary), ambient.WithHeader("X-Api-Key", "zanqx"))
	require.NoError(t, err)
	for _, v := range []any{
		struct{ v ambient.Token }{ambient.NewToken(canary, time.Time{})},
		struct{ v ambient.Audio }{ambient.AudioFile(canary)},
		struct{ v ambient.Audio }{ambient.AudioBytes(canary, []byte(canary))},
		struct{ v *ambient.Client }{client},
		struct{ v ambient.Client }{*client},
		struct{ v ambient.ScribesService }{*client.Scribes},
		struct{ v any }{client},
	} {
		assert.Empty(t, leak(fmt.Sprintf(everyFormat, v)), "%T", v)
	}
}

// %w is for fmt.Errorf. Elsewhere fmt prints the fields of the error. Those of an error
// by status are an address and numbers.
func TestStatusErrorsUnderTheVerbW(t *testing.T) {
	for status := range harness.StatusTypes {
		_, err := canned(t, &loudWatch{}, reply(status, loudBodies[0])).Transcriptions.Get(t.Context(), 7)
		assert.Empty(t, leak(fmt.Sprintf(wrongFormat, err)+fmt.Sprintf(everyFormat, struct{ err error }{err})), "%d", status)
	}
}
