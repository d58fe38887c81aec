package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"text/template"
	"time"

	"github.com/spf13/cobra"

	"github.com/ambient-scribe/ambient-go/ambienttest"
)

type fake struct {
	*app
	addr           string
	stay           time.Duration
	jobTime        time.Duration
	limit          int
	tokenLifetime  time.Duration
	templates      []int64
	faults         []string
	transcriptions []string
	scribes        []string
}

func (a *app) fakeCommand() *cobra.Command {
	c := &fake{app: a}
	cmd := &cobra.Command{
		Use:   "fake",
		Short: "Serve a fake of the API for trying things out",
		Long: `Serve a fake of the API until Ctrl-C. It knows one account, gives synthetic
transcripts and notes, and forgets everything when it stops. What it prints is a
shell script: paste the lines you want.

--fault "ROUTE WHICH WHAT" makes requests go wrong: "POST /transcribe 1 503" is
the first submit, "GET /transcribe/{id} 2-4 lost" the second to fourth look at a
job, "* 1-10 429:5" the first ten requests. WHAT is one of

    STATUS           that status, with the service's body for it
    STATUS:SECONDS   the same with a Retry-After
    html:STATUS      the page of a proxy
    slow:TIME        the usual answer, later
    cut              the connection is reset before the request is read
    lost             the work is done, and the connection reset with no answer
    half             half of the answer, and the connection is closed`,
		Args: exactly(0, "fake takes no arguments"),
		RunE: runner(c.run),
	}
	flags := cmd.Flags()
	flags.StringVar(&c.addr, "addr", "127.0.0.1:0", "listen on this `address`; port 0 is any free one")
	flags.DurationVar(&c.stay, "for", 0, "stop after this `time`; 0 is never")
	flags.DurationVar(&c.jobTime, "job-time", 5*time.Second, "how long a job takes")
	flags.IntVar(&c.limit, "limit", 0, "requests per minute; 0 is no limit")
	flags.DurationVar(&c.tokenLifetime, "token-lifetime", 48*time.Hour, "how long a token is good for")
	flags.Int64SliceVar(&c.templates, "template", nil, "let the account use this template `ID` only; may be repeated; default any")
	flags.StringArrayVar(&c.faults, "fault", nil, "make requests go wrong, see above; may be repeated")
	flags.StringSliceVar(&c.transcriptions, "transcriptions", nil, "what becomes of the first ones: `completed`,failed,incomplete")
	flags.StringSliceVar(&c.scribes, "scribes", nil, "what becomes of the first ones: `completed`,failed")
	return cmd
}

func (c *fake) run(ctx context.Context, _ []string) error {
	ctx, cancel := withTimeout(ctx, c.stay)
	defer cancel()
	api := ambienttest.NewInMemory(
		ambienttest.WithJobTime(c.jobTime),
		ambienttest.WithTokenLifetime(c.tokenLifetime),
		ambienttest.WithTemplates(c.templates...),
		ambienttest.WithRateLimit(ambienttest.RateLimit{Limit: c.limit, Window: time.Minute, Dialect: ambienttest.XRateLimit}),
	)
	defer api.Close()
	if err := c.plan(api); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", c.addr)
	if err != nil {
		return failuref(exitOther, "the address of --addr cannot be listened on: %s", reason(err))
	}
	server := &http.Server{Handler: api.Handler(), ReadHeaderTimeout: time.Minute}
	defer server.Close()
	defer context.AfterFunc(ctx, func() { server.Close() })()
	if err := c.announce(api, "http://"+listener.Addr().String()+ambienttest.BasePath); err != nil {
		return err
	}
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return failuref(exitOther, "the fake API ended: %s", reason(err))
	}
	return nil
}

// plan scripts the faults and the lives of jobs.
func (c *fake) plan(api *ambienttest.Server) error {
	for _, text := range c.faults {
		f, err := parseFault(text)
		if err != nil {
			return err
		}
		api.FaultRange(f.route, f.from, f.to, f.Fault)
	}
	for _, outcome := range c.transcriptions {
		life, ok := c.transcriptionLife(outcome)
		if !ok {
			return usagef("--transcriptions takes completed, failed and incomplete")
		}
		api.ScriptTranscription(life...)
	}
	for _, outcome := range c.scribes {
		life, ok := c.scribeLife(outcome)
		if !ok {
			return usagef("--scribes takes completed and failed")
		}
		api.ScriptScribe(life...)
	}
	return nil
}

func (c *fake) transcriptionLife(outcome string) (life []ambienttest.Step, ok bool) {
	switch outcome {
	case "completed":
		return ambienttest.TranscriptionCompletes(c.jobTime, "This is a synthetic visit with no real patient."), true
	case "failed":
		return ambienttest.TranscriptionFails(c.jobTime, "Synthetic failure."), true
	case "incomplete":
		return ambienttest.TranscriptionIncomplete(c.jobTime, "This is the first part of a synthetic visit"), true
	}
	return nil, false
}

func (c *fake) scribeLife(outcome string) (life []ambienttest.Step, ok bool) {
	switch outcome {
	case "completed":
		return ambienttest.ScribeCompletes(c.jobTime, map[string]any{"title": "Synthetic note, no real patient"}), true
	case "failed":
		return ambienttest.ScribeFails(c.jobTime), true
	}
	return nil, false
}

func (c *fake) announce(api *ambienttest.Server, url string) error {
	if c.json {
		return c.print("", map[string]string{"base_url": url, "username": api.Username, "password": api.Password})
	}
	script, err := template.New("script").Parse(fakeScript)
	if err != nil {
		return err
	}
	err = script.Execute(c.stdout, map[string]any{
		"URL": url, "Username": api.Username, "Password": api.Password, "JobTime": c.jobTime,
	})
	if err != nil {
		return failuref(exitOther, "the script could not be written: %s", reason(err))
	}
	return nil
}

// The ids are those of the first two jobs.
const fakeScript = `# A fake of the Ambient AI Scribe API, with synthetic data. Ctrl-C stops it.
# For this program and the SDK:
export AMBIENT_BASE_URL={{.URL}}
export AMBIENT_USERNAME={{.Username}}
export AMBIENT_PASSWORD={{.Password}}

# Get a token.
TOKEN=$(curl -sS $AMBIENT_BASE_URL/auth/token \
  --data-urlencode username=$AMBIENT_USERNAME --data-urlencode password=$AMBIENT_PASSWORD |
  sed 's/.*"access_token": *"\([^"]*\)".*/\1/')

# Submit a recording. The first job is 101.
curl -sS $AMBIENT_BASE_URL/transcribe -H "Authorization: Bearer $TOKEN" -F audio_file=@visit.mp3; echo

# Ask for its transcript, again and again: it is there after {{.JobTime}}.
curl -sS $AMBIENT_BASE_URL/transcribe/101 -H "Authorization: Bearer $TOKEN"; echo

# Have a note written. This job is 102.
curl -sS $AMBIENT_BASE_URL/scribe -H "Authorization: Bearer $TOKEN" \
  -F template_ids=1 -F 'transcripts=Doctor: What brings you in today?'; echo

# Ask for it.
curl -sS $AMBIENT_BASE_URL/scribe/102 -H "Authorization: Bearer $TOKEN"; echo
`
