// Clinic is a web application that records visits in the browser, keeps what it has recorded through crashes, lost
// networks and expired sessions, and shows the note of each visit.
//
//	go run -C examples/clinic .
//
// Without AMBIENT_USERNAME it starts a fake API and keeps its data in a temporary directory. The README says what else
// can be set.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/ambient-scribe/ambient-go/examples/clinic/notes"
	"github.com/ambient-scribe/ambient-go/examples/clinic/recording"
	"github.com/ambient-scribe/ambient-go/examples/clinic/server"
	"github.com/ambient-scribe/ambient-go/examples/clinic/web"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// grace is how long browsers' requests and submits in flight have at a shutdown.
const grace = 15 * time.Second

type settings struct {
	addr, data, templates string
	https, verbose        bool
	lifetime              time.Duration
	rate                  float64
}

func parse(args []string) settings {
	var set settings
	flags := flag.NewFlagSet("clinic", flag.ExitOnError)
	flags.StringVar(&set.addr, "addr", "127.0.0.1:8080", "address to listen on")
	flags.StringVar(&set.data, "data", "", "directory of the data; empty is a temporary one, removed at the end")
	flags.StringVar(&set.templates, "templates", "", "ids of the templates of the note, with commas; none is a transcript alone")
	flags.BoolVar(&set.https, "https", false, "browsers come by https, through a proxy that ends TLS")
	flags.BoolVar(&set.verbose, "v", false, "log each request")
	flags.DurationVar(&set.lifetime, "session", 12*time.Hour, "lifetime of a session")
	flags.Float64Var(&set.rate, "rate", 20, "requests a second of one user that change something")
	flags.Parse(args)
	return set
}

func run(ctx context.Context, args []string, stderr io.Writer) error {
	set := parse(args)
	log := logger(stderr, set.verbose)
	users, err := usersFrom(os.Getenv("CLINIC_USERS"), stderr)
	if err != nil {
		return err
	}
	registry := newRegistry()
	metrics, err := instrument(registry)
	if err != nil {
		return err
	}
	api, err := connect(set.templates, stderr, metrics)
	if err != nil {
		return err
	}
	defer api.close()
	dir, remove, err := dataDir(set.data)
	if err != nil {
		return err
	}
	defer remove()
	store, err := recording.Open(filepath.Join(dir, "store"))
	if err != nil {
		return err
	}
	defer store.Close()
	desk, err := notes.Open(ctx, databaseURL(dir), notes.Config{Store: store, Client: api.client, Templates: api.templates, Logger: log})
	if err != nil {
		return err
	}
	defer desk.Close()
	site, err := server.New(server.Config{
		Store: store, Notes: desk, Sessions: filepath.Join(dir, "sessions"), Users: users, Page: web.Page, Sample: api.sample,
		Secure: set.https, Lifetime: set.lifetime, Rate: set.rate, Logger: log, Registry: registry,
	})
	if err != nil {
		return err
	}
	return runAll(ctx, desk, site, set.addr, stderr)
}

// runAll answers browsers and works on visits until ctx ends or one of the two fails.
func runAll(ctx context.Context, desk *notes.Notes, site *server.Server, addr string, stderr io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	worked := make(chan error, 1)
	go func() {
		defer cancel()
		worked <- desk.Run(ctx, grace)
	}()
	err := serve(ctx, site, addr, stderr)
	cancel()
	return errors.Join(err, <-worked)
}

// serve answers browsers until ctx ends, and then lets requests in flight come to their end.
func serve(ctx context.Context, site *server.Server, addr string, stderr io.Writer) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	fmt.Fprintf(stderr, "Open http://%s\n", listener.Addr())
	web := &http.Server{
		Handler:           site.Handler(),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(site.Logger.Handler(), slog.LevelWarn),
	}
	ended := make(chan error, 1)
	go func() { ended <- web.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	site.Stop()
	within, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	return web.Shutdown(within)
}

// databaseURL is DATABASE_URL, for a fleet, or a file beside the recordings.
func databaseURL(dir string) string {
	return cmp.Or(os.Getenv("DATABASE_URL"), "sqlite:"+filepath.Join(dir, "visits.db"))
}

// dataDir makes the directory of the data, and says how to remove it if it is a temporary one.
func dataDir(dir string) (string, func(), error) {
	if dir != "" {
		return dir, func() {}, os.MkdirAll(dir, 0o700)
	}
	dir, err := os.MkdirTemp("", "clinic-")
	return dir, func() { os.RemoveAll(dir) }, err
}

// usersFrom reads "user:password,user:password", or makes up a password for the demo.
func usersFrom(list string, stderr io.Writer) (map[string]string, error) {
	if list == "" {
		password := demoPassword()
		fmt.Fprintf(stderr, "Sign in as doctor with the password %s\n", password)
		return map[string]string{"doctor": password}, nil
	}
	users := map[string]string{}
	for pair := range strings.SplitSeq(list, ",") {
		user, password, found := strings.Cut(pair, ":")
		if !found || user == "" || password == "" {
			return nil, errors.New("CLINIC_USERS is not user:password,user:password")
		}
		users[user] = password
	}
	return users, nil
}

func logger(w io.Writer, verbose bool) *slog.Logger {
	level := slog.LevelInfo
	if verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}))
}
