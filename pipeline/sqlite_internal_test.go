package pipeline

import (
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// SQLite refuses at once to turn a file to WAL while another writes it, as when two processes make it. Open waits.
func TestOpenWaitsForWAL(t *testing.T) {
	path := filepath.Join(t.TempDir(), "visits.db")
	other, err := sql.Open("sqlite", dataSource(path)+"?_txlock=immediate")
	require.NoError(t, err)
	defer other.Close()
	tx, err := other.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	const held = 200 * time.Millisecond
	begin := time.Now()
	time.AfterFunc(held, func() { assert.NoError(t, tx.Rollback()) })
	s, err := openStore(t.Context(), "sqlite:"+path)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, time.Since(begin), held)
	require.NoError(t, s.close())
}

// Of many that ask at once for the one place to run, one gets it. Of exclusive transactions SQLite may refuse all.
func TestLockFileAtOnce(t *testing.T) {
	for range 200 {
		path := filepath.Join(t.TempDir(), "visits.db.run")
		holders := 0
		results := make(chan error)
		for range 3 {
			go func() {
				unlock, err := lockFile(t.Context(), path)
				if err == nil {
					t.Cleanup(func() { assert.NoError(t, unlock()) })
				}
				results <- err
			}()
		}
		for range 3 {
			if err := <-results; err == nil {
				holders++
			} else {
				require.ErrorIs(t, err, ErrInUse)
			}
		}
		require.Equal(t, 1, holders)
	}
}
