package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
)

// An api is the service that the clinic talks to.
type api struct {
	client    *ambient.Client
	templates []int64
	sample    []byte // of the demo
	close     func()
}

// connect makes a client of the service that AMBIENT_USERNAME, AMBIENT_PASSWORD and AMBIENT_BASE_URL name, or of a fake.
func connect(templates string, stderr io.Writer, opts ...ambient.Option) (*api, error) {
	if os.Getenv("AMBIENT_USERNAME") == "" {
		return connectFake(stderr, opts)
	}
	client, err := ambient.NewClient(opts...)
	if err != nil {
		return nil, err
	}
	ids, err := parseIDs(templates)
	return &api{client: client, templates: ids, close: func() {}}, err
}

func parseIDs(list string) ([]int64, error) {
	var ids []int64
	for text := range strings.SplitSeq(list, ",") {
		if text == "" {
			continue
		}
		id, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		if err != nil || id < 1 {
			return nil, errors.New("-templates is not a list of ids")
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// testdata has the synthetic visit, for a program that is started in its own directory.
const testdata = "../../testdata/"

// jobTime is how long the fake takes for a transcript, and again for a note.
const jobTime = 4 * time.Second

// connectFake starts a fake of the service, which gives the synthetic visit's transcript and note to every recording.
func connectFake(stderr io.Writer, opts []ambient.Option) (*api, error) {
	text, err := os.ReadFile(testdata + "visit.txt")
	if err != nil {
		return nil, errors.New("the synthetic visit was not found: start this with go run -C examples/clinic")
	}
	noteJSON, err := os.ReadFile(testdata + "note.json")
	if err != nil {
		return nil, err
	}
	sample, err := os.ReadFile(testdata + "visit.mp3")
	if err != nil {
		return nil, err
	}
	var note map[string]any
	if err := json.Unmarshal(noteJSON, &note); err != nil {
		return nil, err
	}
	fake := ambienttest.NewServer(ambienttest.WithTranscript(string(text)), ambienttest.WithNote(note), ambienttest.WithJobTime(jobTime))
	client, err := ambient.NewClient(append(opts, ambient.WithBaseURL(fake.URL), ambient.WithCredentials(fake.Username, fake.Password))...)
	if err != nil {
		fake.Close()
		return nil, err
	}
	fmt.Fprintln(stderr, "AMBIENT_USERNAME is not set: a fake API gives every recording the note of a synthetic visit.")
	return &api{client: client, templates: []int64{1}, sample: sample, close: fake.Close}, nil
}

// demoPassword is short enough to be typed.
func demoPassword() string { return rand.Text()[:10] }
