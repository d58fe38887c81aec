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

// jsonAnswer encodes v, which this package has made or checked and which therefore
// always encodes.
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

// problem is one entry of a validation error, in FastAPI's shape. Input echoes what was
// sent, as pydantic does.
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

// documented is the answer that the service documents for a status. Where none is
// published, it is the nearest thing.
func documented(status int, r route) answer {
	switch status {
	case http.StatusUnauthorized:
		return unauthorized()
	case http.StatusForbidden:
		return detail(status, "You do not have access to these template_ids [234234]")
	case http.StatusNotFound:
		if r.idName == "scribe_id" {
			return detail(status, scribeKind+" not found")
		}
		return detail(status, transcriptionKind+" not found")
	case http.StatusUnprocessableEntity:
		return invalid(missing("body", r.requiredField()))
	case http.StatusTooManyRequests:
		// The plural key is the service's own.
		return jsonAnswer(status, map[string]string{"details": "Too many requests"})
	case http.StatusInternalServerError:
		// The shape that the vendor's JavaScript sample reads.
		return jsonAnswer(status, map[string]any{"error": map[string]string{"message": statusText(status)}})
	}
	return detail(status, statusText(status))
}

// requiredField is a field that the route requires, or where it has no form, another
// route.
func (r route) requiredField() string {
	for _, rule := range r.rules {
		if rule.required {
			return rule.name
		}
	}
	return "template_ids"
}

// statusText is http.StatusText, with the statuses that CDNs made.
func statusText(status int) string {
	if text := http.StatusText(status); text != "" {
		return text
	}
	return map[int]string{
		520: "Web Server Returned an Unknown Error", 521: "Web Server Is Down", 522: "Connection Timed Out", 523: "Origin Is Unreachable",
		524: "A Timeout Occurred", 525: "SSL Handshake Failed", 526: "Invalid SSL Certificate", 529: "Site Is Overloaded", 530: "Site Is Frozen",
	}[status]
}
