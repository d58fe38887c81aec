package main

import (
	"fmt"
	"html"
	"strings"
)

const (
	chartWidth = 760
	labelWidth = 210
	barWidth   = 440 // of the longest bar
	barHeight  = 18
	rowHeight  = 26
	headHeight = 44
)

// A chartBar is one line of the chart.
type chartBar struct {
	label string
	value float64
	text  string
}

// chart is chart.svg, two sets of horizontal bars. Its colours follow the reader's
// light or dark scheme. They are legible on both if the scheme is unknown.
func (r *results) chart() string {
	var gets, uploads []chartBar
	for _, g := range r.gets {
		gets = append(gets, chartBar{g.name, float64(g.allocs), fmt.Sprint(g.allocs)})
	}
	for _, u := range r.uploads {
		mib := u.plain.peakMiB.median()
		uploads = append(uploads, chartBar{u.name, mib, fmt.Sprintf("%.0f MiB", mib)})
	}
	height := 2*headHeight + (len(gets)+len(uploads))*rowHeight + 24
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%[1]d" height="%[2]d" role="img" aria-labelledby="t">
<title id="t">Allocations of one GET and peak memory of a 500 MB upload, by client</title>
<style>
text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #57606a }
.head { font-weight: 600; font-size: 14px }
.other { fill: #8c959f }
.ours { fill: #1f8a70 }
@media (prefers-color-scheme: dark) { text { fill: #b1bac4 } .other { fill: #6e7681 } .ours { fill: #3fb68f } }
</style>
`, chartWidth, height)
	y := chartPanel(&b, 0, "Allocations of one GET", gets)
	chartPanel(&b, y+12, "Peak memory of a 500 MB upload", uploads)
	b.WriteString("</svg>\n")
	return b.String()
}

// chartPanel draws one set of bars and returns where it ends.
func chartPanel(b *strings.Builder, y int, head string, bars []chartBar) int {
	fmt.Fprintf(b, "<text class=\"head\" x=\"8\" y=\"%d\">%s</text>\n", y+28, html.EscapeString(head))
	y += headHeight
	longest := 0.0
	for _, c := range bars {
		longest = max(longest, c.value)
	}
	for i, c := range bars {
		class := "other"
		if i == 0 {
			class = "ours"
		}
		width := max(c.value/longest*barWidth, 2)
		base := y + barHeight - 5
		fmt.Fprintf(b, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>", labelWidth-8, base, html.EscapeString(c.label))
		fmt.Fprintf(b, "<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" rx=\"2\"/>", class, labelWidth, y, width, barHeight)
		fmt.Fprintf(b, "<text x=\"%.1f\" y=\"%d\">%s</text>\n", labelWidth+width+6, base, html.EscapeString(c.text))
		y += rowHeight
	}
	return y
}
