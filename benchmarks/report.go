package main

import (
	"fmt"
	"runtime"
	"strings"
	"time"
)

// A doc is a Markdown text in the making.
type doc struct{ strings.Builder }

func (d *doc) line(format string, args ...any) { fmt.Fprintf(d, format+"\n", args...) }

// table begins a table with figures on the right and text on the left.
func (d *doc) table(heads ...string) {
	d.line("")
	d.row(heads...)
	d.WriteString("|")
	for _, head := range heads {
		switch head {
		case "", "client", "network", "module", "version", "with", "sends", "held", tells503:
			d.WriteString("---|")
		default:
			d.WriteString("--:|")
		}
	}
	d.line("")
}

func (d *doc) row(cells ...string) { d.line("| %s |", strings.Join(cells, " | ")) }

// report is RESULTS.md.
func (r *results) report(list []part) string {
	d := &doc{}
	d.line("# Results")
	d.line("")
	d.line("Written by `go run .` in this directory on %s, in %s. Do not edit.", r.began.UTC().Format(time.DateOnly), r.took.Round(time.Second))
	d.line("")
	d.line("Machine: %s. Commit of this SDK: %s.", machine(), r.commit)
	d.line("")
	d.line("Figures are medians of %d runs, unless a table says otherwise. In brackets are the least and the greatest, where they differ.", r.rounds)
	d.line("Every client is set up as its documentation shows. The files whose names begin with `rivals` say where one is not, and why.")
	d.line("Each is at the newest version that Go %s builds, stable or not. hcloud-go v2.53.0 needs Go 1.26.10.", strings.TrimPrefix(runtime.Version(), "go"))
	d.table("module", "version")
	for _, m := range rivalModules {
		d.row(m, versionOf(m))
	}
	reportBars(d, r.barsOf(list, false))
	return d.String() + r.sections(list)
}

// sections are those of the parts.
func (r *results) sections(list []part) string {
	d := &doc{}
	for _, p := range list {
		p.report(r, d)
	}
	return d.String()
}

func reportBars(d *doc, bars []bar) {
	d.line("\n## What this SDK holds itself to")
	d.table("", "measured", "bar", "held")
	for _, b := range bars {
		held := "yes"
		if !b.held() {
			held = "**no**"
		}
		d.row(b.what, b.valueText(), b.boundText(), held)
	}
}

func (r *results) reportGets(d *doc) {
	d.line("\n## One GET")
	d.line("\nOver a transport in memory, which is the same for all. Each client decodes a small object of its own API.")
	d.line("Times are medians of %d slices of %d ms, in which the clients take turns. In brackets are the least and the", getSlices*r.rounds, sliceTime.Milliseconds())
	d.line("greatest median of a tenth of the slices. This SDK is slower than those that look at less. It checks the whole JSON before it")
	d.line("decodes a part, reads every header of a rate limit, checks that a request id is no text, and keeps a history of the call.")
	d.table("client", "allocations", "bytes", "time, µs", "time / ours", "with")
	for _, g := range r.gets {
		d.row(g.name, fmt.Sprint(g.allocs), fmt.Sprint(g.bytes), g.nanos.micros().spread(1), g.nanos.over(r.gets[0].nanos).spread(2), g.note)
	}
}

func (r *results) reportUploads(d *doc) {
	d.line("\n## An upload of 500 MB")
	d.line("\nFrom a file, to a server on loopback that reads all of it. Peak is the resident memory of a process that makes one")
	d.line("upload, less the pages of its program's file. Before the upload it is %s MiB. In the column with a 503 the server reads the", r.uploads[0].plain.idleMiB.text(1))
	d.line("first upload and answers it with 503. Those that hold the file in memory, and the uploads with a 503, are run once.")
	d.table("client", "peak, MiB", "time, s", "time / net/http", "peak with a 503, MiB", "sends")
	byHand := r.uploads[1].plain.seconds // the second of uploaders
	for _, u := range r.uploads {
		with503 := u.after503.peakMiB.text(1)
		if u.after503.failed {
			with503 = "fails"
		}
		d.row(u.name, u.plain.peakMiB.text(1), u.plain.seconds.text(2),
			u.plain.seconds.over(byHand).text(2), with503, u.note)
	}
}

func (r *results) reportWaits(d *doc) {
	d.line("\n## Waiting for a job")
	d.line("\nMean polls, and in brackets the mean lag of the waiter's return behind the job's end, in virtual time. A poll takes %d ms.", roundTrip.Milliseconds())
	d.line("There are %d jobs, whose lengths are spread evenly over 10 %% around that of the column. A client that has made %d polls", waitJobs, enoughPolls)
	d.line("waits for no more jobs, once it has waited for %d.", minWaitJobs)
	heads := []string{"client"}
	for _, w := range r.waits[0] {
		heads = append(heads, short(w.Length))
	}
	d.table(append(heads, "with")...)
	for i, w := range r.waiters {
		cells := []string{w.name}
		for _, got := range r.waits[i] {
			cells = append(cells, fmt.Sprintf("%.0f (%.1f s)", got.Polls.mean(), got.Lag.mean()))
		}
		d.row(append(cells, w.note)...)
	}
}

func (r *results) reportLimits(d *doc) {
	d.line("\n## A rate limit")
	d.line("\n%d goroutines over loopback sockets. Refused are answers with 429, failed are calls that ended with an error.", limitGoroutines)
	for i, c := range limitCases() {
		d.line("\n### %s", capital(c.name))
		if c.note != "" {
			d.line("\n%s", c.note)
		}
		if !c.held {
			d.line("\nThere is no bar for the time, since the server does not say enough to come near the ideal.")
		}
		d.table("client", "ideal time / its time", "refused", "failed")
		for _, l := range r.limits[i] {
			d.row(l.Name, l.Ratio.text(2), l.Refused.text(0), l.Failed.text(0))
		}
	}
	d.line("")
	for _, l := range limitClients() {
		d.line("- %s: %s", l.name, l.note)
	}
}

func (r *results) reportVirtual(d *doc) {
	d.line("\n## A rate limit, for minutes")
	d.line("\nThe same clients in virtual time, which no other program can disturb. A request takes about %d ms.", roundTrip.Milliseconds())
	for i, c := range virtualCases() {
		d.line("\n### %s", capital(c.name))
		d.line("\n%s", c.note)
		d.table("client", c.figure, "refused", "failed")
		for k, l := range limitClients()[:len(r.virtual)] {
			got := r.virtual[k][i]
			d.row(l.name, fmt.Sprintf("%.2f", got.Figure), fmt.Sprintf("%.0f", got.Refused), fmt.Sprintf("%.0f", got.Failed))
		}
	}
}

func (r *results) reportConnections(d *doc) {
	d.line("\n## Connections")
	d.line("\nOpened by %d good calls, each followed by one that gets a 503 with a body and is cancelled while it waits to be\nrepeated.", connPairs)
	d.table("client", "connections")
	for i, opened := range r.conns {
		d.row(limitClients()[i].name, fmt.Sprint(opened))
	}
}

const tells503 = "the error tells of the 503"

func (r *results) reportDeadlines(d *doc) {
	d.line("\n## A 503 with Retry-After: 60 under a deadline of 2 s")
	d.table("client", "time to the error, s", tells503, "with")
	for _, l := range r.deadlines {
		tells := "yes"
		if !l.tells {
			tells = "no"
		}
		d.row(l.name, l.seconds.text(3), tells, l.note)
	}
}

func (r *results) reportSizes(d *doc) {
	d.line("\n## What it costs to depend on it")
	d.line("\nA program that makes one GET and prints what came, built with `CGO_ENABLED=0 go build -trimpath -ldflags \"-s -w\"`. Modules are")
	d.line("those that `go list -m all` counts in it, the client's own included.")
	d.table("client", "program, KiB", "modules")
	for _, s := range r.sizes {
		d.row(s.name, fmt.Sprintf("%.0f", s.kib()), fmt.Sprint(s.modules))
	}
	d.line("\nThis SDK is built on go-retryablehttp. Its program may have %d KiB more than go-retryablehttp's. Nearly all that it has more", maxSizeAboveKiB)
	d.line("is its own code and the runtime's tables for that. The standard library's part is 50 KiB of code, a third of it for httptrace.")
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
