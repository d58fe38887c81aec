//go:build unix

package main

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ambient-scribe/ambient-go/ambienttest"
)

// axe-core as npm has it.
const (
	axePackage = "axe-core@4.14.1"
	axeDigest  = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
)

// axe fetches the script that checks a page for accessibility.
func axe(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command(need(t, "npm"), "pack", "--silent", axePackage)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	archives, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
	require.NoError(t, err)
	require.Len(t, archives, 1)
	f, err := os.Open(archives[0])
	require.NoError(t, err)
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	require.NoError(t, err)
	for archive := tar.NewReader(unzipped); ; {
		header, err := archive.Next()
		require.False(t, errors.Is(err, io.EOF), "no axe.min.js in %s", axePackage)
		require.NoError(t, err)
		if header.Name == "package/axe.min.js" {
			script, err := io.ReadAll(archive)
			require.NoError(t, err)
			require.Equal(t, axeDigest, digestOf(script))
			return string(script)
		}
	}
}

// The page in every state has nothing that axe-core finds, in light and dark, wide and narrow.
func TestAccessibility(t *testing.T) {
	script := axe(t)
	look(t, func(p *tab, name string) {
		p.do(chromedp.Evaluate[chromedp.Void](script))
		found := value[[]string](p, `axe.run().then(({ violations }) =>
			violations.map(({ id, impact, nodes }) => [impact, id, ...nodes.map(({ target }) => target)].join(' ')))`)
		assert.Empty(t, found, name)
	})
}

// The pictures of the README. CLINIC_SCREENSHOTS names the directory that they are written to.
func TestScreenshots(t *testing.T) {
	dir := os.Getenv("CLINIC_SCREENSHOTS")
	if dir == "" {
		t.Skip("CLINIC_SCREENSHOTS is not set")
	}
	look(t, func(p *tab, name string) {
		value[bool](p, "innerWidth < 600 && !!document.querySelector('#detail:not([hidden])')?.scrollIntoView()")
		picture := get(p, chromedp.CaptureScreenshot())
		require.NoError(t, os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o600))
	})
}

// look takes the page through its states, and looks at each of them in all the ways that it can be shown.
func look(t *testing.T, at func(p *tab, name string)) {
	t.Helper()
	c := startClinic(t, t.TempDir())
	c.api.Fault("POST /transcribe", 2, ambienttest.Fault{Process: true, Reset: ambienttest.ResetAfterRead})
	p := startBrowser(t, t.TempDir(), microphone(t)).open(c.URL)
	every := func(name string) {
		t.Helper()
		for size, viewport := range map[string]chromedp.Action[chromedp.Void]{
			"desktop": chromedp.EmulateViewport(1280, 860),
			"phone":   chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile),
		} {
			for _, scheme := range []string{"light", "dark"} {
				p.do(viewport, colours(scheme))
				assert.False(t, value[bool](p, "document.documentElement.scrollWidth > innerWidth"), "%s scrolls sideways", name)
				at(p, fmt.Sprintf("%s-%s-%s", name, size, scheme))
			}
		}
		p.do(chromedp.EmulateViewport(1280, 860))
	}
	p.do(chromedp.WaitVisible(chromedp.CSS("#sign-in")))
	every("sign-in")
	p.signIn()
	every("empty")
	first := p.code()
	p.record(1)
	p.sent(1)
	every("recording")
	p.click("#stop")
	p.finished(first)
	decide(p, func() { every("unknown") })
	third := p.code()
	p.record(1)
	p.click("#list li:last-child button")
	p.sees("Mild sprain of the right ankle.")
	every("note")
	c.endSessions()
	p.sees("You are signed out.")
	every("signed-out")
	p.signIn()
	p.click("#stop")
	p.finished(third)
}

// decide records a visit that needs a person, and decides that the service has it.
func decide(p *tab, before func()) {
	p.t.Helper()
	code := p.code()
	p.record(1)
	p.click("#stop")
	p.sees("Needs you")
	p.click("#list li:first-child button")
	p.sees("Ask the service's support whether it has the visit.")
	before()
	p.do(chromedp.SetValue(chromedp.CSS("#detail input"), "103"))
	p.click("#detail form button.main")
	p.finished(code)
}

// colours sets what the user prefers.
func colours(scheme string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return err
	})
}
