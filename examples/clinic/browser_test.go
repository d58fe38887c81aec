//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
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

// finished waits until the newest visit has its note, and returns its id.
func (p *tab) finished() string {
	p.t.Helper()
	p.until("document.querySelector('#list li')?.dataset.state == 'done'")
	return value[string](p, "document.querySelector('#list li').dataset.id")
}

// audio is the recording as the server has it.
func (c *clinic) audio(id string) (path string, content []byte) {
	c.t.Helper()
	found, err := filepath.Glob(filepath.Join(c.data, "store", "recordings", id, "audio-*"))
	require.NoError(c.t, err)
	require.Len(c.t, found, 1)
	content, err = os.ReadFile(found[0])
	require.NoError(c.t, err)
	return found[0], content
}

// decodes checks that ffmpeg decodes a recording without an error, and returns the time of its last packet.
func decodes(t *testing.T, path string) time.Duration {
	t.Helper()
	out, err := exec.Command(need(t, "ffmpeg"), "-v", "error", "-xerror", "-i", path, "-f", "null", "-").CombinedOutput()
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

// A browser that is killed in the middle loses at most a slice. What it had is sent as one visit when it is started
// again, and the rest is a second visit.
func TestBrowserKilled(t *testing.T) {
	t.Parallel()
	c := startClinic(t)
	profile, wav := t.TempDir(), microphone(t)
	b := startBrowser(t, profile, "--use-file-for-fake-audio-capture="+wav)
	p := b.open(c.URL)
	p.signIn()
	p.record(4)
	code := value[string](p, "document.querySelector('#code').value")
	time.Sleep(2500 * time.Millisecond) // into the next slice, which is lost
	elapsed := value[float64](p, "(() => { const [m, s] = document.querySelector('#timer').textContent.split(':'); return 60 * m + +s })()")
	b.kill()

	b = startBrowser(t, profile, "--use-file-for-fake-audio-capture="+wav)
	p = b.open(c.URL)
	p.signInAgain()
	p.sees("The recording of visit " + code + " was interrupted.")
	p.sees("record the rest as a second visit")
	first := p.finished()
	path, content := c.audio(first)
	assert.Equal(t, c.recording(first), content)
	assert.Contains(t, path, digestOf(content))
	last := decodes(t, path)
	assert.GreaterOrEqual(t, last, time.Duration(elapsed*float64(time.Second))-6*time.Second, "the last packet")
	t.Logf("killed after %v s, last packet at %v", elapsed, last)

	p.do(chromedp.SetValue(chromedp.CSS("#code"), code))
	p.record(1)
	p.click("#stop")
	second := p.finished()
	assert.NotEqual(t, first, second)
	p.sees(code + "-2")
	assert.Zero(t, value[int](p, leftovers), "the device has forgotten what the server has")
}

// leftovers counts the rows of the page's database.
const leftovers = `new Promise((resolve) => {
	indexedDB.open('clinic').onsuccess = ({ target: { result: db } }) => {
		const t = db.transaction(db.objectStoreNames);
		const counts = [...db.objectStoreNames].map((name) => t.objectStore(name).count());
		t.oncomplete = () => { db.close(); resolve(counts.reduce((sum, { result }) => sum + result, 0)); };
	};
})`
