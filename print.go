package ambient

import "fmt"

// formatText prints a safe text under any verb. Without a Format method of
// their own, values are printed field by field by verbs such as %d and %#v.
func formatText(s fmt.State, verb rune, text string) {
	switch verb {
	case 's', 'q', 'x', 'X':
	default:
		verb = 's'
	}
	if s.Flag('#') && verb == 's' {
		verb = 'q' // Go syntax
	}
	width, hasWidth := s.Width()
	switch {
	case hasWidth && s.Flag('-'):
		fmt.Fprintf(s, "%-*"+string(verb), width, text)
	case hasWidth:
		fmt.Fprintf(s, "%*"+string(verb), width, text)
	default:
		fmt.Fprintf(s, "%"+string(verb), text)
	}
}

// A client and its services hold headers and credentials, into which fmt looks
// for a verb that it finds wrong.

func (Client) Format(s fmt.State, verb rune) { formatText(s, verb, "Client") }
func (TranscriptionsService) Format(s fmt.State, verb rune) {
	formatText(s, verb, "TranscriptionsService")
}
func (ScribesService) Format(s fmt.State, verb rune) { formatText(s, verb, "ScribesService") }

// hidden keeps a value two pointers away: fmt prints the unexported fields of
// other people's types without asking, and for a verb that it finds wrong it
// follows one pointer.
type hidden[T any] struct{ p **T }

func hide[T any](v T) hidden[T] {
	p := &v
	return hidden[T]{&p}
}

// get returns the value, nil for none.
func (h hidden[T]) get() *T {
	if h.p == nil {
		return nil
	}
	return *h.p
}

func bytesIn(h hidden[[]byte]) []byte {
	if b := h.get(); b != nil {
		return *b
	}
	return nil
}
