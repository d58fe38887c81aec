package folder

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func write(t *testing.T, dir, name, content string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
}

func TestList(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b.mp3", "a.WAV", "c\n\".m4a"} {
		write(t, dir, name, "x")
	}
	write(t, dir, "empty.mp3", "")
	write(t, dir, ".hidden.mp3", "x")
	write(t, dir, "notes.txt", "x")
	require.NoError(t, os.Mkdir(filepath.Join(dir, "folder.mp3"), 0o700))
	require.NoError(t, os.Symlink("b.mp3", filepath.Join(dir, "link.mp3")))
	require.NoError(t, os.Symlink("nowhere", filepath.Join(dir, "dangling.mp3")))
	l, err := List(dir)
	require.NoError(t, err)
	var names []string
	for _, r := range l.Recordings {
		names = append(names, r.Name)
	}
	assert.Equal(t, []string{"a.WAV", "b.mp3", "c\n\".m4a", "link.mp3"}, names)
	assert.Equal(t, []string{"empty.mp3"}, l.Empty)
	assert.Equal(t, 1, l.Other)
	_, err = List(filepath.Join(dir, "none"))
	assert.ErrorIs(t, err, fs.ErrNotExist)
}

func TestKey(t *testing.T) {
	dir := t.TempDir()
	key := func(name, content string) string {
		write(t, dir, name, content)
		k, err := Recording{Name: name, Size: int64(len(content))}.Key(dir)
		require.NoError(t, err)
		return k
	}
	first := key("a.mp3", "one")
	assert.Regexp(t, `^[0-9a-f]{32}$`, first)
	assert.Equal(t, first, key("a.mp3", "one"), "a copy of the file is the same recording")
	assert.NotEqual(t, first, key("a.mp3", "two"), "another recording under the same name")
	assert.NotEqual(t, first, key("b.mp3", "one"), "the same bytes under another name")
	large := strings.Repeat("x", 5<<20)
	changed := []byte(large)
	copy(changed[3<<20:], bytes.Repeat([]byte("y"), 1<<20))
	assert.NotEqual(t, key("c.mp3", large), key("c.mp3", string(changed)))
	assert.NotEqual(t, key("c.mp3", large), key("c.mp3", large+"x"))
}

func TestUnchanged(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.mp3", "one")
	l, err := List(dir)
	require.NoError(t, err)
	r := l.Recordings[0]
	assert.NoError(t, r.Unchanged(dir))
	write(t, dir, "a.mp3", "more")
	assert.ErrorIs(t, r.Unchanged(dir), fs.ErrNotExist)
	require.NoError(t, os.Remove(filepath.Join(dir, "a.mp3")))
	assert.ErrorIs(t, r.Unchanged(dir), fs.ErrNotExist)
}

func TestSettler(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	a, grown := Recording{"a.mp3", 1, start}, Recording{"a.mp3", 2, start}
	touched := Recording{"a.mp3", 2, start.Add(time.Second)}
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	s := &Settler{For: 30 * time.Second}
	list := func(r ...Recording) Listing { return Listing{Recordings: r} }
	assert.Empty(t, s.Settled(list(a), at(0)), "nobody has watched it yet, however old it is")
	assert.Empty(t, s.Settled(list(a), at(29)))
	assert.Equal(t, []Recording{a}, s.Settled(list(a), at(30)))
	assert.Empty(t, s.Settled(list(grown), at(31)))
	assert.Empty(t, s.Settled(list(touched), at(60)), "also where its size stays")
	assert.Empty(t, s.Settled(list(), at(70)))
	assert.Empty(t, s.Settled(list(touched), at(91)), "it was away in between")
	assert.Equal(t, []Recording{touched}, s.Settled(list(touched), at(121)))
	assert.Len(t, (&Settler{}).Settled(list(a), at(0)), 1)
}
