package main

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ambient-scribe/ambient-go/ambienttest"
)

// A plannedFault is one of --fault.
type plannedFault struct {
	route    string
	from, to int
	ambienttest.Fault
}

// parseFault reads "POST /transcribe 1-3 503".
func parseFault(text string) (plannedFault, error) {
	words := strings.Fields(text)
	if len(words) < 3 {
		return plannedFault{}, usagef(`a fault has a route, a number and what happens: --fault "POST /transcribe 1 503"; see ambient fake --help`)
	}
	n := len(words)
	f := plannedFault{route: strings.Join(words[:n-2], " ")}
	if !slices.Contains(fakeRoutes(), f.route) {
		return f, usagef("the route of a fault is one of %s", strings.Join(fakeRoutes(), ", "))
	}
	from, to, isRange := strings.Cut(words[n-2], "-")
	if !isRange {
		to = from
	}
	var errFrom, errTo error
	f.from, errFrom = strconv.Atoi(from)
	f.to, errTo = strconv.Atoi(to)
	if errFrom != nil || errTo != nil || f.from < 1 || f.to < f.from {
		return f, usagef("the requests of a fault are one, such as 3, or some, such as 2-5")
	}
	var ok bool
	if f.Fault, ok = faultOf(words[n-1]); !ok {
		return f, usagef("a fault is STATUS, STATUS:SECONDS, html:STATUS, slow:TIME, cut, lost or half")
	}
	return f, nil
}

func fakeRoutes() []string {
	return []string{
		"*", "POST /auth/token", "POST /transcribe", "GET /transcribe/{id}",
		"POST /scribe", "GET /scribe/{id}", "POST /scribe/{id}/regenerate/audio",
	}
}

func faultOf(what string) (f ambienttest.Fault, ok bool) {
	switch what {
	case "cut":
		return ambienttest.Fault{Reset: ambienttest.ResetBeforeRead}, true
	case "lost":
		return ambienttest.Fault{Reset: ambienttest.ResetAfterRead, Process: true}, true
	case "half":
		return ambienttest.Fault{Truncate: true, Process: true}, true
	}
	word, detail, has := strings.Cut(what, ":")
	switch {
	case word == "slow":
		delay, err := time.ParseDuration(detail)
		return ambienttest.Fault{Delay: delay}, err == nil && delay > 0
	case word == "html":
		status, ok := finalStatus(detail)
		return ambienttest.ProxyHTML(status), ok
	}
	status, ok := finalStatus(word)
	if !ok || !has {
		return ambienttest.Answer(status), ok
	}
	return ambienttest.RetryAfter(status, detail), true
}

func finalStatus(s string) (status int, ok bool) {
	status, err := strconv.Atoi(s)
	return status, err == nil && status >= http.StatusOK && status <= 599
}
