package ambient_test

import (
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
)

// First bytes of the documented types; silence follows.
const (
	headMP3  = "ID3\x04"
	headMPGA = "\xff\xfd\x90\x04"
	headMPEG = "\x00\x00\x01\xba\x44"
	headMP4  = "\x00\x00\x00\x20ftypisom"
	headM4A  = "\x00\x00\x00\x20ftypM4A "
	headWAV  = "RIFF\x24\x08\x00\x00WAVEfmt "
	headWebM = "\x1a\x45\xdf\xa3\x9f"
	headNone = "MThd\x00\x00\x00\x06"
)

// sound is a recording that begins like one of a type.
func sound(head string) []byte { return append([]byte(head), make([]byte, 2048)...) }

// events collects what observers are told.
type events struct {
	mu  sync.Mutex
	all []ambient.Event
}

func (e *events) observe(event ambient.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, event)
}

// of lists the events of one kind so far.
func (e *events) of(kind ambient.EventKind) (some []ambient.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, event := range e.all {
		if event.Kind == kind {
			some = append(some, event)
		}
	}
	return some
}

// The type is told by the first bytes, and spelled as the caller's name spells
// it. What is not recognised, or is not what it claims to be, is sent all the
// same: the service knows best. No name of the caller's reaches it.
func TestAudioTypes(t *testing.T) {
	t.Parallel()
	const dir = "visits/" + secret + "/" + secret
	for _, c := range []struct {
		name     string
		audio    ambient.Audio
		filename string
		mime     string
		warning  string
	}{
		{"mp3", ambient.AudioBytes(dir+".mp3", sound(headMP3)), "audio-1.mp3", "audio/mpeg", ""},
		{"mp4", ambient.AudioBytes(dir+".mp4", sound(headMP4)), "audio-1.mp4", "audio/mp4", ""},
		{"mpeg", ambient.AudioBytes(dir+".mpeg", sound(headMPEG)), "audio-1.mpeg", "video/mpeg", ""},
		{"mpga", ambient.AudioBytes(dir+".mpga", sound(headMPGA)), "audio-1.mpga", "audio/mpeg", ""},
		{"m4a", ambient.AudioBytes(dir+".m4a", sound(headM4A)), "audio-1.m4a", "audio/mp4", ""},
		{"wav", ambient.AudioBytes(dir+".WAV", sound(headWAV)), "audio-1.wav", "audio/wav", ""},
		{"webm", ambient.AudioBytes(dir+".webm", sound(headWebM)), "audio-1.webm", "audio/webm", ""},
		{"mpeg that is mp3", ambient.AudioBytes(dir+".mpeg", sound(headMP3)), "audio-1.mpeg", "video/mpeg", ""},
		{"m4a that is mp4", ambient.AudioBytes(dir+".m4a", sound(headMP4)), "audio-1.m4a", "audio/mp4", ""},

		{"no name", ambient.AudioBytes("", sound(headM4A)), "audio-1.m4a", "audio/mp4", ""},
		{"a name without type", ambient.AudioBytes(dir, sound(headWAV)), "audio-1.wav", "audio/wav", ""},
		{"a name of another world", ambient.AudioBytes(dir+".dat", sound(headWebM)), "audio-1.webm", "audio/webm", ""},
		{"shorter than a header", ambient.AudioBytes(dir+".mp3", []byte("ID3")), "audio-1.mp3", "audio/mpeg", ""},

		{"wav in name only", ambient.AudioBytes(dir+".wav", sound(headMP3)), "audio-1.mp3", "audio/mpeg", "audio 1 has the first bytes of mp3 and a name that ends in wav"},
		{"unknown bytes, known name", ambient.AudioBytes(dir+".mp3", sound(headNone)), "audio-1.mp3", "audio/mpeg", "audio 1 has the first bytes of no documented audio type"},
		{"unknown in all", ambient.AudioBytes(dir+".mid", sound(headNone)), "audio-1", "application/octet-stream", "audio 1 has the first bytes of no documented audio type"},
		{"text in UTF-16", ambient.AudioBytes(dir+".mp3", []byte("\xff\xfeH\x00i\x00")), "audio-1.mp3", "audio/mpeg", "audio 1 has the first bytes of no documented audio type"},
		{"one byte", ambient.AudioBytes("", []byte{1}), "audio-1", "application/octet-stream", "audio 1 has the first bytes of no documented audio type"},

		{"content type given", ambient.AudioBytes("", sound(headNone)).WithContentType("audio/mpeg"), "audio-1", "audio/mpeg", "audio 1 has the first bytes of no documented audio type"},
		{"content type agrees", ambient.AudioBytes("", sound(headWAV)).WithContentType("audio/x-wav; codecs=1"), "audio-1.wav", "audio/x-wav; codecs=1", ""},
		{"content type contradicts", ambient.AudioBytes("", sound(headWAV)).WithContentType("audio/flac"), "audio-1.wav", "audio/flac", "audio 1 has the first bytes of wav and another content type"},
		{"content type on two lines", ambient.AudioBytes("", sound(headWAV)).WithContentType("audio/wav\r\nX-Evil: 1"), "audio-1.wav", "audio/wavX-Evil: 1", "audio 1 has the first bytes of wav and another content type"},
		{"upload name given", ambient.AudioBytes("", sound(headWAV)).WithUploadName("visit 1.wav"), "visit 1.wav", "audio/wav", ""},
		{"upload name with folders", ambient.AudioBytes("", sound(headWAV)).WithUploadName(`C:\visits\` + secret + `/visit.wav`), "visit.wav", "audio/wav", ""},
		{"options leave the original alone", withOptions(ambient.AudioBytes("", sound(headWAV))), "audio-1.wav", "audio/wav", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				var told events
				_, err := newClient(t, srv, ambient.WithObserver(told.observe)).Transcriptions.Submit(t.Context(), &ambient.TranscriptionRequest{Audio: c.audio})
				require.NoError(t, err)
				file := srv.RequestsTo(submitRoute)[0].Files[0]
				assert.Equal(t, c.filename, file.Filename)
				assert.Equal(t, c.mime, file.ContentType)
				var warnings []string
				for _, e := range told.of(ambient.EventAudioFormat) {
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
			inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				var told events
				_, err := submitOf(t.Context(), newClient(t, srv, ambient.WithObserver(told.observe)), ambient.AudioBytes(c.name, sound(c.head)))
				require.NoError(t, err)
				file := srv.RequestsTo(submitRoute)[0].Files[0]
				assert.Equal(t, c.filename, file.Filename)
				assert.Equal(t, c.mime, file.ContentType)
				assert.Len(t, told.of(ambient.EventAudioFormat), 1)
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
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		var told events
		_, err := newClient(t, srv, ambient.WithObserver(told.observe)).Scribes.Create(t.Context(), &ambient.ScribeRequest{TemplateIDs: []int64{7}, Audio: []ambient.Audio{
			ambient.AudioBytes("", sound(headWAV)), ambient.AudioBytes("a.wav", sound(headMP3)), ambient.AudioBytes("", sound(headM4A)),
		}})
		require.NoError(t, err)
		var names []string
		for _, f := range srv.RequestsTo("POST /scribe")[0].Files {
			names = append(names, f.Filename)
		}
		assert.Equal(t, []string{"audio-1.wav", "audio-2.mp3", "audio-3.m4a"}, names)
		warnings := told.of(ambient.EventAudioFormat)
		require.Len(t, warnings, 1)
		assert.Contains(t, warnings[0].Note, "audio 2")
	})
}

func TestSyntheticVisitIsRecognised(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		var told events
		client := newClient(t, srv, ambient.WithObserver(told.observe))
		for _, name := range []string{"visit.mp3", "visit.wav"} {
			b, err := os.ReadFile("testdata/" + name)
			require.NoError(t, err)
			_, err = client.Transcriptions.Submit(t.Context(), &ambient.TranscriptionRequest{Audio: ambient.AudioFile("testdata/" + name)})
			require.NoError(t, err)
			requests := srv.RequestsTo(submitRoute)
			assert.Equal(t, digest(b), requests[len(requests)-1].Files[0].SHA256)
		}
		assert.Empty(t, told.of(ambient.EventAudioFormat))
	})
}

// Requests are queued as JSON: audio of a file or of bytes goes along.
func TestAudioSurvivesJSON(t *testing.T) {
	t.Parallel()
	path := tempFile(t, sound(headWAV))
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := newClient(t, srv)
		for _, audio := range []ambient.Audio{
			ambient.AudioFile(path).WithUploadName("visit.wav").WithContentType("audio/x-wav"),
			ambient.AudioBytes("visit.mp3", sound(headWAV)).WithUploadName("visit.wav").WithContentType("audio/x-wav"),
		} {
			var back ambient.TranscriptionRequest
			throughJSON(t, ambient.TranscriptionRequest{Audio: audio, PatientName: "Alex Example"}, &back)
			_, err := client.Transcriptions.Submit(t.Context(), &back)
			require.NoError(t, err)
		}
		for _, r := range srv.RequestsTo(submitRoute) {
			assert.Equal(t, "Alex Example", r.Value("patient_name"))
			assert.Equal(t, "visit.wav", r.Files[0].Filename)
			assert.Equal(t, "audio/x-wav", r.Files[0].ContentType)
			assert.Equal(t, digest(sound(headWAV)), r.Files[0].SHA256)
		}
	})
	var none ambient.TranscriptionRequest
	throughJSON(t, ambient.TranscriptionRequest{}, &none)
	assert.Equal(t, "Audio(none)", none.Audio.String())
	_, err := ambient.AudioReader(secret, strings.NewReader(secret)).MarshalJSON()
	assert.ErrorContains(t, err, "io.Reader cannot be marshalled")
	tellsNothing(t, err)
	assert.Error(t, none.Audio.UnmarshalJSON([]byte(`"`+secret+`"`)))
}
