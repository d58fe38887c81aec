package ratelimitheader

import (
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A policy is one member of RateLimit, joined with its RateLimit-Policy.
type policy struct {
	limit, remaining int64 // -1 when unknown
	reset            float64
	hasReset         bool
}

// readStructured reads RateLimit and RateLimit-Policy. Of several policies the
// one that binds is taken: one with nothing left, else the one with the least
// left for the time until its reset.
func readStructured(h http.Header, c clock, info *Info) {
	named := map[string]policy{}
	for _, value := range h["Ratelimit-Policy"] {
		for name, params := range members(value) {
			named[name] = policyOf(name, params)
		}
	}
	var binding *policy
	for _, value := range h["Ratelimit"] {
		if p, ok := oldStyle(value); ok {
			binding = tighter(binding, &p)
			continue
		}
		for name, params := range members(value) {
			p := stateOf(params)
			if declared, ok := named[name]; ok {
				p.limit = declared.limit
			}
			binding = tighter(binding, &p)
		}
	}
	if binding == nil {
		if len(named) == 1 { // a policy alone still tells the limit
			for _, p := range named {
				info.Limit = p.limit
			}
		}
		return
	}
	info.Limit, info.Remaining = binding.limit, binding.remaining
	if binding.hasReset {
		info.Reset = c.number(binding.reset, time.Second)
	}
}

func tighter(a, b *policy) *policy {
	if a == nil || b.rate() < a.rate() {
		return b
	}
	return a
}

// rate orders policies by how soon they refuse.
func (p *policy) rate() float64 {
	switch {
	case p.remaining < 0:
		return 1e18
	case p.remaining == 0:
		return -p.reset // the longest wait first
	default:
		return float64(p.remaining) / max(p.reset, 1e-3)
	}
}

// stateOf reads the parameters of a RateLimit member: r and t.
func stateOf(params map[string]string) policy {
	p := policy{limit: -1, remaining: number(params["r"])}
	p.reset, p.hasReset = seconds(params["t"])
	return p
}

// policyOf reads the parameters of a RateLimit-Policy member: q. In older
// drafts the quota is the member itself.
func policyOf(name string, params map[string]string) policy {
	p := policy{limit: number(params["q"]), remaining: -1}
	if p.limit < 0 {
		p.limit = number(name)
	}
	return p
}

// oldStyle reads "limit=10, remaining=0, reset=5".
func oldStyle(value string) (policy, bool) {
	p := policy{limit: -1, remaining: -1}
	found := false
	for item := range strings.SplitSeq(value, ",") {
		key, v, _ := strings.Cut(strings.TrimSpace(item), "=")
		switch strings.ToLower(key) {
		case "limit":
			p.limit = number(v)
		case "remaining":
			p.remaining, found = number(v), true
		case "reset":
			p.reset, p.hasReset = seconds(v)
			found = true
		}
	}
	return p, found
}

// members splits a list of items with parameters (RFC 9651, section 3.1) into
// names and parameters. Only what rate limits use is read: names that are
// strings, tokens or numbers, and parameters that are numbers; anything else
// is kept as text that no number is found in.
func members(value string) iter.Seq2[string, map[string]string] {
	return func(yield func(string, map[string]string) bool) {
		for item := range split(value, ',') {
			name, params := "", map[string]string{}
			for part := range split(item, ';') {
				part = strings.TrimSpace(part)
				if name == "" {
					name = strings.Trim(part, `"`)
					continue
				}
				key, v, _ := strings.Cut(part, "=")
				params[strings.ToLower(key)] = strings.TrimSpace(v)
			}
			if name != "" && !yield(name, params) {
				return
			}
		}
	}
}

// split cuts at sep outside of quoted strings.
func split(s string, sep byte) iter.Seq[string] {
	return func(yield func(string) bool) {
		quoted, start := false, 0
		for i := 0; i < len(s); i++ {
			switch {
			case s[i] == '\\' && quoted:
				i++
			case s[i] == '"':
				quoted = !quoted
			case s[i] == sep && !quoted:
				if !yield(s[start:i]) {
					return
				}
				start = i + 1
			}
		}
		yield(s[start:])
	}
}

func number(s string) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil || n < 0 {
		return -1
	}
	return n
}

func seconds(s string) (float64, bool) {
	n, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || !(n >= 0 && n < epochEnd) {
		return 0, false
	}
	return n, true
}
