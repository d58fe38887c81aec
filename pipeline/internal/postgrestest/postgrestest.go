// Package postgrestest starts a PostgreSQL for a test on loopback, from what the system has installed.
package postgrestest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

// ErrAbsent says that no PostgreSQL is installed.
var ErrAbsent = errors.New("PostgreSQL is not installed (Debian: apt-get install postgresql)")

// Server is a PostgreSQL cluster. Its Dir holds the data directory and the log.
type Server struct {
	Dir  string
	bin  string
	port int
	user *account  // nil for the one that runs the program
	cmd  *exec.Cmd // the server
}

// Start makes a cluster in a new directory below dir and starts it, with settings given as name=value. PostgreSQL does
// not run as root, so root runs it as the system's user postgres.
func Start(dir string, settings ...string) (*Server, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	s := &Server{bin: bin}
	if s.user, err = unprivileged(); err != nil {
		return nil, err
	}
	if s.Dir, err = os.MkdirTemp(dir, "postgres-"); err != nil {
		return nil, err
	}
	if s.user != nil {
		if err := os.Chown(s.Dir, s.user.uid, s.user.gid); err != nil {
			return nil, err
		}
	}
	if err := s.run("initdb", "--pgdata="+s.data(), "--auth=trust", "--username=ambient", "--encoding=UTF8", "--locale=C"); err != nil {
		return nil, err
	}
	if s.port, err = freePort(); err != nil {
		return nil, err
	}
	settings = append([]string{
		"listen_addresses=127.0.0.1", "port=" + strconv.Itoa(s.port), "unix_socket_directories=" + s.Dir, "max_connections=200",
	}, settings...)
	conf, err := os.OpenFile(filepath.Join(s.data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	for _, setting := range settings {
		name, value, _ := strings.Cut(setting, "=")
		fmt.Fprintf(conf, "%s = '%s'\n", name, value)
	}
	if err := conf.Close(); err != nil {
		return nil, err
	}
	return s, s.Resume()
}

// Resume starts a cluster that was stopped, and waits until it answers. It ends with the program.
func (s *Server) Resume() error {
	log, err := os.OpenFile(filepath.Join(s.Dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	s.cmd = exec.Command(filepath.Join(s.bin, "postgres"), "-D", s.data())
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = s.Dir, log, log
	s.cmd.SysProcAttr = attributes(s.user)
	if err := s.cmd.Start(); err != nil {
		return err
	}
	db, err := sql.Open("pgx", s.URL("postgres"))
	if err != nil {
		return err
	}
	defer db.Close()
	for range 600 {
		if err = db.PingContext(context.Background()); err == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return err
}

// StopAndWait stops the cluster cleanly, and returns what it has used.
func (s *Server) StopAndWait() (*os.ProcessState, error) {
	err := s.end(syscall.SIGINT)
	return s.cmd.ProcessState, err
}

// Crash stops the cluster at once, as a crash of the server would. PostgreSQL calls that an immediate stop.
func (s *Server) Crash() error { return s.end(syscall.SIGQUIT) }

func (s *Server) end(signal syscall.Signal) error {
	if err := s.cmd.Process.Signal(signal); err != nil {
		return err
	}
	_ = s.cmd.Wait() // a crash has an exit status
	return nil
}

// Close stops the cluster and removes its directory.
func (s *Server) Close() error { return errors.Join(s.Crash(), os.RemoveAll(s.Dir)) }

// URL is that of a database of the cluster.
func (s *Server) URL(database string) string {
	return fmt.Sprintf("postgres://ambient@127.0.0.1:%d/%s?sslmode=disable", s.port, database)
}

// Create makes a database and returns its URL.
func (s *Server) Create(ctx context.Context, name string) (string, error) {
	db, err := sql.Open("pgx", s.URL("postgres"))
	if err != nil {
		return "", err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, "CREATE DATABASE "+name)
	return s.URL(name), err
}

func (s *Server) data() string { return filepath.Join(s.Dir, "data") }

func (s *Server) run(name string, args ...string) error {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir = s.Dir
	cmd.SysProcAttr = attributes(s.user)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return nil
}

// binaries is the directory of the newest version that is installed.
func binaries() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return "", ErrAbsent
	}
	return filepath.Dir(found[len(found)-1]), nil
}

// An account of the system that is not root.
type account struct{ uid, gid int }

func unprivileged() (*account, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, ErrAbsent
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	return &account{uid, gid}, errors.Join(err1, err2)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
