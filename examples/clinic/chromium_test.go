//go:build unix

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/remote"
	"github.com/stretchr/testify/require"
)

// patience is how long a test waits for a condition. The machine may be slow and busy.
const patience = 3 * time.Minute

// A browser is a Chromium of its own, with a profile that outlives it.
type browser struct {
	t       *testing.T
	cmd     *exec.Cmd
	context context.Context
	cancel  context.CancelFunc
}

// need returns the path of a program, and skips the test where it is missing.
func need(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil && os.Getenv("CI") != "true" {
		t.Skipf("this test needs %s", name)
	}
	require.NoError(t, err)
	return path
}

// microphone makes the file that Chromium's fake microphone plays, in the one format that Chromium is sure to read.
func microphone(t *testing.T) string {
	t.Helper()
	wav := filepath.Join(t.TempDir(), "microphone.wav")
	out, err := exec.Command(need(t, "ffmpeg"), "-v", "error", "-i", testdata+"visit.mp3", "-ar", "48000", "-ac", "1", "-c:a", "pcm_s16le", wav).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return wav
}

// startBrowser starts Chromium on a profile, with a microphone that plays a file. It lives until kill or the end of the test.
func startBrowser(t *testing.T, profile, wav string) *browser {
	t.Helper()
	portFile := filepath.Join(profile, "DevToolsActivePort")
	require.NoError(t, os.RemoveAll(portFile))
	args := []string{
		"--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--no-default-browser-check",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
		"--user-data-dir=" + profile, "--remote-debugging-port=0", "--remote-allow-origins=*",
		"--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream", "--autoplay-policy=no-user-gesture-required",
		"--use-file-for-fake-audio-capture=" + wav, "--window-size=1280,900",
	}
	b := &browser{t: t, cmd: exec.Command(need(t, "chromium"), append(args, "about:blank")...)}
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var stderr bytes.Buffer
	b.cmd.Stderr = &stderr
	require.NoError(t, b.cmd.Start())
	t.Cleanup(b.kill)

	var address string
	eventually(t, "Chromium's port", func() bool {
		text, _ := os.ReadFile(portFile)
		port, path, found := strings.Cut(strings.TrimSpace(string(text)), "\n")
		address = fmt.Sprintf("ws://127.0.0.1:%s%s", port, path)
		return found
	})
	b.context, b.cancel = remote.NewAllocator(context.Background(), address, remote.NoModifyURL)
	return b
}

// kill ends Chromium as a crash would: nothing of it has time to write.
func (b *browser) kill() {
	if b.cmd.ProcessState != nil {
		return
	}
	_ = syscall.Kill(-b.cmd.Process.Pid, syscall.SIGKILL)
	_ = b.cmd.Wait()
	b.cancel()
}

// A tab is one page. Its methods fail the test if the page does not do what they want within patience.
type tab struct {
	t   *testing.T
	ctx context.Context
	end context.CancelFunc
}

// open opens a new tab with an address. An exception that nobody catches in the page fails the test.
func (b *browser) open(url string, before ...chromedp.Action[chromedp.Void]) *tab {
	b.t.Helper()
	ctx, end := chromedp.NewContext(b.context)
	p := &tab{b.t, ctx, end}
	require.NoError(b.t, chromedp.Listen(ctx, func(event any) {
		if e, ok := event.(*runtime.EventExceptionThrown); ok {
			b.t.Errorf("the page has thrown: %+v", e.ExceptionDetails)
		}
	}))
	p.do(append(before, chromedp.Navigate(url))...)
	return p
}

// beforeLoad runs a script in the page before its own.
func beforeLoad(script string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script})
		return err
	})
}

func (p *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	require.NoError(p.t, chromedp.Do(ctx, actions...))
}

// get runs an action that has a value.
func get[T any](p *tab, action chromedp.Action[T]) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, action)
	require.NoError(p.t, err)
	return v
}

// value evaluates JavaScript, which may return a promise.
func value[T any](p *tab, expression string) T {
	p.t.Helper()
	return get(p, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// until waits for an expression to be true.
func (p *tab) until(expression string) {
	p.t.Helper()
	eventually(p.t, expression, func() bool { return value[bool](p, "!!("+expression+")") })
}

// sees waits for a text on the page.
func (p *tab) sees(text string) {
	p.t.Helper()
	p.until(fmt.Sprintf("document.body.innerText.includes(%q)", text))
}

func (p *tab) click(selector string) {
	p.t.Helper()
	p.do(chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

func (p *tab) signIn() {
	p.t.Helper()
	p.signInAs(testUser, testPassword)
}

func (p *tab) signInAs(user, password string) {
	p.t.Helper()
	p.do(
		chromedp.WaitVisible(chromedp.CSS("#sign-in")),
		chromedp.SetValue(chromedp.CSS("#sign-in-user"), user),
		chromedp.SetValue(chromedp.CSS("#sign-in-password"), password),
	)
	p.click("#sign-in-form button")
	p.do(chromedp.WaitNotVisible(chromedp.CSS("#sign-in")))
}

// signInAgain signs in where the browser has lost its cookie: Chromium writes cookies to the disk some seconds late.
func (p *tab) signInAgain() {
	p.t.Helper()
	p.until("!document.querySelector('#sign-in').hidden || !document.querySelector('#who').hidden")
	if value[bool](p, "!document.querySelector('#sign-in').hidden") {
		p.sees("This device keeps a recording that is not at the clinic yet.")
		p.signIn()
	}
}

// eventually polls until the condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	eventuallyWithin(t, patience, what, condition)
}

func eventuallyWithin(t *testing.T, patience time.Duration, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for: %s", what)
		}
	}
}
