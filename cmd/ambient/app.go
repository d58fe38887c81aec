package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/ambient-scribe/ambient-go/ambienttest"
)

type (
	input  = io.Reader
	output = io.Writer
)

// An app is one run of the command.
type app struct {
	process
	*reporter

	json          bool
	quiet         bool
	verbose       bool
	username      string
	credentials   string
	passwordStdin bool
	useFake       bool

	fake      *ambienttest.Server // of --fake, once it was needed
	stdinUsed string              // what reads stdin
}

// run runs the command with these arguments and returns its exit code.
func run(ctx context.Context, p process, args []string) int {
	a := &app{process: p, reporter: &reporter{w: p.stderr, width: p.columns}}
	defer a.close()
	root := a.rootCommand()
	root.SetArgs(args)
	root.SetIn(p.stdin)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	f, ok := errors.AsType[*failure](err)
	if !ok { // of cobra: all others went through explain
		f = usageFailure(cmd, err)
	}
	if f.text != "" {
		a.fail(f.text)
	}
	return f.code
}

// close ends what the command began.
func (a *app) close() {
	a.reporter.stop()
	if a.fake != nil {
		a.fake.Close()
	}
}

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "ambient",
		Short: "Transcripts and clinical notes of recorded visits",
		Long: `Transcripts and clinical notes of recorded visits: the command line of the
Ambient AI Scribe API.

Results go to stdout, all else to stderr. The user name and password of the
service account come from AMBIENT_USERNAME and AMBIENT_PASSWORD, from
--credentials FILE, or the password from --password-stdin; AMBIENT_BASE_URL
names another address of the API. Without an account, try --fake.

` + exitHelp,
		Args:               noSubcommand,
		RunE:               func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors:      true,
		SilenceUsage:       true,
		DisableSuggestions: true,
		Version:            versionText(),
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return flagProblem(err) })
	flags := root.PersistentFlags()
	flags.BoolVar(&a.json, "json", false, "print results as JSON, one object a line")
	flags.BoolVarP(&a.quiet, "quiet", "q", false, "print nothing but results, warnings and errors")
	flags.BoolVarP(&a.verbose, "verbose", "v", false, "log every request to stderr, without patient data")
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		a.reporter.quiet = a.quiet
		return nil
	}
	root.AddCommand(
		a.transcribeCommand(), a.noteCommand(), a.getCommand(), a.waitCommand(), a.regenerateCommand(),
		a.batchCommand(), a.watchCommand(), a.statusCommand(), a.resolveCommand(), a.workerCommand(), a.addCommand(),
		a.doctorCommand(), a.fakeCommand(), a.versionCommand(),
	)
	return root
}

// runner makes a run function of cobra's from one of ours, whose errors it
// explains.
func runner(f func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		err := f(cmd.Context(), args)
		if err == nil {
			return nil
		}
		return explain(cmd.Context(), err)
	}
}
