package ambienttest

import (
	"encoding/json"
	"net/http"
)

// answer is a response before it is sent.
type answer struct {
	status int
	header http.Header
	body   string
}

// jsonAnswer encodes v, which this package has made or checked and which therefore always encodes.
func jsonAnswer(status int, v any) answer {
	b, err := json.Marshal(v)
	if err != nil {
		panic("ambienttest: " + err.Error())
	}
	return answer{status, http.Header{"Content-Type": {"application/json"}}, string(b)}
}

// detail is the service's usual error body.
func detail(status int, message string) answer {
	return jsonAnswer(status, map[string]string{"detail": message})
}

func unauthorized() answer {
	a := detail(http.StatusUnauthorized, "Could not validate credentials")
	a.header.Set("WWW-Authenticate", "Bearer")
	return a
}

// problem is one entry of a validation error, in FastAPI's shape. Input echoes what was sent, as pydantic does.
type problem struct {
	Loc   []any  `json:"loc"`
	Msg   string `json:"msg"`
	Type  string `json:"type"`
	Input any    `json:"input,omitempty"`
}

func invalid(problems ...problem) answer {
	return jsonAnswer(http.StatusUnprocessableEntity, map[string]any{"detail": problems})
}

func missing(loc ...any) problem {
	return problem{Loc: loc, Msg: "field required", Type: "value_error.missing"}
}

// documented is the service's body for a status, or the nearest thing to it where none is published.
func documented(status int) answer {
	switch status {
	case http.StatusUnauthorized:
		return unauthorized()
	case http.StatusForbidden:
		return detail(status, "You do not have access to these template_ids [234234]")
	case http.StatusNotFound:
		return detail(status, "Transcription not found")
	case http.StatusUnprocessableEntity:
		return invalid(missing("body", "template_ids"))
	case http.StatusTooManyRequests:
		// The plural key is the service's own.
		return jsonAnswer(status, map[string]string{"details": "Too many requests"})
	case http.StatusInternalServerError:
		// The shape that the vendor's JavaScript sample reads.
		return jsonAnswer(status, map[string]any{"error": map[string]string{"message": http.StatusText(status)}})
	}
	return detail(status, http.StatusText(status))
}
