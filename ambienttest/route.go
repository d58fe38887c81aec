package ambienttest

import (
	"net/http"
	"strings"
	"time"
)

// anyRoute stands for every route in [Server.Fault].
const anyRoute = "*"

// route is one endpoint. Its name is its method and path template, such as "GET
// /transcribe/{id}".
type route struct {
	name   string
	rules  []rule // of the form; nil: the route takes no body
	form   string // media type of the form
	idName string // what the id in the path is called in error bodies
	handle func(*exchange, time.Time) answer
}

const (
	urlencoded = "application/x-www-form-urlencoded"
	multiparts = "multipart/form-data"
	tokenRoute = "POST /auth/token"
)

func routes() []route {
	return []route{
		{name: tokenRoute, form: urlencoded, rules: tokenForm, handle: issueToken},
		{name: "POST /transcribe", form: multiparts, rules: transcribeForm, handle: submitTranscription},
		{name: "GET /transcribe/{id}", idName: "transcription_id", handle: getTranscription},
		{name: "POST /scribe", form: multiparts, rules: scribeForm, handle: createScribe},
		{name: "GET /scribe/{id}", idName: "scribe_id", handle: getScribe},
		{name: "POST /scribe/{id}/regenerate/audio", idName: "scribe_id", form: multiparts, rules: regenerateForm,
			handle: regenerateScribe},
	}
}

func knownRoute(name string) bool {
	for _, r := range routes() {
		if r.name == name {
			return true
		}
	}
	return name == anyRoute
}

// match finds the route of a request and the text of the id in its path. Where only the
// path is known, the route has no handler and allow lists the methods it has. Where
// nothing is known, all are empty.
//
// http.ServeMux would clean the path first and redirect. That hides a double slash, the
// commonest mistake of a client.
func match(method, path string) (found route, id, allow string) {
	path, ok := strings.CutPrefix(path, BasePath)
	if !ok {
		return route{}, "", ""
	}
	var allowed []string
	for _, r := range routes() {
		m, template, _ := strings.Cut(r.name, " ")
		pathID, same := matchPath(template, path)
		if !same {
			continue
		}
		if m == method {
			return r, pathID, ""
		}
		allowed = append(allowed, m)
		found.name, id = method+" "+template, pathID
	}
	return found, id, strings.Join(allowed, ", ")
}

func matchPath(template, path string) (id string, ok bool) {
	want, got := strings.Split(template, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return "", false
	}
	for i := range want {
		switch {
		case want[i] == "{id}" && got[i] != "":
			id = got[i]
		case want[i] != got[i]:
			return "", false
		}
	}
	return id, true
}

// noRoute answers a request that matches no route.
func noRoute(allow string) answer {
	if allow == "" {
		return detail(http.StatusNotFound, "Not Found")
	}
	a := detail(http.StatusMethodNotAllowed, "Method Not Allowed")
	a.header.Set("Allow", allow)
	return a
}
