// Package folder finds the recordings of a directory, and gives each a key.
package folder

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A Recording is a file that can be sent.
type Recording struct {
	Name     string // in its directory
	Size     int64
	Modified time.Time
}

// A Listing is what a directory holds.
type Listing struct {
	Recordings []Recording // in the order of their names
	Empty      []string    // files of a recording's name that have no byte
	Other      int         // files of other names
}

// List lists a directory, and not those in it. A recording is a file whose
// extension is one of the documented types. Hidden files are left out, since
// programs that copy files write under such names.
func List(dir string) (Listing, error) {
	var l Listing
	entries, err := os.ReadDir(dir)
	if err != nil {
		return l, err
	}
	for _, entry := range entries {
		name := entry.Name()
		if strings.HasPrefix(name, ".") {
			continue
		}
		info, err := os.Stat(filepath.Join(dir, name)) // which follows links
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		switch {
		case !IsRecording(name):
			l.Other++
		case info.Size() == 0:
			l.Empty = append(l.Empty, name)
		default:
			l.Recordings = append(l.Recordings, Recording{name, info.Size(), info.ModTime()})
		}
	}
	return l, nil
}

// Extensions are those of the documented types.
func Extensions() []string {
	return []string{".mp3", ".mp4", ".mpeg", ".mpga", ".m4a", ".wav", ".webm"}
}

// IsRecording reports whether a file's name has one of the extensions, in capitals
// or not.
func IsRecording(name string) bool {
	return slices.Contains(Extensions(), strings.ToLower(filepath.Ext(name)))
}

// Unchanged reports whether a recording is still the file that was listed.
func (r Recording) Unchanged(dir string) error {
	info, err := os.Stat(filepath.Join(dir, r.Name))
	switch {
	case err != nil:
		return err
	case info.Size() != r.Size || !info.ModTime().Equal(r.Modified):
		return fs.ErrNotExist
	}
	return nil
}

const (
	samples    = 16
	sampleSize = 16 << 10
)

// Key is what a recording is known by, a digest of its name, its size and 16
// samples of 16 KiB. Another recording under the same name has another key. Who
// reads a key learns nothing of the name.
func (r Recording) Key(dir string) (string, error) {
	f, err := os.Open(filepath.Join(dir, r.Name))
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	fmt.Fprintf(h, "%d %s", len(r.Name), r.Name)
	_ = binary.Write(h, binary.BigEndian, r.Size)
	for i := range int64(samples) {
		at := max(r.Size-sampleSize, 0) * i / (samples - 1)
		if _, err := io.Copy(h, io.NewSectionReader(f, at, sampleSize)); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}
