package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ambient-scribe/ambient-go/ambienttest"
)

func TestExitCodes(t *testing.T) {
	t.Parallel()
	mp3 := newRecording(t)
	tests := map[string]struct {
		plan func(*ambienttest.Server)
		env  map[string]string
		args []string
		code int
		text string
	}{
		"failed job": {
			plan: func(s *ambienttest.Server) { s.ScriptTranscription(ambienttest.TranscriptionFails(0, canary)...) },
			args: []string{"transcribe", mp3}, code: exitJobFailed, text: "ambient get transcription 101 --json",
		},
		"failed note": {
			plan: func(s *ambienttest.Server) { s.ScriptScribe(ambienttest.ScribeFails(0)...) },
			args: []string{"note", "--template", "1", "--audio", mp3}, code: exitJobFailed, text: "scribe 101 failed",
		},
		"partial transcript": {
			plan: func(s *ambienttest.Server) { s.ScriptTranscription(ambienttest.TranscriptionIncomplete(0, canary)...) },
			args: []string{"transcribe", mp3}, code: exitPartial, text: "partial",
		},
		"wait ended by its time": {
			plan: func(s *ambienttest.Server) {
				s.ScriptTranscription(ambienttest.TranscriptionCompletes(time.Hour, canary)...)
			},
			args: []string{"transcribe", mp3, "--timeout", "1s"}, code: exitWaitEnded, text: "ambient wait transcription 101",
		},
		"wait ended by the credentials": {
			plan: func(s *ambienttest.Server) {
				s.FaultRange("GET /transcribe/{id}", 1, 9, ambienttest.Answer(401))
			},
			args: []string{"transcribe", mp3}, code: exitWaitEnded, text: "ambient wait transcription 101",
		},
		"lost answer": {
			plan: func(s *ambienttest.Server) {
				s.Fault("POST /transcribe", 1, ambienttest.Fault{Reset: ambienttest.ResetAfterRead, Process: true})
			},
			args: []string{"transcribe", mp3}, code: exitMaybeSubmitted, text: "ask the vendor's support",
		},
		"bad gateway": {
			plan: func(s *ambienttest.Server) { s.Fault("POST /scribe", 1, ambienttest.ProxyHTML(502)) },
			args: []string{"note", "--template", "1", "--audio", mp3}, code: exitMaybeSubmitted, text: "may have",
		},
		"refused submit": {
			plan: func(s *ambienttest.Server) { s.Fault("POST /transcribe", 1, ambienttest.Answer(422)) },
			args: []string{"transcribe", mp3}, code: exitOther, text: "check the template and the recording",
		},
		"wrong password": {
			env:  map[string]string{"AMBIENT_PASSWORD": canary},
			args: []string{"transcribe", mp3}, code: exitCredentials, text: "check the user name and password",
		},
		"wrong password of a wait": {
			env:  map[string]string{"AMBIENT_PASSWORD": canary},
			args: []string{"wait", "scribe", "5"}, code: exitCredentials, text: "check the user name and password",
		},
		"no account": {
			env:  map[string]string{"AMBIENT_USERNAME": "", "AMBIENT_PASSWORD": ""},
			args: []string{"transcribe", mp3}, code: exitCredentials, text: "set AMBIENT_USERNAME",
		},
		"no network": {
			env:  map[string]string{"AMBIENT_BASE_URL": "http://127.0.0.1:1"},
			args: []string{"transcribe", mp3}, code: exitOther, text: "nothing was submitted; check the network",
		},
		"wrong address": {
			env:  map[string]string{"AMBIENT_BASE_URL": "http://" + canary + ".example"},
			args: []string{"transcribe", mp3}, code: exitOther, text: "must begin with https://",
		},
		"unknown job":         {args: []string{"get", "transcription", "999"}, code: exitOther, text: "check the id"},
		"wait for no job":     {args: []string{"wait", "transcription", "999"}, code: exitOther, text: "check the id"},
		"regenerate no job":   {args: []string{"regenerate", "999", "--audio", mp3}, code: exitOther, text: "check the id"},
		"unknown flag":        {args: []string{"transcribe", "--" + canary[:1], mp3}, code: exitUsage, text: "unknown flag"},
		"name like a flag":    {args: []string{"transcribe", "-" + canary}, code: exitUsage, text: "unknown flag -Z"},
		"unknown command":     {args: []string{canary}, code: exitUsage, text: "ambient --help"},
		"no argument":         {args: []string{"transcribe"}, code: exitUsage, text: "one recording"},
		"two arguments":       {args: []string{"transcribe", mp3, mp3}, code: exitUsage, text: "one recording"},
		"an id that is none":  {args: []string{"get", "transcription", canary}, code: exitUsage, text: "whole number"},
		"a kind that is none": {args: []string{"get", canary, "1"}, code: exitUsage, text: "transcription|scribe"},
		"template no number":  {args: []string{"note", "--template", canary, "--audio", mp3}, code: exitUsage, text: "--template takes a whole number"},
		"no template":         {args: []string{"note", "--audio", mp3}, code: exitUsage, text: "--template"},
		"no source":           {args: []string{"note", "--template", "1"}, code: exitUsage, text: "--transcript FILE"},
		"two sources":         {args: []string{"note", "--template", "1", "--audio", mp3, "--transcription", "1"}, code: exitUsage, text: "audio"},
		"no time":             {args: []string{"transcribe", mp3, "--timeout", canary}, code: exitUsage, text: "--timeout takes a time"},
		"no value":            {args: []string{"transcribe", mp3, "--timeout"}, code: exitUsage, text: "--timeout needs a value"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := startServer(t)
			if test.plan != nil {
				test.plan(srv)
			}
			got := testRun{server: srv, env: test.env}.run(t, test.args...)
			got.assertFailed(t, test.code, test.text)
			srv.AssertCount(t, "POST /transcribe", min(len(srv.RequestsTo("POST /transcribe")), 1))
		})
	}
}

// A wrong template is refused by the service, not by us.
func TestWrongTemplate(t *testing.T) {
	t.Parallel()
	srv := startServer(t, ambienttest.WithTemplates(1))
	got := testRun{server: srv}.run(t, "note", "--template", "2", "--audio", newRecording(t))
	got.assertFailed(t, exitOther, "check the template")
}

// The exit codes that the help and the README name are those of the code.
func TestExitCodesAreDocumented(t *testing.T) {
	source, err := os.ReadFile("exit.go")
	require.NoError(t, err)
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	codes := regexp.MustCompile(`(?m)^\texit\w+ += (\d+)$`).FindAllStringSubmatch(string(source), -1)
	require.Len(t, codes, 10)
	for _, m := range codes {
		assert.Regexp(t, `(?m)^ +`+m[1]+`  \w`, exitHelp)
		assert.Contains(t, string(readme), "| "+m[1]+" |")
	}
}

// Every error is one line.
func TestErrorsAreOneLine(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	for _, args := range [][]string{
		{"transcribe", "no\nsuch\nfile"}, {"no\nsuch"}, {"get", "a\nb", "1"}, {"transcribe", "--a\nb", "x"},
		{"transcribe", "x", "-o", filepath.Join("no\nsuch", "file")}, {"get", "transcription", "1\n2"},
	} {
		got := testRun{server: srv}.run(t, args...)
		assert.NotZero(t, got.code)
		assert.Equal(t, 1, strings.Count(got.stderr, "\n"), "%q", got.stderr)
	}
}
