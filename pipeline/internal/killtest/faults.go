//go:build linux

package main

import (
	"time"

	"github.com/ambient-scribe/ambient-go/ambienttest"
)

// planFaults plans what goes wrong with each request of the API, at random. Whatever leaves a submit in doubt is
// processed too, so that the doubt is right.
func (t *trial) planFaults() {
	visits := 5 * (t.plan.kills + t.plan.freezes + t.plan.crashes)
	t.faults = map[string][]ambienttest.Fault{}
	for _, route := range []string{"POST /transcribe", "POST /scribe"} {
		t.planRoute(route, 2*visits+100, t.submitFault)
	}
	for _, route := range []string{"GET /transcribe/{id}", "GET /scribe/{id}"} {
		t.planRoute(route, 4*visits, t.readFault)
	}
	for range 2 * visits {
		life := ambienttest.TranscriptionCompletes(t.between(0, time.Second), "synthetic "+canary)
		if t.random.IntN(50) == 0 {
			life = ambienttest.TranscriptionFails(300*time.Millisecond, "synthetic "+canary)
		}
		t.api.ScriptTranscription(life...)
	}
}

func (t *trial) planRoute(route string, requests int, fault func(percent int) ambienttest.Fault) {
	for n := range requests {
		f := fault(t.random.IntN(100))
		t.faults[route] = append(t.faults[route], f)
		if f.Status != 0 || f.Reset != ambienttest.NoReset || f.Delay > 0 {
			t.api.Fault(route, n+1, f)
		}
	}
}

func (t *trial) submitFault(percent int) ambienttest.Fault {
	switch {
	case percent < 1:
		return ambienttest.Fault{Reset: ambienttest.ResetAfterRead, Process: true}
	case percent < 2:
		return ambienttest.Fault{Status: 502, Process: true}
	case percent < 4:
		return ambienttest.Answer(503)
	case percent < 5:
		return ambienttest.RetryAfter(429, "1")
	case percent < 6:
		return ambienttest.Fault{Reset: ambienttest.ResetMidBody}
	}
	return ambienttest.Fault{Delay: t.between(0, 300*time.Millisecond)}
}

func (t *trial) readFault(percent int) ambienttest.Fault {
	switch {
	case percent < 2:
		return ambienttest.Answer(500)
	case percent < 3:
		return ambienttest.Fault{Reset: ambienttest.ResetAfterRead}
	}
	return ambienttest.Fault{}
}

// created reports whether the nth request of a route, which came whole, made a job.
func (t *trial) created(route string, n int) bool {
	if n >= len(t.faults[route]) {
		return true
	}
	f := t.faults[route][n]
	return f.Process || f.Status == 0 && f.Reset == ambienttest.NoReset
}
