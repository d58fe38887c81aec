package pipeline

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

const maxKey = 512 // bytes

// checkKeys names a bad key by its place alone, since it may be the name of a patient.
func checkKeys(keys []string, paths bool) error {
	for i, key := range keys {
		if err := checkKey(key, paths); err != nil {
			return fmt.Errorf("pipeline: key %d of %d %w", i+1, len(keys), err)
		}
	}
	return nil
}

func checkKey(key string, paths bool) error {
	switch {
	case key == "":
		return errors.New("is empty")
	case len(key) > maxKey:
		return fmt.Errorf("is longer than %d bytes", maxKey)
	case !utf8.ValidString(key):
		return errors.New("is not UTF-8")
	case strings.ContainsFunc(key, unicode.IsControl):
		return errors.New("has a control character in it")
	case !paths && looksLikePath(key):
		return errors.New("looks like a path or a file name, which may name a patient and would be stored: use an opaque key, or set Config.PathKeys")
	}
	return nil
}

// audioExtensions are those of recordings. A dot alone makes no file name.
var audioExtensions = map[string]bool{
	".mp3": true, ".mp4": true, ".mpeg": true, ".mpga": true, ".m4a": true, ".wav": true, ".webm": true,
	".ogg": true, ".oga": true, ".opus": true, ".flac": true, ".aac": true, ".aif": true, ".aiff": true,
	".caf": true, ".amr": true, ".3gp": true, ".wma": true, ".txt": true, ".json": true,
}

func looksLikePath(key string) bool {
	return strings.ContainsAny(key, `/\`) || audioExtensions[strings.ToLower(path.Ext(key))]
}
