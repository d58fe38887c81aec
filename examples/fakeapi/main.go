// Fakeapi serves the fake API for experiments by hand and for clients in other
// languages. It prints a shell script with one curl command for each endpoint.
//
//	go run ./examples/fakeapi [flags]
//
// It has one account, a synthetic transcript and a synthetic note. Nothing is
// stored.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"text/template"
	"time"

	"github.com/ambient-scribe/ambient-go/ambienttest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("fakeapi", flag.ExitOnError)
	addr := flags.String("addr", "127.0.0.1:0", "address to listen on; port 0 is any free one")
	stay := flags.Duration("for", 0, "stop after this long; 0 is until Ctrl-C")
	jobTime := flags.Duration("job-time", 5*time.Second, "how long a transcription or a scribe takes")
	limit := flags.Int("limit", 0, "requests per minute; 0 is no limit")
	flags.Parse(args)
	if *stay > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, *stay)
		defer cancel()
	}

	// ambienttest.NewServer chooses its port. A server around the fake's handler
	// can listen on the address in -addr.
	fake := ambienttest.NewInMemory(
		ambienttest.WithJobTime(*jobTime),
		ambienttest.WithRateLimit(ambienttest.RateLimit{Limit: *limit, Window: time.Minute, Dialect: ambienttest.XRateLimit}),
	)
	defer fake.Close()
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: fake.Handler(), ReadHeaderTimeout: time.Minute}
	closed := context.AfterFunc(ctx, func() { server.Close() })
	defer closed()

	if err := script.Execute(stdout, map[string]any{
		"URL":      "http://" + listener.Addr().String() + ambienttest.BasePath,
		"Username": fake.Username,
		"Password": fake.Password,
		"JobTime":  *jobTime,
	}); err != nil {
		return err
	}
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// The script uses the ids of the first two jobs. It reads the token with sed, so
// that it needs no other tool.
var script = template.Must(template.New("script").Parse(`# A fake of the Ambient AI Scribe API, with synthetic data. Ctrl-C stops it.
# For this SDK:
export AMBIENT_BASE_URL={{.URL}}
export AMBIENT_USERNAME={{.Username}}
export AMBIENT_PASSWORD={{.Password}}

# Get a token.
TOKEN=$(curl -sS $AMBIENT_BASE_URL/auth/token \
  --data-urlencode username=$AMBIENT_USERNAME --data-urlencode password=$AMBIENT_PASSWORD |
  sed 's/.*"access_token": *"\([^"]*\)".*/\1/')

# Submit a recording (at the top of this repository). The first job is 101.
curl -sS $AMBIENT_BASE_URL/transcribe -H "Authorization: Bearer $TOKEN" \
  -F audio_file=@testdata/visit.mp3 -F date_of_service=2025-11-06T14:05:00Z \
  -F 'additional_context={"age": 47}'; echo

# Ask for its transcript, again and again: it is there after {{.JobTime}}.
curl -sS $AMBIENT_BASE_URL/transcribe/101 -H "Authorization: Bearer $TOKEN"; echo

# Have a note written. This job is 102.
curl -sS $AMBIENT_BASE_URL/scribe -H "Authorization: Bearer $TOKEN" \
  -F template_ids=1 -F 'transcripts=Doctor: What brings you in today?'; echo

# Ask for it.
curl -sS $AMBIENT_BASE_URL/scribe/102 -H "Authorization: Bearer $TOKEN"; echo

# Have it written anew from a recording, under the same id.
curl -sS $AMBIENT_BASE_URL/scribe/102/regenerate/audio -H "Authorization: Bearer $TOKEN" \
  -F audio_files=@testdata/visit.mp3; echo
curl -sS $AMBIENT_BASE_URL/scribe/102 -H "Authorization: Bearer $TOKEN"; echo

# See an error.
curl -sS $AMBIENT_BASE_URL/transcribe/999 -H "Authorization: Bearer $TOKEN"; echo
`))
