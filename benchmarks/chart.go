package main

import (
	"fmt"
	"html"
	"slices"
	"strings"
	"time"
)

// Sizes of the chart, in units. A phone shows it at three quarters of a pixel for each.
const (
	chartWidth = 480
	chartEdge  = 18
	barLeft    = 192
	barWidth   = 184 // of the longest bar
	barHeight  = 20
	rowHeight  = 32
	headHeight = 40
	panelGap   = 22
)

// A chartPanel compares a few clients by one figure.
type chartPanel struct {
	head string
	text string // of a value, a format
	bars []chartBar
}

type chartBar struct {
	label string
	value float64
}

// chartPanels are what a newcomer may want to know first. Each has this SDK and three
// clients that people know. RESULTS.md has all of them.
func (r *results) chartPanels() []chartPanel {
	panels := []chartPanel{
		{head: "Memory to upload 500 MB", text: "%.0f MiB"},
		{head: "Requests refused at a rate limit", text: "%.0f"},
		{head: "Requests to wait for a job of 20 min", text: "%.0f"},
		{head: "Seconds from a 503 to the error", text: "%.3f"},
		{head: "Allocations of one GET", text: "%.0f"},
	}
	for _, u := range r.uploads {
		panels[0].add(u.name, u.plain.peakMiB.median(), nameOurs, nameOpenAI, nameStripe, nameResty)
	}
	for _, l := range r.limits[0] {
		panels[1].add(l.Name, l.Refused.median(), nameOurs, nameRetryable, nameFailsafe, nameAzure)
	}
	for i, w := range r.waiters {
		for _, got := range r.waits[i] {
			if got.Length == 20*time.Minute {
				panels[2].add(w.name, got.Polls.mean(), nameOurs, nameHCloud, nameOpenAI, nameAssembly)
			}
		}
	}
	for _, late := range r.deadlines {
		panels[3].add(late.name, late.seconds.median(), nameOurs, nameRetryable, nameOpenAI, nameAzure)
	}
	for _, g := range r.gets {
		panels[4].add(g.name, float64(g.allocs), nameOurs, nameNetHTTP, nameGitHub, nameOpenAI)
	}
	return panels
}

// add adds a client that is one of some.
func (p *chartPanel) add(name string, value float64, some ...string) {
	if slices.Contains(some, name) {
		p.bars = append(p.bars, chartBar{name, value})
	}
}

// chart is chart.svg. Its colours follow the reader's light or dark scheme.
func (r *results) chart() string {
	panels := r.chartPanels()
	height := chartEdge + headHeight
	for _, p := range panels {
		height += headHeight + len(p.bars)*rowHeight + panelGap
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%[1]d" height="%[2]d" role="img" aria-labelledby="t d">
<title id="t">This SDK beside other Go clients. Less is better.</title>
<desc id="d">%s</desc>
<style>
.back { fill: #ffffff; stroke: #d1d9e0 }
text { font: 17px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #59636e }
.head { font-weight: 600; font-size: 20px; fill: #1f2328 }
.us { font-weight: 600; fill: #116149 }
.other { fill: #afb8c1 }
.ours { fill: #1f8a70 }
@media (prefers-color-scheme: dark) {
.back { fill: #0d1117; stroke: #3d444d }
text { fill: #b1bac4 }
.head { fill: #f0f6fc }
.us { fill: #56d4a8 }
.other { fill: #656c76 }
.ours { fill: #3fb68f }
}
</style>
<rect class="back" x="0.5" y="0.5" width="%d" height="%d" rx="8"/>
`, chartWidth, height, html.EscapeString(chartText(panels)), chartWidth-1, height-1)
	fmt.Fprintf(&b, "<text x=\"%d\" y=\"%d\">Less is better.</text>\n", chartEdge, chartEdge+16)
	y := chartEdge + headHeight
	for _, p := range panels {
		y = p.draw(&b, y) + panelGap
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// chartText says in words what the chart shows.
func chartText(panels []chartPanel) string {
	var list []string
	for _, p := range panels {
		var bars []string
		for _, c := range p.bars {
			bars = append(bars, c.label+" "+fmt.Sprintf(p.text, c.value))
		}
		list = append(list, p.head+": "+strings.Join(bars, ", ")+".")
	}
	return strings.Join(list, " ")
}

// draw draws the panel and returns where it ends.
func (p chartPanel) draw(b *strings.Builder, y int) int {
	fmt.Fprintf(b, "<text class=\"head\" x=\"%d\" y=\"%d\">%s</text>\n", chartEdge, y+22, html.EscapeString(p.head))
	y += headHeight
	longest := 0.0
	for _, c := range p.bars {
		longest = max(longest, c.value)
	}
	for _, c := range p.bars {
		bar, text := "other", ""
		if c.label == nameOurs {
			bar, text = "ours", ` class="us"`
		}
		width := c.value / longest * barWidth
		if c.value > 0 {
			width = max(width, 3) // to be seen
		}
		base := y + barHeight - 4
		fmt.Fprintf(b, "<text%s x=\"%d\" y=\"%d\">%s</text>", text, chartEdge, base, html.EscapeString(c.label))
		fmt.Fprintf(b, "<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" rx=\"3\"/>", bar, barLeft, y, width, barHeight)
		fmt.Fprintf(b, "<text%s x=\"%.1f\" y=\"%d\">%s</text>\n", text, barLeft+width+8, base, html.EscapeString(fmt.Sprintf(p.text, c.value)))
		y += rowHeight
	}
	return y
}
