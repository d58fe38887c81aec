package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/cmd/ambient/internal/atomicfile"
	"github.com/ambient-scribe/ambient-go/pipeline"
)

const (
	transcriptSuffix = ".transcript.txt"
	noteSuffix       = ".note.json"
	maxName          = 255 // bytes of a file's name
)

// A delivery is the content of a note's file.
type delivery struct {
	Recording         string          `json:"recording"`
	Key               string          `json:"key"`
	TranscriptionID   int64           `json:"transcription_id"`
	PossibleDuplicate bool            `json:"possible_duplicate"`
	Scribe            *ambient.Scribe `json:"scribe"`
}

// deliver writes the transcript and then the note of a recording to files beside
// each other. Written again, they are the same.
func deliver(dir, name string, r *pipeline.Result) error {
	base, err := resultName(dir, name, r.Key)
	if err != nil {
		return err
	}
	if err := atomicfile.Write(filepath.Join(dir, base+transcriptSuffix), []byte(r.Transcript.RawText+"\n")); err != nil {
		return err
	}
	text := indented(delivery{
		Recording: strings.ToValidUTF8(name, "?"), Key: r.Key, TranscriptionID: r.Transcript.ID,
		PossibleDuplicate: r.PossibleDuplicate, Scribe: r.Note,
	})
	return atomicfile.Write(filepath.Join(dir, base+noteSuffix), []byte(text+"\n"))
}

// resultName is what the files of a result are named after, the recording. Where
// another recording of that name has a result already, the key follows.
func resultName(dir, name, key string) (string, error) {
	short := key[:min(len(key), 8)]
	if len(name)+len(transcriptSuffix) > maxName {
		name = strings.ToValidUTF8(name[:maxName-len(transcriptSuffix)-2*len(short)-2], "") + "." + short
	}
	switch other, err := deliveredKey(filepath.Join(dir, name+noteSuffix)); {
	case errors.Is(err, fs.ErrNotExist):
		return name, nil
	case err != nil:
		return "", err
	case other == key:
		return name, nil
	}
	return name + "." + short, nil
}

// delivered reports whether the note of a recording is there.
func delivered(dir, name, key string) bool {
	base, err := resultName(dir, name, key)
	if err != nil {
		return false
	}
	found, err := deliveredKey(filepath.Join(dir, base+noteSuffix))
	return err == nil && found == key
}

// deliveredKey reads the key of a note's file. A file of another kind has none.
func deliveredKey(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	var d struct{ Key string }
	if json.Unmarshal(b, &d) != nil {
		return "", nil
	}
	return d.Key, nil
}

// undeliverable is what the log says of a result that cannot be written.
func undeliverable(err error) string {
	return fmt.Sprintf("a result cannot be written to --out: %s", reason(err))
}
