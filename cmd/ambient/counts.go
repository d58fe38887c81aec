package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/ambient-scribe/ambient-go/pipeline"
)

// Counts are how far a batch is.
type counts struct {
	Recordings int `json:"recordings"`
	Done       int `json:"done"`
	Failed     int `json:"failed"`
	Unknown    int `json:"unknown"`
	Dropped    int `json:"dropped"`
	Unfinished int `json:"unfinished"`
	LeftOut    int `json:"left_out"` // not taken, since they cannot be sent
}

func (c *counts) add(s pipeline.Status) {
	c.Recordings++
	switch {
	case s.State == pipeline.Done:
		c.Done++
	case s.State == pipeline.Unknown:
		c.Unknown++
	case s.State == pipeline.Failed && s.Reason == "dropped":
		c.Dropped++
	case s.State == pipeline.Failed:
		c.Failed++
	default:
		c.Unfinished++
	}
}

// String is the counts that are not 0.
func (c counts) String() string {
	parts := []string{fmt.Sprintf("%d of %s done", c.Done, plural(c.Recordings, "recording"))}
	for _, part := range []struct {
		n    int
		what string
	}{{c.Unfinished, "to do"}, {c.Failed, "failed"}, {c.Unknown, "unknown"}, {c.Dropped, "dropped"}, {c.LeftOut, "left out"}} {
		if part.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", part.n, part.what))
		}
	}
	return strings.Join(parts, ", ")
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// timeLeft is how long the rest takes at the rate so far.
func timeLeft(done, left int, took time.Duration) string {
	if done == 0 || left == 0 {
		return ""
	}
	rest := time.Duration(float64(took) / float64(done) * float64(left))
	switch {
	case rest > time.Hour:
		return fmt.Sprintf(", about %.1f h left", rest.Hours())
	case rest > time.Minute:
		return fmt.Sprintf(", about %.0f min left", rest.Minutes())
	}
	return fmt.Sprintf(", about %.0f s left", rest.Seconds())
}
