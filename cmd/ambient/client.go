package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
)

// fakeJobTime is how long a job of the embedded fake API takes.
const fakeJobTime = 2 * time.Second

// addClientFlags adds the flags of commands that call the API.
func (a *app) addClientFlags(cmd *cobra.Command) { a.addCredentialFlags(cmd) }

// addFakeFlag adds --fake to a command that submits and so needs no earlier job.
func (a *app) addFakeFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&a.useFake, "fake", false, "use a fake API inside this command: no account is needed, results are synthetic")
}

// client makes the client of the command. A submit that the service may have
// taken is not repeated. The exit code says so instead.
func (a *app) client() (*ambient.Client, error) {
	opts := []ambient.Option{
		ambient.WithUserAgent("ambient-cli/" + ambient.Version),
		ambient.WithRetryPolicy(ambient.RetryPolicy{Submits: ambient.RetrySafe}),
		ambient.WithObserver(a.observe),
	}
	if a.verbose {
		opts = append(opts, ambient.WithLogger(a.logger()))
	}
	if a.useFake {
		opts = append(opts, a.fakeOptions()...)
		return ambient.NewClient(opts...)
	}
	account, err := a.accountOption()
	if err != nil {
		return nil, err
	}
	opts = append(opts, account)
	if url := a.getenv("AMBIENT_BASE_URL"); url != "" {
		opts = append(opts, ambient.WithBaseURL(url))
	}
	return ambient.NewClient(opts...)
}

// logger logs every request, without patient data.
func (a *app) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(a.reporter, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// fakeOptions starts the fake API and leads the client to it.
func (a *app) fakeOptions() []ambient.Option {
	a.fake = ambienttest.NewServer(ambienttest.WithJobTime(fakeJobTime))
	a.warn("--fake: a fake API inside this command gives synthetic results; its jobs end with the command")
	return []ambient.Option{
		ambient.WithBaseURL(a.fake.URL),
		ambient.WithCredentials(a.fake.Username, a.fake.Password),
	}
}

// withTimeout bounds a context by --timeout, where 0 is no bound.
func withTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d)
}

func addTimeoutFlag(cmd *cobra.Command, d *time.Duration) {
	cmd.Flags().DurationVar(d, "timeout", 0, "give up after this `time`, such as 20m; the job goes on; 0 is never")
}
