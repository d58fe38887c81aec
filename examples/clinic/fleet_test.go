//go:build unix

package main

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Two servers share a database and a directory. A session and a recording that one has begun go on at the other, and
// what one has closed when it is killed is submitted once.
func TestFleet(t *testing.T) {
	t.Parallel()
	database := "DATABASE_URL=" + startPostgres(t)
	dir := t.TempDir()
	one := startClinic(t, dir)
	one.kill()
	one.env = append(one.env, database)
	one.start()
	two := &clinic{t: t, addr: freeAddr(t), data: one.data, api: one.api, env: one.env}
	two.args = []string{"-addr", two.addr, "-data", two.data, "-templates", "1", "-v"}
	two.start()
	t.Cleanup(two.kill)

	const id = "aaaaaaaa-1111-4111-8111-111111111111"
	d := signInDoctor(t, "http://"+one.addr)
	at := func(c *clinic) *doctor { return &doctor{t, "http://" + c.addr, d.client, d.csrf} }
	d.json("PUT", "/recordings/"+id, map[string]any{"code": "SYN-11", "type": "audio/webm", "started": "2026-01-02T03:04:05Z"})
	var digests []string
	var whole []byte
	for n, c := range []*clinic{one, two, one, two} {
		chunk := fmt.Appendf(nil, "synthetic chunk %d", n)
		sum := sha256.Sum256(chunk)
		at(c).do("PUT", fmt.Sprintf("/recordings/%s/chunks/%d", id, n), chunk, "Content-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(sum[:])+":")
		digests, whole = append(digests, fmt.Sprintf("%x", sum)), append(whole, chunk...)
	}
	at(one).json("POST", "/recordings/"+id+"/close", map[string]any{"chunks": digests, "interrupted": false})
	one.kill()
	eventually(t, "the note", func() bool { return at(two).status("GET", "/recordings/"+id+"/result") == http.StatusOK })
	sent := one.api.RequestsTo("POST /transcribe")
	require.Len(t, sent, 1)
	assert.Equal(t, digestOf(whole), sent[0].Files[0].SHA256)
}

// startPostgres starts a PostgreSQL of the test's own, under a user of no rights where the test is root, as PostgreSQL
// wants it.
func startPostgres(t *testing.T) (url string) {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	require.NoError(t, err)
	if len(found) == 0 && os.Getenv("CI") != "true" {
		t.Skip("this test needs Debian's PostgreSQL")
	}
	require.NotEmpty(t, found, "Debian's PostgreSQL")
	dir, err := os.MkdirTemp("", "clinic-postgres-")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	command := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(found[0], name), args...)
		cmd.Dir = dir
		if os.Getuid() == 0 {
			const nobody = 65534
			require.NoError(t, os.Chown(dir, nobody, nobody))
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		}
		return cmd
	}
	out, err := command("initdb", "-D", filepath.Join(dir, "data"), "-U", "clinic", "-A", "trust", "-E", "UTF8").CombinedOutput()
	require.NoError(t, err, "%s", out)
	addr := freeAddr(t)
	host, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	log := new(lockedBuffer)
	cmd := command("postgres", "-D", filepath.Join(dir, "data"), "-h", host, "-p", port, "-k", dir)
	cmd.Stdout, cmd.Stderr = log, log
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		_ = cmd.Wait()
	})
	eventually(t, "PostgreSQL", func() bool {
		return exec.Command(filepath.Join(found[0], "pg_isready"), "-h", host, "-p", port, "-U", "clinic").Run() == nil
	})
	return "postgres://clinic@" + addr + "/postgres?sslmode=disable"
}
