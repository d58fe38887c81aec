package safeerr

// Plan 9 has no error numbers. The text of an error of its kernel may contain the name
// of a file, so that it is masked as any other text is.

func isErrno(error) bool { return false }

func errnoText(error) (text string, ok bool) { return "", false }
