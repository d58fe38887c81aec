//go:build linux

package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/heapprofiler"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Three hours in slices of 5 s.
const longSlices = 3 * 60 * 60 / 5

// A recording of three hours costs the server at most 32 MiB: its chunks, its closing and its upload together. The
// chunks are three times as large as the page makes them.
func TestThreeHoursOnTheServer(t *testing.T) {
	c := startClinic(t, t.TempDir(), "-rate", "100000")
	d := signInDoctor(t, "http://"+c.addr)
	chunk := func(n int) []byte { return binary.BigEndian.AppendUint64(make([]byte, 90_000), uint64(n)) }
	put := func(id string, n int) string {
		sum := sha256.Sum256(chunk(n))
		d.do("PUT", fmt.Sprintf("/recordings/%s/chunks/%d", id, n), chunk(n), "Content-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(sum[:])+":")
		return fmt.Sprintf("%x", sum)
	}
	record := func(id string, slices int) {
		digests := make([]string, slices)
		d.json("PUT", "/recordings/"+id, map[string]any{"code": "LONG-11", "type": "audio/webm", "started": "2026-01-02T03:04:05Z"})
		for n := range slices {
			digests[n] = put(id, n)
		}
		d.json("POST", "/recordings/"+id+"/close", map[string]any{"chunks": digests, "interrupted": false})
		eventually(t, "the note", func() bool { return d.status("GET", "/recordings/"+id+"/result") == http.StatusOK })
	}
	record("aaaaaaaa-1111-4111-8111-111111111111", 1) // what any visit costs once
	before := c.memory("VmRSS")
	require.NoError(t, os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", c.cmd.Process.Pid), []byte("5"), 0), "the peak is counted from here")
	record("bbbbbbbb-1111-4111-8111-111111111111", longSlices)
	peak := c.memory("VmHWM")
	t.Logf("%d chunks, %d MB: %.1f MiB before, %.1f MiB at the peak", longSlices, longSlices*len(chunk(0))/1e6, before, peak)
	assert.LessOrEqual(t, peak-before, 32.0, "MiB")
}

// memory is a line of the server's status, in MiB.
func (c *clinic) memory(line string) float64 {
	c.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	require.NoError(c.t, err)
	match := regexp.MustCompile(line + `:\s+(\d+) kB`).FindSubmatch(status)
	require.NotNil(c.t, match)
	kib, err := strconv.Atoi(string(match[1]))
	require.NoError(c.t, err)
	return float64(kib) / 1024
}

// A recording of three hours leaves the page no larger than one of some minutes does. The recorder makes slices as fast
// as the page keeps them.
func TestThreeHoursOnThePage(t *testing.T) {
	c := startClinic(t, t.TempDir(), "-rate", "100000")
	p := startBrowser(t, t.TempDir(), microphone(t)).open(c.URL, beforeLoad(fmt.Sprintf(`
		const slice = new Uint8Array(30_000);
		slice.set([0xa3, 0x10, 0x00, 0x75, 0x2b]); // one block of WebM
		window.slicesToCome = 0;
		MediaRecorder = class extends EventTarget {
			static isTypeSupported() { return true; }
			state = 'inactive';
			mimeType = 'audio/webm;codecs=opus';
			start() {
				this.state = 'recording';
				this.onstart();
				this.made = 0;
				this.timer = setInterval(() => {
					const { kept, sent } = document.querySelector('#progress').dataset;
					if (+kept !== this.made || this.made - sent > 50 || this.made >= window.slicesToCome) return;
					slice[20] = this.made++ %% 256;
					this.ondataavailable({ data: new Blob([slice]) });
				}, 1);
			}
			requestData() {}
			stop() { clearInterval(this.timer); this.state = 'inactive'; this.onstop(); }
		};
	`)))
	p.signIn()
	code := p.code()
	p.click("#record")
	after := func(slices int) float64 {
		value[int](p, fmt.Sprintf("window.slicesToCome = %d", slices))
		eventuallyWithin(t, 5*patience, "the slices", func() bool {
			return value[int](p, "+document.querySelector('#progress').dataset.sent") == slices
		})
		return p.heap()
	}
	early := after(longSlices / 10)
	late := after(longSlices)
	t.Logf("the page's heap: %.2f MiB after 18 minutes, %.2f MiB after 3 hours", early, late)
	assert.LessOrEqual(t, late, early+1, "MiB")
	p.click("#stop")
	p.finished(code)
	assert.Zero(t, p.leftovers())
}

// heap is what the page uses after garbage collections, in MiB. What is still on its way at the first of them is gone
// at another.
func (p *tab) heap() float64 {
	p.t.Helper()
	least := math.Inf(1)
	for range 10 {
		least = min(least, p.heapNow())
		time.Sleep(300 * time.Millisecond)
	}
	return least
}

func (p *tab) heapNow() float64 {
	p.t.Helper()
	return get(p, func(ctx context.Context, t *chromedp.Target) (float64, error) {
		if _, err := cdp.Call(ctx, t, heapprofiler.CollectGarbage, cdp.Empty{}); err != nil {
			return 0, err
		}
		use, err := cdp.Call(ctx, t, runtime.GetHeapUsage, cdp.Empty{})
		return (use.UsedSize + use.EmbedderHeapUsedSize + use.BackingStorageSize) / (1 << 20), err
	})
}
