package main

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// usagef is a command that cannot be right.
func usagef(format string, args ...any) error {
	return &failure{code: exitUsage, text: fmt.Sprintf(format, args...)}
}

// usageFailure is an error of cobra's.
func usageFailure(cmd *cobra.Command, err error) *failure {
	return &failure{code: exitUsage, text: err.Error() + "; see " + cmd.CommandPath() + " --help"}
}

// flagProblem says what is wrong with a flag. It does not repeat what was typed
// for it, which may be the name of a recording.
func flagProblem(err error) error {
	if e, ok := errors.AsType[*pflag.NotExistError](err); ok {
		if e.GetSpecifiedShortnames() != "" {
			return fmt.Errorf("unknown flag -%.1s", e.GetSpecifiedName())
		}
		return fmt.Errorf("unknown flag --%s", printable(e.GetSpecifiedName()))
	}
	if e, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return fmt.Errorf("--%s needs a value", e.GetFlag().Name)
	}
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return fmt.Errorf("--%s takes %s", e.GetFlag().Name, kindOfValue(e.GetFlag().Value.Type()))
	}
	return errors.New("a flag is malformed")
}

func kindOfValue(flagType string) string {
	switch flagType {
	case "int", "int64", "int64Slice":
		return "a whole number"
	case "duration":
		return "a time such as 90s or 20m"
	}
	return "another value"
}

// printable is a word that the user typed, without control characters.
func printable(s string) string {
	quoted := strconv.Quote(s)
	return quoted[1 : len(quoted)-1]
}

func noSubcommand(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return errors.New("there is no such command")
}

// exactly lets a command have n arguments.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != n {
			return fmt.Errorf("%s, not %d arguments", what, len(args))
		}
		return nil
	}
}

// parseID reads the id of a job.
func parseID(s string) (int64, error) {
	id, err := strconv.ParseInt(s, 10, 64)
	if err != nil || id < 1 {
		return 0, usagef("an id is a whole number above 0, as ambient printed it")
	}
	return id, nil
}
