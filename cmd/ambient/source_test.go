package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ambient-scribe/ambient-go/cmd/ambient/internal/folder"
)

// A recording is gone only where its directory is there: a server that is away
// comes back.
func TestSourceOfADirectoryThatIsAway(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "mounted")
	require.NoError(t, os.Mkdir(dir, 0o700))
	recordingAt(t, filepath.Join(dir, "a.mp3"))
	listing, err := folder.List(dir)
	require.NoError(t, err)
	s, err := newSource(dir, []int64{1}, func(key string) (folder.Recording, error) {
		if key == "a" {
			return listing.Recordings[0], nil
		}
		return folder.Recording{}, fs.ErrNotExist
	})
	require.NoError(t, err)
	v, err := s.Visit(t.Context(), "a")
	require.NoError(t, err)
	assert.Equal(t, []int64{1}, v.TemplateIDs)
	_, err = s.Visit(t.Context(), "b")
	assert.ErrorIs(t, err, fs.ErrNotExist)

	require.NoError(t, os.Rename(dir, dir+" away"))
	for range 2 { // away, and then the empty directory that it is mounted on
		for _, key := range []string{"a", "b"} {
			_, err = s.Visit(t.Context(), key)
			assert.ErrorIs(t, err, errAway)
			assert.NotErrorIs(t, err, fs.ErrNotExist)
		}
		_ = os.Mkdir(dir, 0o700)
	}
	require.NoError(t, os.Remove(dir))
	require.NoError(t, os.Rename(dir+" away", dir))
	_, err = s.Visit(t.Context(), "a")
	assert.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.mp3"), []byte("another"), 0o600))
	_, err = s.Visit(t.Context(), "a")
	assert.ErrorIs(t, err, fs.ErrNotExist, "it is another recording now")
}
