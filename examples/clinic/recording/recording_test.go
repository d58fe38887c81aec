package recording_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ambient-scribe/ambient-go/examples/clinic/recording"
)

const (
	idA = "11111111-1111-4111-8111-111111111111"
	idB = "22222222-2222-4222-8222-222222222222"
)

func open(t *testing.T) (*recording.Store, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	s, err := recording.Open(dir)
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return s, dir
}

func visit(id, code string) recording.Recording {
	return recording.Recording{ID: id, Code: code, Owner: "synthetic-doctor", Type: "audio/webm;codecs=opus", Started: time.Unix(1e9, 0).UTC()}
}

func create(t *testing.T, s *recording.Store, id string) {
	t.Helper()
	_, err := s.Create(visit(id, "SYN-"+id[:4]))
	require.NoError(t, err)
}

func chunk(n int) []byte { return bytes.Repeat(fmt.Appendf(nil, "synthetic chunk %d.", n), 100) }

func digest(b []byte) recording.Digest { return sha256.Sum256(b) }

func put(s *recording.Store, id string, n int, b []byte) (bool, error) {
	return s.Put(id, n, digest(b), bytes.NewReader(b))
}

func list(count int) []recording.Digest {
	digests := make([]recording.Digest, count)
	for n := range digests {
		digests[n] = digest(chunk(n))
	}
	return digests
}

func whole(t *testing.T, s *recording.Store, id string) []byte {
	t.Helper()
	r, err := s.Recording(id)
	require.NoError(t, err)
	path, err := s.Audio(r)
	require.NoError(t, err)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return data
}

// Chunks come in any order and twice, and the recording is what the browser had.
func TestAnyOrderAndTwice(t *testing.T) {
	s, _ := open(t)
	create(t, s, idA)
	const count = 40
	var want []byte
	for n := range count {
		want = append(want, chunk(n)...)
	}
	for _, n := range rand.Perm(count) {
		stored, err := put(s, idA, n, chunk(n))
		require.NoError(t, err)
		assert.True(t, stored)
		stored, err = put(s, idA, n, chunk(n))
		require.NoError(t, err)
		assert.False(t, stored, "the second time")
	}
	ended, err := s.End(idA, list(count), false)
	require.NoError(t, err)
	assert.True(t, ended)
	assert.Equal(t, want, whole(t, s, idA))

	ending, err := s.Ending(idA)
	require.NoError(t, err)
	assert.Equal(t, digest(want), ending.Digest)
	assert.EqualValues(t, len(want), ending.Size)
}

func TestWhatPutRefuses(t *testing.T) {
	s, _ := open(t)
	create(t, s, idA)
	_, err := put(s, idA, 0, chunk(0))
	require.NoError(t, err)
	broken := errors.New("the browser went away")

	for _, c := range []struct {
		name string
		want error
		put  func() (bool, error)
	}{
		{"a number that another chunk has", recording.ErrConflict, func() (bool, error) { return put(s, idA, 0, chunk(7)) }},
		{"an altered chunk", recording.ErrDigest, func() (bool, error) { return s.Put(idA, 1, digest(chunk(1)), strings.NewReader("altered")) }},
		{"an altered chunk whose number is there", recording.ErrDigest, func() (bool, error) { return s.Put(idA, 0, digest(chunk(0)), strings.NewReader("altered")) }},
		{"an empty chunk", recording.ErrEmpty, func() (bool, error) { return put(s, idA, 1, nil) }},
		{"a chunk above the limit", recording.ErrTooLarge, func() (bool, error) { return put(s, idA, 1, make([]byte, recording.MaxChunk+1)) }},
		{"a negative number", recording.ErrInvalid, func() (bool, error) { return put(s, idA, -1, chunk(1)) }},
		{"a number above the limit", recording.ErrInvalid, func() (bool, error) { return put(s, idA, recording.MaxChunks, chunk(1)) }},
		{"an unknown recording", recording.ErrNotFound, func() (bool, error) { return put(s, idB, 0, chunk(0)) }},
		{"a path for an id", recording.ErrNotFound, func() (bool, error) { return put(s, "../"+idA, 0, chunk(0)) }},
		{"a body that breaks off", broken, func() (bool, error) { return s.Put(idA, 1, digest(chunk(1)), iotest.ErrReader(broken)) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			stored, err := c.put()
			assert.ErrorIs(t, err, c.want)
			assert.False(t, stored)
		})
	}
	have, err := s.Have(idA)
	require.NoError(t, err)
	assert.Equal(t, []int{0}, have, "nothing of what was refused is there")
	largest := make([]byte, recording.MaxChunk)
	stored, err := put(s, idA, 1, largest)
	assert.NoError(t, err)
	assert.True(t, stored, "a chunk of the largest size")
}

func TestEndRefusesGaps(t *testing.T) {
	s, _ := open(t)
	create(t, s, idA)
	for _, n := range []int{0, 2, 5} {
		_, err := put(s, idA, n, chunk(n))
		require.NoError(t, err)
	}
	var gap *recording.GapError
	_, err := s.End(idA, list(5), false)
	require.ErrorAs(t, err, &gap)
	assert.Equal(t, &recording.GapError{Missing: []int{1, 3, 4}, Different: []int{5}}, gap)

	for _, n := range []int{1, 3, 4} {
		_, err := put(s, idA, n, chunk(n))
		require.NoError(t, err)
	}
	foreign := list(6)
	foreign[3] = digest([]byte("of another recording"))
	_, err = s.End(idA, foreign, false)
	require.ErrorAs(t, err, &gap)
	assert.Equal(t, &recording.GapError{Different: []int{3}}, gap)

	_, err = s.End(idA, nil, false)
	assert.ErrorIs(t, err, recording.ErrEmpty)
	_, err = s.End(idA, make([]recording.Digest, recording.MaxChunks+1), false)
	assert.ErrorIs(t, err, recording.ErrInvalid)
	_, err = s.End(idB, list(1), false)
	assert.ErrorIs(t, err, recording.ErrNotFound)

	ended, err := s.End(idA, list(6), false)
	require.NoError(t, err, "what was refused can be mended")
	assert.True(t, ended)
}

// A chunk that the disk has changed is found before the browser forgets it.
func TestEndReadsChunksBack(t *testing.T) {
	s, dir := open(t)
	create(t, s, idA)
	_, err := put(s, idA, 0, chunk(0))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "recordings", idA, "chunks", "000000"), []byte("rot"), 0o600))
	var gap *recording.GapError
	_, err = s.End(idA, list(1), false)
	require.ErrorAs(t, err, &gap)
	assert.Equal(t, []int{0}, gap.Different)
}

func TestAfterTheEnd(t *testing.T) {
	s, _ := open(t)
	create(t, s, idA)
	for n := range 2 {
		_, err := put(s, idA, n, chunk(n))
		require.NoError(t, err)
	}
	_, err := s.End(idA, list(2), false)
	require.NoError(t, err)

	ended, err := s.End(idA, list(2), false)
	assert.NoError(t, err, "the answer to the first call was lost")
	assert.False(t, ended)
	_, err = s.End(idA, list(1), false)
	assert.ErrorIs(t, err, recording.ErrClosed)
	stored, err := put(s, idA, 1, chunk(1))
	assert.NoError(t, err, "a late repetition")
	assert.False(t, stored)
	_, err = put(s, idA, 1, chunk(2))
	assert.ErrorIs(t, err, recording.ErrClosed)
	_, err = put(s, idA, 2, chunk(2))
	assert.ErrorIs(t, err, recording.ErrClosed)
	have, err := s.Have(idA)
	assert.NoError(t, err)
	assert.Empty(t, have)
}

func TestCreate(t *testing.T) {
	s, _ := open(t)
	first, err := s.Create(visit(idA, "SYN-0042"))
	require.NoError(t, err)
	assert.Equal(t, visit(idA, "SYN-0042"), first)

	again, err := s.Create(visit(idA, "SYN-0099"))
	require.NoError(t, err)
	assert.Equal(t, first, again, "the first call counts")

	second, err := s.Create(visit(idB, "SYN-0042"))
	require.NoError(t, err)
	assert.Equal(t, "SYN-0042-2", second.Code)
	found, err := s.ByCode("SYN-0042-2")
	require.NoError(t, err)
	assert.Equal(t, idB, found.ID)
	_, err = s.ByCode("SYN-0043")
	assert.ErrorIs(t, err, recording.ErrNotFound)
	_, err = s.ByCode("../recordings")
	assert.ErrorIs(t, err, recording.ErrNotFound)

	foreign := visit(idA, "SYN-0042")
	foreign.Owner = "another-doctor"
	_, err = s.Create(foreign)
	assert.ErrorIs(t, err, recording.ErrExists)

	for name, change := range map[string]func(*recording.Recording){
		"an id that is a path":  func(r *recording.Recording) { r.ID = "../../etc" },
		"an id in capitals":     func(r *recording.Recording) { r.ID = strings.ToUpper("aaaaaaaa-1111-4111-8111-111111111111") },
		"a code that is a name": func(r *recording.Recording) { r.Code = "JANE-DOE" },
		"a code in small":       func(r *recording.Recording) { r.Code = "syn-0042" },
		"a code with a slash":   func(r *recording.Recording) { r.Code = "SYN/0042" },
		"a code of 33":          func(r *recording.Recording) { r.Code = strings.Repeat("12", 16) + "3" },
		"no owner":              func(r *recording.Recording) { r.Owner = "" },
		"a type of video":       func(r *recording.Recording) { r.Type = "video/webm" },
		"no type":               func(r *recording.Recording) { r.Type = "" },
		"no time":               func(r *recording.Recording) { r.Started = time.Time{} },
	} {
		r := visit("33333333-3333-4333-8333-333333333333", "SYN-0042")
		change(&r)
		_, err := s.Create(r)
		assert.ErrorIs(t, err, recording.ErrInvalid, name)
	}
}

// Of the longest codes the last letters give way to the number.
func TestLongCodesAreMadeUnique(t *testing.T) {
	s, _ := open(t)
	long := strings.Repeat("A1", 16)
	for n := range 12 {
		r, err := s.Create(visit(fmt.Sprintf("%08d-1111-4111-8111-111111111111", n), long))
		require.NoError(t, err)
		assert.True(t, recording.ValidCode(r.Code))
	}
}

// Whoever ends a recording at the same time as others gets the same answer, and the chunks are used once.
func TestConcurrentCalls(t *testing.T) {
	s, dir := open(t)
	create(t, s, idA)
	const count, tabs = 20, 4
	other, err := recording.Open(dir) // another process
	require.NoError(t, err)
	defer other.Close()
	var wg sync.WaitGroup
	stored := make(chan bool, count*tabs)
	for tab := range tabs {
		store := []*recording.Store{s, other}[tab%2]
		wg.Go(func() {
			for _, n := range rand.Perm(count) {
				first, err := put(store, idA, n, chunk(n))
				assert.NoError(t, err)
				stored <- first
			}
		})
	}
	wg.Wait()
	close(stored)
	firsts := 0
	for first := range stored {
		if first {
			firsts++
		}
	}
	assert.Equal(t, count, firsts)
	ended, err := s.End(idA, list(count), false)
	require.NoError(t, err)
	assert.True(t, ended)
	ended, err = other.End(idA, list(count), false)
	require.NoError(t, err)
	assert.False(t, ended)
}

func TestResult(t *testing.T) {
	s, _ := open(t)
	create(t, s, idA)
	var got map[string]string
	assert.ErrorIs(t, s.Result(idA, &got), recording.ErrNotFound)
	assert.False(t, s.HasResult(idA))
	require.NoError(t, s.SaveResult(idA, map[string]string{"note": "first"}))
	require.NoError(t, s.SaveResult(idA, map[string]string{"note": "second"}))
	require.NoError(t, s.Result(idA, &got))
	assert.Equal(t, map[string]string{"note": "second"}, got)
	assert.True(t, s.HasResult(idA))
	assert.ErrorIs(t, s.SaveResult("..", got), recording.ErrNotFound)
}

// Nobody but the process reads what is kept, and a half-written file of a process that died is removed.
func TestModesAndOldTemps(t *testing.T) {
	s, dir := open(t)
	create(t, s, idA)
	_, err := put(s, idA, 0, chunk(0))
	require.NoError(t, err)
	_, err = s.End(idA, list(1), false)
	require.NoError(t, err)
	require.NoError(t, s.SaveResult(idA, "synthetic"))
	old, young := filepath.Join(dir, "tmp", "old"), filepath.Join(dir, "tmp", "young")
	for _, name := range []string{old, young} {
		require.NoError(t, os.WriteFile(name, nil, 0o600))
	}
	require.NoError(t, os.Chtimes(old, time.Time{}, time.Now().Add(-2*time.Hour)))

	again, err := recording.Open(dir)
	require.NoError(t, err)
	defer again.Close()
	assert.NoFileExists(t, old)
	assert.FileExists(t, young)
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := entry.Info()
		require.NoError(t, err)
		want := fs.FileMode(0o600)
		if entry.IsDir() {
			want = 0o700
		}
		assert.Equal(t, want, info.Mode().Perm(), entry.Name())
		return nil
	}))
	temps, err := os.ReadDir(filepath.Join(dir, "tmp"))
	require.NoError(t, err)
	assert.Len(t, temps, 1)
}

// A call that died between the code and the recording is made good by the next.
func TestCreateAfterACrash(t *testing.T) {
	s, dir := open(t)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "codes", "SYN-0042"), []byte(`"`+idA+`"`), 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "recordings", idA), 0o700))
	r, err := s.Create(visit(idA, "SYN-0042"))
	require.NoError(t, err)
	assert.Equal(t, "SYN-0042", r.Code)
	ids, err := s.IDs()
	require.NoError(t, err)
	assert.Equal(t, []string{idA}, ids)
}
