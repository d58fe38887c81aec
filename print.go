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
