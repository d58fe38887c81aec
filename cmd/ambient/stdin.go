package main

import (
	"io"
	"os"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/cmd/ambient/internal/container"
)

// stdinAudio is the recording on stdin. A file there can be sent again after a
// fault, a pipe cannot. name is what messages call it.
func (a *app) stdinAudio(name string) (ambient.Audio, error) {
	if err := a.useStdin(name); err != nil {
		return ambient.Audio{}, err
	}
	f, ok := a.stdin.(*os.File)
	if !ok {
		return pipedAudio(a.stdin), nil
	}
	info, err := f.Stat()
	switch {
	case err != nil:
		return ambient.Audio{}, failuref(exitOther, "stdin cannot be read: %s", reason(err))
	case info.IsDir():
		return ambient.Audio{}, failuref(exitOther, "stdin is a directory: pipe a recording into the command")
	case info.Mode()&os.ModeCharDevice != 0:
		return ambient.Audio{}, usagef("stdin is no recording: pipe one into the command, or name a file")
	case info.Mode().IsRegular():
		return fileAudio(f, info.Size())
	}
	return pipedAudio(f), nil
}

// fileAudio is the rest of an open file.
func fileAudio(f *os.File, size int64) (ambient.Audio, error) {
	at, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return ambient.Audio{}, failuref(exitOther, "stdin cannot be read: %s", reason(err))
	}
	if at >= size {
		return ambient.Audio{}, failuref(exitOther, "stdin is empty: check what is piped into the command")
	}
	return ambient.AudioReaderAt("", io.NewSectionReader(f, at, size-at), size-at), nil
}

// pipedAudio is a recording that comes once. If its producer fails, stdin merely
// ends, so a recording that announces its length must have that length.
func pipedAudio(r io.Reader) ambient.Audio {
	return ambient.AudioReader("", container.NewReader(r))
}
