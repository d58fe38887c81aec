package ambienttest

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// curl is a client that this package did not write: it drives every documented request.
func TestCurl(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("curl is not installed")
	}
	srv := Start(t, WithJobTime(0), WithTranscript("Synthetic."))
	audio := filepath.Join(t.TempDir(), "visit.mp3")
	if err := os.WriteFile(audio, []byte("synthetic audio"), 0o600); err != nil {
		t.Fatal(err)
	}
	call := func(args ...string) map[string]any {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), curl, append([]string{"-sSf", "--noproxy", "*"}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("curl %q: %v\n%s", args, err, out)
		}
		var v map[string]any
		if err := json.Unmarshal(out, &v); err != nil {
			t.Fatalf("curl %q: %s", args, out)
		}
		return v
	}
	token := call(srv.URL+"/auth/token", "--data-urlencode", "username="+srv.Username,
		"--data-urlencode", "password="+srv.Password)
	want(t, "token type", token["token_type"], any("bearer"))
	auth := []string{"-H", "Authorization: Bearer " + token["access_token"].(string)}
	authorized := func(args ...string) map[string]any {
		t.Helper()
		return call(append(args, auth...)...)
	}

	submitted := authorized(srv.URL+"/transcribe", "-F", "audio_file=@"+audio, "-F", "patient_name=Synthetic Patient",
		"-F", "date_of_service=2025-11-06T14:05:00Z", "-F", `additional_context={"age": 40, "gender": "F"}`)
	want(t, "transcription", submitted["transcription_id"], any(101.0))
	got := authorized(srv.URL + "/transcribe/101")
	want(t, "text", got["raw_text"], any("Synthetic."))

	created := authorized(srv.URL+"/scribe", "-F", "template_ids=1", "-F", "template_ids=2",
		"-F", "audio_files=@"+audio, "-F", "audio_files=@"+audio, "-F", "transcripts=Synthetic.")
	want(t, "scribe", created["scribe_id"], any(102.0))
	want(t, "scribe status", authorized(srv.URL + "/scribe/102")["status"], any("COMPLETED"))
	again := authorized(srv.URL+"/scribe/102/regenerate/audio", "-F", "audio_files=@"+audio)
	want(t, "regenerated", again["scribe_id"], any(102.0))

	srv.AssertRoutes(t, "POST /auth/token", "POST /transcribe", "GET /transcribe/{id}", "POST /scribe",
		"GET /scribe/{id}", "POST /scribe/{id}/regenerate/audio")
	want(t, "files", len(srv.RequestsTo("POST /scribe")[0].Files), 2)
}
