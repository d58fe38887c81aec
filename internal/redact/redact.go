// Package redact makes text that a server sent fit to be printed. What a server says
// may repeat what it was sent, such as a patient's name, a transcript or a password. No
// list of forbidden words catches that. So only words of a fixed vocabulary pass, small
// numbers, and the ids of the call.
package redact

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	hidden    = "…"
	maxLength = 300 // bytes of printed text
	maxNumber = 1000
)

// Text returns s on one line with every word masked that is not known to be
// harmless. Numbers pass when they are below 1,000, begin with no zero and stand
// alone, or are among ids.
func Text(s string, ids ...int64) string {
	if isStatusText(s) {
		return s
	}
	var b strings.Builder
	sentence, afterNumber := true, false
	for s != "" && b.Len() < maxLength {
		run, rest := cut(s)
		s = rest
		switch {
		case !isWord(run):
			writePunctuation(&b, run[:min(len(run), maxLength)])
			sentence = sentence || strings.ContainsAny(run, ".:;!?\n[{(\"'")
		case isNumber(run):
			if known := slices.Contains(ids, number(run)); known || isSmall(run) && !afterNumber && !nextIsNumber(s) {
				b.WriteString(run)
			} else {
				b.WriteString(hidden)
			}
			afterNumber, sentence = true, false
		default:
			if passes(run, sentence) {
				b.WriteString(run)
			} else {
				b.WriteString(hidden)
			}
			afterNumber, sentence = false, false
		}
	}
	if s != "" {
		b.WriteString(" …")
	}
	return strings.TrimSpace(b.String())
}

// isStatusText reports whether s is a status's own phrase, such as "Bad Gateway"
// or "502 Bad Gateway", which has capitals that would be masked in other text.
func isStatusText(s string) bool {
	for code := 400; code < 600; code++ {
		if phrase := http.StatusText(code); phrase != "" && strings.TrimPrefix(s, strconv.Itoa(code)+" ") == phrase {
			return true
		}
	}
	return false
}

// Number returns a header's value masked, except that numbers of any size pass, such as
// limits and sizes.
func Number(s string) string {
	if isNumber(s) && len(s) <= 16 {
		return s
	}
	return Text(s)
}

// Path masks a request path segment by segment. Words of the vocabulary and the ids
// pass. Any other number may be a date of birth or of a record.
func Path(path string, ids ...int64) string {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		isID := isNumber(s) && slices.Contains(ids, number(s))
		if s != "" && !isID && !passes(s, false) {
			segments[i] = hidden
		}
	}
	return strings.Join(segments, "/")
}

// ID returns a request id if it looks like one and not like text. It is made of
// hexadecimal numbers, as a UUID or a trace id is, or of one long mixture of letters
// and digits. Letters and digits change places in it more often than in a name with a
// date of birth.
func ID(s string) string {
	if s == "" {
		return ""
	}
	if len(s) > 128 {
		return hidden
	}
	var hex strings.Builder
	hex.Grow(len(s))
	random, longest, ended := false, 0, false
	for part := range strings.FieldsFuncSeq(s, func(r rune) bool { return strings.ContainsRune("-_.:=;/+", r) }) {
		switch {
		case ended:
			return hidden
		case isHex(part):
			hex.WriteString(part)
			longest = max(longest, len(part))
		case isRandom(part):
			random = true
		case idWords[part]:
		case isAirport(part):
			ended = true
		default:
			return hidden
		}
	}
	if !random && (longest < 12 || changes(hex.String()) < 3) {
		return hidden
	}
	return s
}

// idWords stand in request ids, such as those of AWS.
var idWords = map[string]bool{"Root": true, "Self": true, "Parent": true, "Sampled": true, "Lineage": true, "req": true, "request": true, "id": true}

// isAirport is true of the end of a Cloudflare id, which names a data centre.
func isAirport(part string) bool {
	return len(part) == 3 && strings.Trim(part, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// isRandom is true of 16 letters and digits and more, where one follows the
// other more often than in names and numbers strung together.
func isRandom(part string) bool {
	return len(part) >= 16 && isAlphanumeric(part) && changes(part) >= 6
}

// changes counts how often a letter follows a digit, or a digit a letter.
func changes(s string) int {
	n := 0
	for i := 1; i < len(s); i++ {
		if (s[i] <= '9') != (s[i-1] <= '9') {
			n++
		}
	}
	return n
}

// cut splits off the longest run that is one word, or no word at all. Letters
// and digits that are joined by a sign as in a date, an address or a compound
// are one word.
func cut(s string) (run, rest string) {
	first, _ := utf8.DecodeRuneInString(s)
	word := inWord(first)
	end := len(s)
	for i, r := range s {
		if inWord(r) == word {
			continue
		}
		if word && isJoint(r) && i+utf8.RuneLen(r) < len(s) {
			if next, _ := utf8.DecodeRuneInString(s[i+utf8.RuneLen(r):]); inWord(next) {
				continue
			}
		}
		end = i
		break
	}
	return s[:end], s[end:]
}

// inWord is true of everything that is not ASCII space or punctuation, so that
// no script and no invalid byte passes for punctuation.
func inWord(r rune) bool {
	return r == '_' || r >= utf8.RuneSelf || unicode.IsLetter(r) || unicode.IsDigit(r)
}

// isJoint is true of signs that make one word of two.
func isJoint(r rune) bool { return strings.ContainsRune("-.@'/+&:%~=", r) }

func isWord(run string) bool {
	r, _ := utf8.DecodeRuneInString(run)
	return inWord(r)
}

func isNumber(run string) bool { return number(run) >= 0 }

// isSmall reports whether a number is below 1,000. A number with a zero before it is
// part of a longer one.
func isSmall(run string) bool {
	return number(run) < maxNumber && (run == "0" || run[0] != '0')
}

// number is -1 for anything but a plain decimal number.
func number(run string) int64 {
	n, err := strconv.ParseInt(run, 10, 64)
	if err != nil || run[0] == '-' || run[0] == '+' {
		return -1
	}
	return n
}

func nextIsNumber(s string) bool {
	_, s = cutPunctuation(s)
	if s == "" {
		return false
	}
	run, _ := cut(s)
	return isNumber(run)
}

func cutPunctuation(s string) (string, string) {
	for i, r := range s {
		if inWord(r) {
			return s[:i], s[i:]
		}
	}
	return s, ""
}

// passes reports whether a word, or every part of a compound, is in the
// vocabulary. A capital inside a sentence makes a name of a word, so it passes
// only at the start of one, or where the vocabulary has it so, or all in capitals
// with an underscore, as in a state.
func passes(word string, startsSentence bool) bool {
	if vocabulary[word] {
		return true
	}
	for part := range strings.FieldsFuncSeq(word, isJoint) {
		if vocabulary[part] {
			continue
		}
		lower := strings.ToLower(part)
		if !isASCII(part) { // some foreign letters are small ASCII ones
			return false
		}
		isState := part == strings.ToUpper(part) && strings.Contains(part, "_")
		if part != lower && !isState && !(startsSentence && part[1:] == lower[1:]) {
			return false
		}
		if part != lower && len(part) == 1 && lower != "a" { // an initial
			return false
		}
		if !known(lower) {
			return false
		}
	}
	return true
}

// known looks a word up, or the words that an underscore joins.
func known(lower string) bool {
	if vocabulary[lower] {
		return true
	}
	if !strings.Contains(lower, "_") {
		return false
	}
	for part := range strings.SplitSeq(lower, "_") {
		if part != "" && !vocabulary[part] {
			return false
		}
	}
	return true
}

// writePunctuation keeps printable ASCII and makes one space of any white space.
func writePunctuation(b *strings.Builder, run string) {
	space := false
	for _, r := range run {
		switch {
		case r <= ' ' || r == 0x7f:
			space = true
		default:
			if space {
				b.WriteByte(' ')
			}
			space = false
			b.WriteRune(r)
		}
	}
	if space {
		b.WriteByte(' ')
	}
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}

func isHex(s string) bool {
	return strings.Trim(s, "0123456789abcdefABCDEF") == ""
}

func isAlphanumeric(s string) bool {
	return strings.Trim(s, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}
