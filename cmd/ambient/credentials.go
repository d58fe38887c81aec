package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	ambient "github.com/ambient-scribe/ambient-go"
)

const maxSecret = 64 << 10 // bytes of a password or a credentials file

// addCredentialFlags adds the flags of commands that call the API.
func (a *app) addCredentialFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&a.credentials, "credentials", "", "read user name and password from this `file`, of mode 0600: lines AMBIENT_USERNAME=... and AMBIENT_PASSWORD=...")
	flags.StringVar(&a.username, "username", "", "the service account's user `name`, instead of AMBIENT_USERNAME")
	flags.BoolVar(&a.passwordStdin, "password-stdin", false, "read the password from stdin")
	cmd.MarkFlagsMutuallyExclusive("credentials", "password-stdin")
	cmd.MarkFlagsMutuallyExclusive("credentials", "username")
}

// accountOption returns the credentials of the service account.
func (a *app) accountOption() (ambient.Option, error) {
	username, password := a.getenv("AMBIENT_USERNAME"), a.getenv("AMBIENT_PASSWORD")
	var err error
	switch {
	case a.credentials != "":
		username, password, err = readCredentials(a.credentials)
	case a.passwordStdin:
		password, err = a.readPassword()
	}
	if a.username != "" {
		username = a.username
	}
	switch {
	case err != nil:
		return nil, err
	case username == "":
		return nil, failuref(exitCredentials, "there is no user name: set AMBIENT_USERNAME and AMBIENT_PASSWORD or use --credentials FILE; without an account try --fake, or ambient fake")
	case password == "":
		return nil, failuref(exitCredentials, "there is no password: set AMBIENT_PASSWORD, or use --credentials FILE or --password-stdin")
	}
	return ambient.WithCredentials(username, password), nil
}

// readPassword reads the password from stdin, to its end and without its line
// break.
func (a *app) readPassword() (string, error) {
	if err := a.useStdin("--password-stdin"); err != nil {
		return "", err
	}
	b, err := io.ReadAll(io.LimitReader(a.stdin, maxSecret+1))
	if err != nil || len(b) > maxSecret {
		return "", failuref(exitCredentials, "the password cannot be read from stdin: pipe one line into the command")
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}

// useStdin lets one part of the command have stdin.
func (a *app) useStdin(what string) error {
	if a.stdinUsed != "" {
		return usagef("%s and %s both read stdin: give one of them another way", a.stdinUsed, what)
	}
	a.stdinUsed = what
	return nil
}

// readCredentials reads a file of lines NAME=VALUE, as systemd's EnvironmentFile
// has them. It is refused if others may read it.
func readCredentials(path string) (username, password string, err error) {
	b, err := readSecret(path)
	if err != nil {
		return "", "", err
	}
	for line := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch strings.TrimSpace(name) {
		case "AMBIENT_USERNAME":
			username = unquote(strings.TrimSpace(value))
		case "AMBIENT_PASSWORD":
			password = unquote(strings.TrimSpace(value))
		}
	}
	if username == "" || password == "" {
		return "", "", failuref(exitCredentials, "the credentials file needs a line AMBIENT_USERNAME=... and a line AMBIENT_PASSWORD=...")
	}
	return username, password, nil
}

func readSecret(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, failuref(exitCredentials, "the credentials file does not exist: check the path")
	} else if err != nil {
		return nil, failuref(exitCredentials, "the credentials file cannot be read: %s", reason(err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, failuref(exitCredentials, "the credentials file cannot be read: %s", reason(err))
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, failuref(exitCredentials, "others may use the credentials file, its mode is %04o: run chmod 600 on it, and change the password if others read it", mode)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxSecret))
	if err != nil {
		return nil, failuref(exitCredentials, "the credentials file cannot be read: %s", reason(err))
	}
	return b, nil
}

// unquote removes the quotes around a value, as systemd and shells do.
func unquote(s string) string {
	if n := len(s); n >= 2 && (s[0] == '"' || s[0] == '\'') && s[n-1] == s[0] {
		return s[1 : n-1]
	}
	return s
}
