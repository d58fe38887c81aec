//go:build unix

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// record begins a recording and waits until some slices are on the device.
func (p *tab) record(slices int) {
	p.t.Helper()
	p.click("#record")
	p.until("document.querySelector('#progress').dataset.state == 'recording'")
	p.kept(slices)
}

// kept waits until some slices are on the device, and sent until they are on the server.
func (p *tab) kept(slices int) {
	p.t.Helper()
	p.until(fmt.Sprintf("document.querySelector('#progress').dataset.kept >= %d", slices))
}

func (p *tab) sent(slices int) {
	p.t.Helper()
	p.until(fmt.Sprintf("document.querySelector('#progress').dataset.sent >= %d", slices))
}

// slices is how many slices of the recording in progress are on the device.
func (p *tab) slices() int {
	p.t.Helper()
	return value[int](p, "+document.querySelector('#progress').dataset.kept")
}

// elapsed is what the page shows as the time recorded.
func (p *tab) elapsed() time.Duration {
	p.t.Helper()
	var minutes, seconds int
	_, err := fmt.Sscanf(value[string](p, "document.querySelector('#timer').textContent"), "%d:%d", &minutes, &seconds)
	require.NoError(p.t, err)
	return time.Duration(minutes)*time.Minute + time.Duration(seconds)*time.Second
}

func (p *tab) code() string {
	p.t.Helper()
	return value[string](p, "document.querySelector('#code').value")
}

// finished waits until the visit of a code has its note, and returns its id.
func (p *tab) finished(code string) string {
	p.t.Helper()
	item := fmt.Sprintf("[...document.querySelectorAll('#list li')].find((li) => li.querySelector('.code').textContent === %q)", code)
	p.until(item + "?.dataset.state == 'done'")
	return value[string](p, item+".dataset.id")
}

// arrived checks that the service has a recording once, byte for byte as the browser has sent it, and that ffmpeg
// decodes it. It returns the time of the last packet.
func (c *clinic) arrived(id string) time.Duration {
	c.t.Helper()
	content := c.recording(id)
	times := 0
	for _, r := range c.api.RequestsTo("POST /transcribe") {
		if len(r.Files) == 1 && r.Files[0].SHA256 == digestOf(content) {
			times++
		}
	}
	require.Equal(c.t, 1, times, "uploads of what the browser has sent")
	path := filepath.Join(c.t.TempDir(), "recording")
	require.NoError(c.t, os.WriteFile(path, content, 0o600))
	return decodes(c.t, path)
}

// decodes checks that ffmpeg decodes a recording without an error, and returns the time of its last packet. The samples
// go nowhere, in a format without timestamps. A format with them refuses two packets of the same time, which a busy
// Chromium makes around a pause.
func decodes(t *testing.T, path string) time.Duration {
	t.Helper()
	out, err := exec.Command(need(t, "ffmpeg"), "-v", "error", "-xerror", "-i", path, "-f", "s16le", "-y", os.DevNull).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Empty(t, string(out))
	out, err = exec.Command(need(t, "ffprobe"), "-v", "error", "-show_entries", "packet=pts_time", "-of", "csv=p=0", path).Output()
	require.NoError(t, err)
	lines := strings.Fields(string(out))
	require.NotEmpty(t, lines)
	seconds, err := strconv.ParseFloat(strings.Trim(lines[len(lines)-1], ","), 64)
	require.NoError(t, err)
	return time.Duration(seconds * float64(time.Second))
}

// leftovers counts the rows of the page's database: none once the server has everything.
func (p *tab) leftovers() int {
	p.t.Helper()
	return value[int](p, `new Promise((resolve) => {
		indexedDB.open('clinic').onsuccess = ({ target: { result: db } }) => {
			const t = db.transaction(db.objectStoreNames);
			const counts = [...db.objectStoreNames].map((name) => t.objectStore(name).count());
			t.oncomplete = () => { db.close(); resolve(counts.reduce((sum, { result }) => sum + result, 0)); };
		};
	})`)
}

// A browser that is killed in the middle loses at most a slice. What it had is sent as one visit when it is started
// again, its note appears, and the rest of the visit is a second one.
func TestBrowserKilled(t *testing.T) {
	c := startClinic(t, t.TempDir())
	profile, wav := t.TempDir(), microphone(t)
	b := startBrowser(t, profile, wav)
	p := b.open(c.URL)
	p.signIn()
	code := p.code()
	p.record(4)
	time.Sleep(2500 * time.Millisecond) // into the next slice, which is lost
	recorded := p.elapsed()
	b.kill()

	p = startBrowser(t, profile, wav).open(c.URL)
	p.signInAgain()
	p.sees("The recording of visit " + code + " was interrupted.")
	p.sees("record the rest as a second visit")
	last := c.arrived(p.finished(code))
	assert.GreaterOrEqual(t, last, recorded-6*time.Second)
	t.Logf("recorded %v until the kill, the last packet is at %v", recorded, last)
	p.click("#list button")
	p.sees("The recording was interrupted.")
	p.sees("Mild sprain of the right ankle.")

	p.do(chromedp.SetValue(chromedp.CSS("#code"), code))
	p.record(1)
	p.click("#stop")
	c.arrived(p.finished(code + "-2"))
	assert.Zero(t, p.leftovers())
}

// A server that is killed twice while a visit is recorded, and once while the visit is closed, loses nothing.
func TestServerKilled(t *testing.T) {
	t.Parallel()
	c := startClinic(t, t.TempDir())
	p := startBrowser(t, t.TempDir(), microphone(t)).open(c.URL)
	p.signIn()
	code := p.code()
	p.record(1)
	p.sent(1)
	for range 2 {
		c.kill()
		p.kept(p.slices() + 1) // recorded while there is no server
		p.sees("Waiting for the network")
		c.start()
		p.sent(p.slices())
	}
	recorded := p.elapsed()
	c.kill()
	p.click("#stop")
	c.start()
	last := c.arrived(p.finished(code))
	assert.GreaterOrEqual(t, last, recorded-time.Second, "all of it is there")
	assert.Zero(t, p.leftovers())
}

// A browser that goes offline in the middle, and finds its session ended when it is back, goes on recording and sends
// all of it once the doctor has signed in again.
func TestOfflineAndNewSession(t *testing.T) {
	t.Parallel()
	c := startClinic(t, t.TempDir())
	p := startBrowser(t, t.TempDir(), microphone(t)).open(c.URL)
	p.signIn()
	code := p.code()
	p.record(1)
	p.sent(1)
	c.cut()
	p.kept(p.slices() + 1)
	p.sees("Not connected")
	c.endSessions()
	c.down.Store(false)
	p.sees("You are signed out. The recording goes on and is kept on this device. Sign in to send it.")
	assert.Empty(t, value[string](p, "document.querySelector('#list').textContent"), "nothing of patients is on the screen")
	p.kept(p.slices() + 1)
	p.signIn()
	p.sent(p.slices())
	assert.NotContains(t, value[string](p, "document.body.innerText"), "You are signed out.")
	recorded := p.elapsed()
	p.click("#stop")
	last := c.arrived(p.finished(code))
	assert.GreaterOrEqual(t, last, recorded-time.Second, "all of it is there")
}

// endSessions ends every session, as time would.
func (c *clinic) endSessions() {
	c.t.Helper()
	files, err := filepath.Glob(filepath.Join(c.data, "sessions", "*"))
	require.NoError(c.t, err)
	require.NotEmpty(c.t, files)
	for _, file := range files {
		require.NoError(c.t, os.Remove(file))
	}
}

// Two tabs never touch the same recording: the second one shows it, and takes over when the first has gone.
func TestTwoTabs(t *testing.T) {
	t.Parallel()
	c := startClinic(t, t.TempDir())
	b := startBrowser(t, t.TempDir(), microphone(t))
	first := b.open(c.URL)
	first.signIn()
	code := first.code()
	first.record(1)
	first.sent(1)

	second := b.open(c.URL)
	second.sees("In another tab")
	first.kept(2)
	first.end() // the tab is closed without its warning, as a crash of the tab would do it
	second.sees("The recording of visit " + code + " was interrupted.")
	c.arrived(second.finished(code))
	assert.Zero(t, second.leftovers())
	c.api.AssertCount(t, "POST /transcribe", 1)
}

// Another user of the same device neither sees nor sends a recording. Its owner sends it.
func TestAnotherUser(t *testing.T) {
	t.Parallel()
	c := startClinic(t, t.TempDir())
	profile, wav := t.TempDir(), microphone(t)
	b := startBrowser(t, profile, wav)
	p := b.open(c.URL)
	p.signIn()
	code := p.code()
	p.record(1)
	c.cut()
	p.kept(2)
	b.kill()
	c.endSessions()
	c.down.Store(false)

	p = startBrowser(t, profile, wav).open(c.URL)
	p.sees("This device keeps a recording that is not at the clinic yet.")
	p.signInAs("second-doctor", testPassword)
	p.sees("There is no visit yet.")
	assert.NotContains(t, value[string](p, "document.body.innerText"), code)
	p.click("#sign-out")
	p.sees("This device keeps a recording that is not at the clinic yet.")
	p.signIn()
	c.arrived(p.finished(code))
}

// A tab that records asks before it closes.
func TestWarning(t *testing.T) {
	t.Parallel()
	c := startClinic(t, t.TempDir())
	p := startBrowser(t, t.TempDir(), microphone(t)).open(c.URL)
	p.signIn()
	p.record(1)
	asked := make(chan page.DialogType, 1)
	require.NoError(t, chromedp.Listen(p.ctx, func(event any) {
		if e, ok := event.(*page.EventJavascriptDialogOpening); ok {
			asked <- e.Type
		}
	}))
	p.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, page.Close, cdp.Empty{})
		return err
	}))
	assert.Equal(t, page.DialogTypeBeforeunload, <-asked)
}

// A browser that makes MP4, as Safari does, is as welcome.
func TestMP4(t *testing.T) {
	t.Parallel()
	c := startClinic(t, t.TempDir())
	p := startBrowser(t, t.TempDir(), microphone(t)).open(c.URL, beforeLoad(`
		const supported = MediaRecorder.isTypeSupported;
		MediaRecorder.isTypeSupported = (type) => !type.includes('webm') && supported.call(MediaRecorder, type);
	`))
	p.signIn()
	code := p.code()
	p.record(2)
	p.click("#stop")
	id := p.finished(code)
	c.arrived(id)
	files, err := filepath.Glob(filepath.Join(c.data, "store", "recordings", id, "audio-*.mp4"))
	require.NoError(t, err)
	assert.Len(t, files, 1)
	assert.Equal(t, "audio/mp4", c.api.RequestsTo("POST /transcribe")[0].Files[0].ContentType)
}

// Everything can be done from the keyboard: the first field has the focus after the sign-in, and so on.
func TestKeyboard(t *testing.T) {
	t.Parallel()
	c := startClinic(t, t.TempDir())
	p := startBrowser(t, t.TempDir(), microphone(t)).open(c.URL)
	p.signIn()
	code := p.code()
	p.until("document.activeElement.id == 'code'")
	p.do(chromedp.KeyEvent(kb.Enter))
	p.until("document.activeElement.id == 'stop'")
	p.kept(1)
	p.do(chromedp.KeyEvent(kb.Tab, chromedp.KeyModifiers(chromedp.ModifierShift)), chromedp.KeyEvent(" "))
	p.until("document.querySelector('#progress').dataset.state == 'paused'")
	paused := p.elapsed()
	p.do(chromedp.KeyEvent(" "))
	p.until("document.querySelector('#progress').dataset.state == 'recording'")
	assert.GreaterOrEqual(t, p.elapsed(), paused)
	p.do(chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter))
	c.arrived(p.finished(code))
	p.do(chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter))
	p.until("document.activeElement.id == 'detail-title'")
	p.sees("Mild sprain of the right ankle.")
}

// Of a recording without a byte nothing is left, and the server hears nothing of it.
func TestNothingRecorded(t *testing.T) {
	t.Parallel()
	c := startClinic(t, t.TempDir())
	p := startBrowser(t, t.TempDir(), microphone(t)).open(c.URL, beforeLoad(`
		MediaRecorder = class extends EventTarget {
			static isTypeSupported() { return true; }
			state = 'inactive';
			mimeType = 'audio/webm;codecs=opus';
			start() { this.state = 'recording'; this.onstart(); }
			stop() { this.state = 'inactive'; this.ondataavailable({ data: new Blob() }); this.onstop(); }
		};
	`))
	p.signIn()
	p.click("#record")
	p.click("#stop")
	p.sees("Nothing was recorded of visit")
	p.sees("There is no visit yet.")
	assert.Zero(t, p.leftovers())
	assert.NotContains(t, c.log.String(), "PUT /recordings")
}

// A recording that the server refuses stays on the device, and the doctor can save it.
func TestRefused(t *testing.T) {
	t.Parallel()
	c := startClinic(t, t.TempDir())
	dir := t.TempDir()
	b := startBrowser(t, t.TempDir(), microphone(t))
	p := b.open(c.URL)
	p.signIn()
	code := p.code()
	p.record(1)
	p.sent(1)
	c.broken.Store(true)
	p.kept(3)
	p.click("#stop")
	p.until("!document.querySelector('#record').hidden")
	p.sees("Cannot be sent")
	p.click("#list button")
	p.sees("The server refuses this recording.")
	_, err := chromedp.CallBrowser(p.ctx, cdpbrowser.SetDownloadBehavior, cdpbrowser.SetDownloadBehaviorParams{
		Behavior: cdpbrowser.SetDownloadBehaviorBehaviorAllow, DownloadPath: dir,
	})
	require.NoError(t, err)
	p.click("#detail-body button")
	var saved []string
	eventually(t, "the file", func() bool {
		saved, err = filepath.Glob(filepath.Join(dir, code+"*"))
		return err == nil && len(saved) == 1 && !strings.HasSuffix(saved[0], ".crdownload")
	})
	decodes(t, saved[0])
	content, err := os.ReadFile(saved[0])
	require.NoError(t, err)
	assert.Positive(t, p.leftovers())

	c.broken.Store(false)
	p.end()
	p = b.open(c.URL)
	id := p.finished(code)
	c.arrived(id)
	assert.Equal(t, c.recording(id), content)
}
